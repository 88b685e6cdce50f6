//! Asking for groups of snapshots.

use std::time::Duration;

use anyhow::Result;
use clusterbackup_api::snapshots::VolumeGroupSnapshot;
use clusterbackup_tests::TestNamespace;
use clusterbackup_tests::csi::GROUP_CLASS;
use kube::api::PostParams;
use serde_json::json;

pub(super) const LIMIT: Duration = Duration::from_secs(30);

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
