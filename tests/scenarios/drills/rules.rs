//! The rules can't be read, or not understood.

use anyhow::Result;
use clusterbackup_tests::{Cluster, ReplicaOptions, webhook};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};

use super::{Drill, install};
use crate::load::marking;
use crate::runner::scenarios;

scenarios! {
    Own: [broken_rules_then_none_then_no_right_to_read_them],
}

const BROKEN: &str = "version: v1\nresourceModifierRules:\n- conditions: {}\n";
/// The binding by which the webhook may read the administrators' rules.
const BINDING: &str = "clusterbackup-rules-reader";

async fn broken_rules_then_none_then_no_right_to_read_them(cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let replica = webhook.start(ReplicaOptions::default()).await?;
    let drill = Drill::start(cluster.admin()).await?;

    drill.interception.write_rules(BROKEN).await?;
    drill.interception.until("RulesInvalid", |_| Ok(())).await?;
    // By the last good ones.
    drill.until_opted_in_flow().await?;
    drop(replica);
    // It has never seen the good ones.
    let replica = webhook.launch(ReplicaOptions::default()).await?;
    drill.until_refused("line 3").await?;
    drill.interception.write_rules(&marking("b")).await?;
    drill.until_opted_in_flow().await?;

    let bindings = Api::<RoleBinding>::namespaced(cluster.admin(), webhook::NAMESPACE);
    let binding = bindings.get(BINDING).await?;
    bindings.delete(BINDING, &DeleteParams::default()).await?;
    drop(replica);
    let _replica = webhook.launch(ReplicaOptions::default()).await?;
    drill
        .until_refused("may not be read; allow it with: kubectl")
        .await?;
    let binding = RoleBinding {
        metadata: ObjectMeta {
            name: Some(BINDING.to_owned()),
            ..ObjectMeta::default()
        },
        ..binding
    };
    bindings.create(&PostParams::default(), &binding).await?;
    drill.end_by(&["a", "b"]).await.map(drop)
}
