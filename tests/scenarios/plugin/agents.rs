//! `agents status` beside a real API server, where nodes and agents are objects alone.

use anyhow::{Result, ensure};
use clusterbackup_tests::{Cluster, manifests};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::plugin;
use crate::runner::scenarios;

scenarios! {
    Own: [nodes_without_an_agent_and_a_missing_leader_are_seen],
}

const OWN: &str = "clusterbackup-system";

async fn nodes_without_an_agent_and_a_missing_leader_are_seen(cluster: Cluster) -> Result<()> {
    manifests::apply(&cluster, "system", &[]).await?;
    let kubeconfig = cluster.admin_kubeconfig();
    let status = ["agents", "status", "-o", "json"];
    let ran = plugin(Some(&kubeconfig), &status).await?;
    let told: Value = serde_json::from_str(&ran.out)?;
    ensure!(
        told == json!({"leader": {"holder": null, "epoch": null, "renewedSecondsAgo": null},
                       "nodes": [], "frozen": [], "notes": []}),
        "{told:#} {}",
        ran.err
    );

    let client = cluster.admin();
    let node = json!({"metadata": {"name": "node-1", "labels": {"kubernetes.io/os": "linux"}}});
    Api::<Node>::all(client.clone())
        .create(&PostParams::default(), &serde_json::from_value(node)?)
        .await?;
    let now = k8s_openapi::jiff::Timestamp::now();
    let lease = json!({
        "metadata": {"name": "clusterbackup-leader"},
        "spec": {"holderIdentity": "leader-a", "leaseDurationSeconds": 3600, "renewTime": format!("{now:.6}")},
    });
    Api::<Lease>::namespaced(client.clone(), OWN)
        .create(&PostParams::default(), &serde_json::from_value(lease)?)
        .await?;
    let epoch = json!({"metadata": {"name": "clusterbackup-leader-epoch"}, "data": {"epoch": "3"}});
    Api::<ConfigMap>::namespaced(client, OWN)
        .create(&PostParams::default(), &serde_json::from_value(epoch)?)
        .await?;

    let ran = plugin(Some(&kubeconfig), &status).await?;
    let told: Value = serde_json::from_str(&ran.out)?;
    ensure!(
        told["leader"]["holder"] == "leader-a" && told["leader"]["epoch"] == 3,
        "{told:#}"
    );
    let node = &told["nodes"][0];
    ensure!(node["name"] == "node-1" && node["ready"] == false, "{told:#}");
    let shown = plugin(Some(&kubeconfig), &["agents", "status"]).await?.out;
    ensure!(shown.contains("Agents:  ready on 0 of 1 nodes"), "{shown}");

    let nobody = cluster.kubeconfig_for("default", "default").await?;
    let ran = plugin(Some(&nobody), &["agents", "status"]).await?;
    ensure!(
        ran.code == Some(1)
            && ran
                .err
                .starts_with("error: you may not list nodes; ask an administrator"),
        "{}{}",
        ran.out,
        ran.err
    );
    Ok(())
}
