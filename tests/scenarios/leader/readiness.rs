//! Whether a backup of an instance could run: what its condition `Ready` says before anybody asks for one.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::conditions::READY;
use clusterbackup_api::{BackupHook, BackupInstance};
use clusterbackup_tests::stage::shell;
use clusterbackup_tests::{Cluster, eventually};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::stage::{Ground, exec};
use crate::runner::scenarios;

scenarios! {
    Own: [an_instance_says_whether_a_backup_of_it_could_run],
}

/// Somebody else's change is seen at the next look.
const LIMIT: Duration = Duration::from_secs(90);

async fn an_instance_says_whether_a_backup_of_it_could_run(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let leader = ground.leaders.start().await?;
    let hook = json!([{ "name": "db", "namespace": ground.home.name() }]);
    // Without his groups, the administrator may do nothing.
    let alone = json!({ "username": "admin" });
    for (name, spec) in [
        ("plain", json!({})),
        ("hooked", json!({ "backupHooks": hook })),
        ("no-rights", json!({ "requester": alone })),
        ("nobody", json!({ "requester": null })),
    ] {
        ground.instance(name, spec).await?;
    }
    says(&ground, "plain", "Ready", "could run now").await?;
    says(
        &ground,
        "hooked",
        "HookMissing",
        "db, which the instance names, doesn't exist",
    )
    .await?;
    says(
        &ground,
        "no-rights",
        "RightsMissing",
        "its requester admin may not list pods",
    )
    .await?;
    says(
        &ground,
        "nobody",
        "RightsMissing",
        "nobody is recorded as its requester",
    )
    .await?;

    // Seen at once, since the instance says it.
    let missing = json!({ "backupHooks": hook });
    change(&ground, "plain", &missing).await?;
    says(&ground, "plain", "HookMissing", "doesn't exist").await?;
    change(&ground, "plain", &json!({ "backupHooks": null })).await?;
    says(&ground, "plain", "Ready", "could run now").await?;

    // Seen without any change of the instance.
    let nothing = json!([exec(&shell("true"))]);
    ground.hook("db", &nothing, &nothing).await?;
    says(&ground, "hooked", "Ready", "could run now").await?;
    drop(leader);
    ground
        .home
        .api::<BackupHook>()
        .delete("db", &DeleteParams::default())
        .await?;
    let _leader = ground.leaders.start().await?;
    says(&ground, "hooked", "HookMissing", "doesn't exist").await
}

async fn change(ground: &Ground, name: &str, spec: &Value) -> Result<()> {
    let patch = Patch::Merge(json!({ "spec": spec }));
    let instances = ground.home.api::<BackupInstance>();
    instances.patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Waits until an instance says that, of itself as it stands.
pub(super) async fn says(ground: &Ground, name: &str, reason: &str, message: &str) -> Result<()> {
    let instances = ground.home.api::<BackupInstance>();
    eventually("the instance says whether it is ready", LIMIT, || async {
        let instance = instances.get(name).await?;
        let status = instance.status.context("no status")?;
        let mut conditions = status.conditions.iter();
        let ready: &Condition = conditions
            .find(|condition| condition.type_ == READY)
            .context("no condition")?;
        let holds = if reason == "Ready" { "True" } else { "False" };
        ensure!(
            ready.reason == reason
                && ready.status == holds
                && ready.message.contains(message)
                && ready.observed_generation == instance.metadata.generation,
            "{name}: {ready:#?}"
        );
        Ok(())
    })
    .await
}
