//! Units on two nodes that don't stand still as a whole: the backup says so, and by whom.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::node_task::Consistency;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::csi::{Operation, SNAPSHOT_CLASS};
use serde_json::json;

use super::stage::{App, Node, Stage, volume};
use crate::runner::scenarios;

scenarios! {
    Own: [
        a_broken_barrier_fails_the_backup_that_asks_for_it_and_names_the_nodes,
        a_container_that_starts_again_is_told_of_the_cuts_of_every_node,
    ],
}

/// Two nodes with an application each, one volume each, cut one by one.
async fn two_nodes(stage: &Stage) -> Result<[(Node, App); 2]> {
    stage.only_class(SNAPSHOT_CLASS).await?;
    let (left, right) = (stage.node("left").await?, stage.node("right").await?);
    let apps = (
        stage.app(&left, "orders", 1).await?,
        stage.app(&right, "stock", 1).await?,
    );
    Ok([(left, apps.0), (right, apps.1)])
}

async fn a_broken_barrier_fails_the_backup_that_asks_for_it_and_names_the_nodes(
    cluster: Cluster,
) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let nodes = two_nodes(&stage).await?;
    let slow = stage.csi.driver().knobs_of(&nodes[1].1.volumes[0].handle);
    slow.takes(Operation::CreateSnapshot, Duration::from_secs(4))?;
    let _leader = stage.leaders.start().await?;
    for (policy, phase, left) in [
        ("Fail", BackupPhase::Failed, 0),
        ("Warn", BackupPhase::CompletedWithWarnings, 1),
    ] {
        let name = policy.to_lowercase();
        let freeze =
            json!({ "barrier": true, "onBrokenBarrier": policy, "maxFreeze": "30s", "cutLimit": "2s" });
        stage.hooked_instance(&name, &["orders", "stock"], freeze).await?;
        stage.ask(&name, &name).await?;
        let status = stage.ends(&name, phase).await?;
        broken_by_right(&status)?;
        let kept = status
            .volumes
            .iter()
            .filter(|volume| volume.snapshot.is_some())
            .count();
        ensure!(kept == left, "{status:#?}");
        ensure!(
            volume(&status, "orders-0")?.consistency != Some(Consistency::ApplicationConsistent),
            "{status:#?}"
        );
        stage.only_is_left(left).await?;
        for (_, app) in &nodes {
            app.goes_on().await?;
        }
    }
    Ok(())
}

/// The report and the warnings say which node it was.
fn broken_by_right(status: &BackupStatus) -> Result<()> {
    let [barrier] = status.barriers.as_slice() else {
        anyhow::bail!("not one barrier: {status:#?}");
    };
    ensure!(!barrier.met && barrier.broken_by == ["right"], "{barrier:?}");
    let mut warnings = status.warnings.iter();
    ensure!(
        warnings.any(|warning| warning.ends_with("was not cut at one moment on its nodes, because of right")),
        "{status:#?}"
    );
    ensure!(status.counts.thawed == 2, "{status:#?}");
    Ok(())
}

async fn a_container_that_starts_again_is_told_of_the_cuts_of_every_node(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let [(left, orders), (_right, stock)] = two_nodes(&stage).await?;
    let word = stage.freeze_on_a_word(&stock).await?;
    let freeze = json!({ "barrier": true, "maxFreeze": "90s", "cutLimit": "20s" });
    stage
        .hooked_instance("shop", &["orders", "stock"], freeze)
        .await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    orders.freezes().await?;
    left.cri.restart(&orders.target).await?;
    word.give()?;
    let status = stage.ends("nightly", BackupPhase::CompletedWithWarnings).await?;

    ensure!(
        status.counts.taken == 2 && status.counts.thawed == 2,
        "{status:#?}"
    );
    for (claim, told) in [
        ("orders-0", "a frozen container started again"),
        ("stock-0", "its unit did not stand still on every node"),
    ] {
        let volume = volume(&status, claim)?;
        ensure!(
            volume.consistency == Some(Consistency::CrashConsistent),
            "{volume:#?}"
        );
        let message = volume.message.as_deref().unwrap_or_default();
        ensure!(message.starts_with(told), "{volume:#?}");
    }
    for app in [&orders, &stock] {
        app.goes_on().await?;
    }
    Ok(())
}
