//! Asking for snapshots and groups of them, and waiting until they are gone.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::snapshots::{VolumeGroupSnapshot, VolumeSnapshot};
use clusterbackup_tests::csi::{GROUP_CLASS, SNAPSHOT_CLASS, Volume};
use clusterbackup_tests::{TestNamespace, eventually};
use kube::Api;
use kube::api::PostParams;
use serde::de::DeserializeOwned;
use serde_json::json;

pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// Asks for a snapshot of a claim, of the name of the claim.
pub(super) async fn ask(namespace: &TestNamespace, volume: &Volume) -> Result<()> {
    ask_in(SNAPSHOT_CLASS, namespace, volume).await
}

/// The same, in a class.
pub(super) async fn ask_in(class: &str, namespace: &TestNamespace, volume: &Volume) -> Result<()> {
    let snapshot: VolumeSnapshot = serde_json::from_value(json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": { "name": volume.claim },
        "spec": {
            "source": { "persistentVolumeClaimName": volume.claim },
            "volumeSnapshotClassName": class,
        },
    }))?;
    namespace.api().create(&PostParams::default(), &snapshot).await?;
    Ok(())
}

/// Asks for a snapshot of all claims with the label `group: <name>`, of that name.
pub(super) async fn ask_for_group(namespace: &TestNamespace, name: &str) -> Result<()> {
    let snapshot: VolumeGroupSnapshot = serde_json::from_value(json!({
        "apiVersion": "groupsnapshot.storage.k8s.io/v1",
        "kind": "VolumeGroupSnapshot",
        "metadata": { "name": name },
        "spec": {
            "source": { "selector": { "matchLabels": { "group": name } } },
            "volumeGroupSnapshotClassName": GROUP_CLASS,
        },
    }))?;
    namespace.api().create(&PostParams::default(), &snapshot).await?;
    Ok(())
}

/// Waits until an object is gone.
pub(super) async fn gone<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned,
{
    eventually(&format!("{name} is gone"), LIMIT, || async {
        let found = api.get_opt(name).await?;
        ensure!(found.is_none(), "it is there: {found:?}");
        Ok(())
    })
    .await
}
