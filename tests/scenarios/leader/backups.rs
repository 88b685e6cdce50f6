//! What comes of a backup when everything goes as it should: with and without pods, on one node and on two.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::node_task::Consistency;
use clusterbackup_tests::Cluster;
use serde_json::json;

use super::stage::{App, Stage};
use crate::runner::scenarios;

scenarios! {
    Own: [
        claims_without_a_pod_are_cut_and_outlive_their_namespace,
        applications_on_two_nodes_are_cut_at_one_moment,
    ],
}

async fn claims_without_a_pod_are_cut_and_outlive_their_namespace(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    stage.csi.claim(&stage.shop, "data").await?;
    stage.csi.claim(&stage.shop, "log").await?;
    stage.instance("shop", json!({})).await?;
    let leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    let status = stage.ends("nightly", BackupPhase::Completed).await?;

    ensure!(
        status.counts.claims == 2 && status.counts.taken == 2,
        "{status:#?}"
    );
    ensure!(
        status.volumes.len() == 2 && status.warnings.is_empty(),
        "{status:#?}"
    );
    stage.delete_namespace(stage.shop.name()).await?;
    for volume in &status.volumes {
        let content = stage.content(volume).await?;
        ensure!(content.spec.deletion_policy == "Retain", "{content:#?}");
        let handle = volume.handle.as_deref().context("no handle")?;
        let data = stage.csi.driver().snapshot_data(handle)?;
        ensure!(data.exists(), "the data of {} is gone", volume.claim);
    }
    let counts = leader.counts().await?;
    ensure!(
        counts.get("clusterbackup_leader_backups_total{phase=\"completed\"}") == 1,
        "{counts:?}"
    );
    Ok(())
}

async fn applications_on_two_nodes_are_cut_at_one_moment(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let (left, right) = (stage.node("left").await?, stage.node("right").await?);
    let apps = [
        stage.app(&left, "orders", 2).await?,
        stage.app(&right, "stock", 1).await?,
    ];
    let freeze = json!({ "barrier": true, "maxFreeze": "40s", "cutLimit": "20s" });
    stage
        .hooked_instance("shop", &["orders", "stock"], freeze)
        .await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    let status = stage.ends("nightly", BackupPhase::Completed).await?;

    consistent(&status)?;
    let records = stage.records(&status)?;
    ensure!(
        records[0] == records[1],
        "the copies of one application end at {records:?}"
    );
    let [barrier] = status.barriers.as_slice() else {
        anyhow::bail!("not one barrier: {status:#?}");
    };
    ensure!(barrier.met && barrier.skew_millis.is_some(), "{barrier:?}");
    // Each application stood still before the other was cut: their pauses overlap.
    let pauses = apps.iter().map(App::pause).collect::<Result<Vec<_>>>()?;
    ensure!(
        pauses[0].0 < pauses[1].1 && pauses[1].0 < pauses[0].1,
        "they stood still one after the other: {pauses:?}"
    );
    for app in &apps {
        app.goes_on().await?;
    }
    Ok(())
}

/// Everything is cut, with everything frozen.
fn consistent(status: &BackupStatus) -> Result<()> {
    let consistent = |consistency| consistency == Some(Consistency::ApplicationConsistent);
    ensure!(
        status.volumes.iter().all(|volume| consistent(volume.consistency)),
        "{status:#?}"
    );
    ensure!(
        status.counts.taken == 3 && status.counts.thawed == 2,
        "{status:#?}"
    );
    Ok(())
}
