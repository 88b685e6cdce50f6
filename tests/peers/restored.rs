//! A backup that Velero has made, restored by us in a cluster that has never seen Velero.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::restore::{RestorePhase, RestoreStatus};
use clusterbackup_api::{BackupVault, RecoveryPoint, Requester, Restore};
use clusterbackup_tests::leader::Leaders;
use clusterbackup_tests::runner::{VeleroContext, scenarios};
use clusterbackup_tests::steps::{api_of, create, foreign_kind, until_established};
use clusterbackup_tests::{Cluster, TestNamespace, eventually};
use clusterbackup_vault::store::{FileStore, Store};
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::application::Application;
use crate::export::copy;

scenarios! {
    Velero: [
        what_velero_has_backed_up_is_restored_in_another_cluster,
    ],
}

const LIMIT: Duration = Duration::from_mins(1);
/// What a cluster gives anew, by kinds: addresses, bindings, tokens, uids in labels, and who holds a lease.
const GIVEN: [&str; 6] = [
    "Service",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "Job",
    "Lease",
];

async fn what_velero_has_backed_up_is_restored_in_another_cluster(given: &VeleroContext) -> Result<()> {
    let (cluster, velero) = (&given.context.cluster, &given.velero);
    let application = Application::create(cluster, given.context.namespace.name()).await?;
    let name = &application.name;
    velero.back_up(name, &application.backup()).await?;
    let objects = application.as_created_in(name).await?;

    let other = Cluster::start().await?;
    let leaders = Leaders::install(&other).await?;
    let home = other.namespace("home").await?;
    // Velero selects by labels, which the definition hasn't got.
    let widgets = foreign_kind("example.com", "v1", "Widget");
    create(&other.admin(), None, &widgets).await?;
    until_established(&other).await?;
    let folder = leaders.vaults().join("velero");
    fs::create_dir(&folder)?;
    let there: Store = Arc::new(FileStore::new(&folder));
    copy(&velero.store(), &there).await?;
    let place = json!({ "fileSystem": { "path": folder } });
    let spec = json!({ "format": "Velero", "access": "ReadOnly", "operational": place });
    let vault: BackupVault = made("BackupVault", "old", &spec)?;
    home.api().create(&PostParams::default(), &vault).await?;
    let _leader = leaders.start().await?;
    let status = restore(&home, &format!("old.{name}")).await?;
    ensure!(
        status.phase == Some(RestorePhase::Completed) && status.counts.failed == 0,
        "{status:#?}"
    );
    for before in &objects {
        let namespace = before["metadata"]["namespace"].as_str();
        let name = before["metadata"]["name"].as_str().unwrap_or_default();
        let after = api_of(&other.admin(), before, namespace)?.get(name).await?;
        let after = serde_json::to_value(after)?;
        let kind = before["kind"].as_str().unwrap_or_default();
        for field in [
            "spec",
            "data",
            "rules",
            "subjects",
            "roleRef",
            "provisioner",
            "value",
        ] {
            ensure!(
                before[field] == after[field] || GIVEN.contains(&kind),
                "{field} of {before:#}\nis\n{after:#}"
            );
        }
    }
    Ok(())
}

/// Restores a point, as soon as it is shown, and says what came of it.
async fn restore(home: &TestNamespace, point: &str) -> Result<RestoreStatus> {
    eventually("the backup is shown", LIMIT, || async {
        Ok(home.api::<RecoveryPoint>().get(point).await?)
    })
    .await?;
    let requester = Requester {
        username: "admin".to_owned(),
        groups: vec!["system:masters".to_owned()],
        ..Requester::default()
    };
    let restore: Restore = made(
        "Restore",
        "friday",
        &json!({ "recoveryPoint": point, "requester": requester }),
    )?;
    let restores = home.api::<Restore>();
    restores.create(&PostParams::default(), &restore).await?;
    eventually("the restore has ended", LIMIT, || async {
        let status = restores.get("friday").await?.status.unwrap_or_default();
        ensure!(status.phase.is_some_and(RestorePhase::is_end), "{status:#?}");
        Ok(status)
    })
    .await
}

fn made<K: serde::de::DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> Result<K> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "clusterbackup.io/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec,
    }))?)
}
