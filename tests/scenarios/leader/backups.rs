//! What comes of a backup when everything goes as it should: with and without pods, on one node and on two.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::node_task::Consistency;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::csi::{Operation, SNAPSHOT_CLASS};
use serde_json::json;

use super::stage::{App, Stage};
use crate::runner::scenarios;

scenarios! {
    Own: [
        claims_without_a_pod_are_cut_and_outlive_their_namespace,
        applications_on_two_nodes_are_cut_at_one_moment,
        the_copies_of_one_pod_agree_with_hooks_and_differ_without,
        two_backups_at_once_freeze_a_pod_one_after_the_other,
    ],
}

/// How long a cut takes where it matters; an application that isn't frozen writes meanwhile.
const APART: Duration = Duration::from_millis(500);

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

/// The experiment that shows what our hooks are for: cuts that come one after the other, once with them and once without.
async fn the_copies_of_one_pod_agree_with_hooks_and_differ_without(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    stage.only_class(SNAPSHOT_CLASS).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "orders", 2).await?;
    let second = stage.csi.driver().knobs_of(&app.volumes[1].handle);
    second.takes(Operation::CreateSnapshot, APART)?;
    stage.instance("bare", json!({})).await?;
    stage.hooked_instance("hooked", &["orders"], json!({})).await?;
    let _leader = stage.leaders.start().await?;

    let mut copies = Vec::new();
    for (instance, worth) in [
        ("bare", Consistency::CrashConsistent),
        ("hooked", Consistency::ApplicationConsistent),
    ] {
        stage.ask(instance, instance).await?;
        let status = stage.ends(instance, BackupPhase::Completed).await?;
        let mut volumes = status.volumes.iter();
        ensure!(
            volumes.all(|volume| volume.consistency == Some(worth)),
            "{status:#?}"
        );
        copies.push(stage.records(&status)?);
    }
    ensure!(
        copies[0][0] < copies[0][1],
        "without hooks, the copies end at {:?}",
        copies[0]
    );
    ensure!(
        copies[1][0] == copies[1][1],
        "with hooks, the copies end at {:?}",
        copies[1]
    );
    app.goes_on().await
}

async fn two_backups_at_once_freeze_a_pod_one_after_the_other(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "orders", 2).await?;
    let knobs = stage.csi.driver().knobs();
    knobs.takes(Operation::CreateSnapshot, APART)?;
    knobs.takes(Operation::CreateVolumeGroupSnapshot, APART)?;
    stage.hooked_instance("shop", &["orders"], json!({})).await?;
    let _leader = stage.leaders.start().await?;
    let names = ["nightly", "by-hand"];
    futures::future::try_join_all(names.map(|name| stage.ask(name, "shop"))).await?;

    let mut handles = BTreeSet::new();
    for name in names {
        let status = stage.ends(name, BackupPhase::Completed).await?;
        ensure!(
            status.counts.taken == 2 && status.counts.thawed == 1,
            "{status:#?}"
        );
        let records = stage.records(&status)?;
        ensure!(
            records[0] == records[1],
            "the copies of {name} end at {records:?}"
        );
        handles.extend(status.volumes.iter().filter_map(|volume| volume.handle.clone()));
    }
    ensure!(handles.len() == 4, "they share snapshots: {handles:?}");
    stage.only_is_left(4).await?;
    app.goes_on().await?;
    let pauses = app.pauses()?;
    let [(_, Some(thawed)), (frozen, Some(_))] = pauses.as_slice() else {
        anyhow::bail!("not two pauses: {pauses:?}");
    };
    ensure!(thawed <= frozen, "the pauses overlap: {pauses:?}");
    stage.no_labels().await
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
