//! A cluster without the kinds of CSI snapshots: hooks run, claims are left out for a reason that says what is missing,
//! and nobody has to be started again when the kinds come.

use anyhow::{Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::node_task::Consistency;
use clusterbackup_core::cut::SkipReason;
use clusterbackup_tests::cri::ContainerSpec;
use clusterbackup_tests::stage::shell;
use clusterbackup_tests::{Cluster, eventually, steps};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::json;

use super::stage::{Ground, LIMIT, Stage, exec, volume};
use crate::runner::scenarios;

scenarios! {
    Own: [without_the_kinds_of_snapshots_hooks_run_and_claims_wait_until_they_come],
}

/// Told once for all claims.
const MISSING: &str = "the cluster has no VolumeSnapshotClasses";

async fn without_the_kinds_of_snapshots_hooks_run_and_claims_wait_until_they_come(
    cluster: Cluster,
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let node = ground.node("node-a").await?;
    old_claim(&ground).await?;
    let target = ground.pod(&node, "orders", &["old"]).await?;
    node.cri
        .run(ContainerSpec::new(target, ground.cluster.folder()))?;
    let steps = ["pre", "post"].map(|word| json!([exec(&shell(&format!("echo {word} >> ran")))]));
    ground.hook("orders", &steps[0], &steps[1]).await?;
    ground.hooked_instance("shop", &["orders"], json!({})).await?;
    let _leader = ground.leaders.start().await?;
    ground.ask("before", "shop").await?;
    let status = ground.ends("before", BackupPhase::Failed).await?;
    left_out(&status)?;
    ensure!(
        status.warnings.iter().any(|warning| warning.contains(MISSING)),
        "{status:#?}"
    );
    ensure!(status.counts.hooks_succeeded == 2, "{status:#?}");
    let ran = std::fs::read_to_string(ground.cluster.folder().join("ran"))?;
    ensure!(ran == "pre\npost\n", "{ran}");

    let stage = Stage::on(ground).await?;
    stage.app(&node, "stock", 1).await?;
    stage
        .hooked_instance("later", &["orders", "stock"], json!({}))
        .await?;
    stage.ask("after", "later").await?;
    let status = stage.ends("after", BackupPhase::CompletedWithWarnings).await?;
    ensure!(
        volume(&status, "stock-0")?.consistency == Some(Consistency::ApplicationConsistent),
        "{status:#?}"
    );
    left_out(&status)?;
    ensure!(
        !status.warnings.iter().any(|warning| warning.contains(MISSING)),
        "{status:#?}"
    );
    Ok(())
}

/// The claim that nobody can cut says so.
fn left_out(status: &BackupStatus) -> Result<()> {
    let old = volume(status, "old")?;
    ensure!(old.skipped == Some(SkipReason::NoSnapshotClass), "{old:#?}");
    Ok(())
}

/// A claim with a volume of a driver that nobody has a class for.
async fn old_claim(ground: &Ground) -> Result<()> {
    let size = json!({ "storage": "1Mi" });
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": "old" },
        "spec": {
            "storageClassName": "",
            "accessModes": ["ReadWriteOnce"],
            "capacity": size,
            "csi": { "driver": "old.clusterbackup.test", "volumeHandle": "old" },
        },
    });
    steps::create(&ground.cluster.admin(), None, &volume).await?;
    let claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": "old" },
        "spec": {
            "storageClassName": "",
            "volumeName": "old",
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": size },
        },
    });
    let namespace = Some(ground.shop.name());
    steps::create(&ground.cluster.admin(), namespace, &claim).await?;
    let claims = ground.shop.api::<PersistentVolumeClaim>();
    eventually("the claim is bound", LIMIT, || async {
        let status = claims.get("old").await?.status.unwrap_or_default();
        ensure!(status.phase.as_deref() == Some("Bound"), "{status:?}");
        Ok(())
    })
    .await
}
