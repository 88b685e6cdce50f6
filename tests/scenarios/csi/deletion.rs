//! What becomes of the data when snapshots go.

use anyhow::{Result, ensure};
use clusterbackup_api::snapshots::{VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_tests::csi::{RETAINING_SNAPSHOT_CLASS, SNAPSHOT_CLASS};
use kube::Api;
use kube::api::DeleteParams;

use crate::runner::{CsiContext, scenarios};
use crate::steps::gone;

scenarios! {
    Csi: [
        a_deleted_snapshot_takes_its_data_along,
        a_retained_snapshot_leaves_its_data,
    ],
}

async fn a_deleted_snapshot_takes_its_data_along(context: &CsiContext) -> Result<()> {
    let volume = context.csi.claim(&context.namespace, "deleted").await?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &volume)
        .await?;
    let taken = context.csi.taken(context.namespace.name(), "deleted").await?;
    let snapshots = context.namespace.api::<VolumeSnapshot>();
    snapshots.delete("deleted", &DeleteParams::default()).await?;
    gone(&snapshots, "deleted").await?;
    let contents = Api::<VolumeSnapshotContent>::all(context.cluster.admin());
    gone(&contents, &taken.content).await?;
    ensure!(!taken.data.exists(), "{} is there", taken.data.display());
    Ok(())
}

async fn a_retained_snapshot_leaves_its_data(context: &CsiContext) -> Result<()> {
    let volume = context.csi.claim(&context.namespace, "retained").await?;
    context
        .csi
        .ask(&context.namespace, RETAINING_SNAPSHOT_CLASS, &volume)
        .await?;
    let taken = context.csi.taken(context.namespace.name(), "retained").await?;
    let snapshots = context.namespace.api::<VolumeSnapshot>();
    snapshots.delete("retained", &DeleteParams::default()).await?;
    gone(&snapshots, "retained").await?;
    let contents = Api::<VolumeSnapshotContent>::all(context.cluster.admin());
    contents.delete(&taken.content, &DeleteParams::default()).await?;
    gone(&contents, &taken.content).await?;
    ensure!(taken.data.is_dir(), "its data is gone as well");
    Ok(())
}
