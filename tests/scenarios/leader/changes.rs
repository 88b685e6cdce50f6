//! Leaders that die, leave, or are too slow, while backups run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::NodeTask;
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::{Cluster, eventually, leader, webhook};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::stage::{LIMIT, Stage};
use crate::runner::scenarios;

scenarios! {
    Own: [
        a_backup_outlives_its_leader_without_a_second_freeze,
        a_leader_that_is_asked_to_stop_hands_over_at_once,
        a_leader_that_was_asleep_does_no_harm_when_it_wakes,
        a_leader_that_slept_through_a_barrier_writes_nothing_of_it,
        what_no_backup_needs_any_more_is_cleared_by_whoever_leads_next,
    ],
}

/// What the next candidate needs to see a released lease, and a little.
const HAND_OVER: Duration = Duration::from_secs(5);

async fn a_backup_outlives_its_leader_without_a_second_freeze(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let (quick, slow) = (
        stage.app(&node, "quick", 1).await?,
        stage.app(&node, "slow", 1).await?,
    );
    let hanging = stage.csi.driver().knobs_of(&slow.volumes[0].handle);
    hanging.hangs(Operation::CreateSnapshot)?;
    let freeze = json!({ "maxFreeze": "100s", "cutLimit": "80s" });
    stage.hooked_instance("shop", &["quick", "slow"], freeze).await?;
    let first = stage.leaders.start().await?;
    leader::leads(&first).await?;
    let second = stage.leaders.start().await?;

    stage.ask("nightly", "shop").await?;
    slow.freezes().await?;
    quick.goes_on().await?;
    first.kill().await?;
    leader::leads(&second).await?;
    stage
        .sees("nightly", "goes on", |status| {
            status.phase == Some(BackupPhase::Running)
        })
        .await?;
    adopted(&stage).await?;
    hanging.goes_on(Operation::CreateSnapshot)?;
    let status = stage.ends("nightly", BackupPhase::Completed).await?;

    ensure!(
        status.counts.taken == 2 && status.warnings.is_empty(),
        "{status:#?}"
    );
    for app in [&quick, &slow] {
        app.goes_on().await?;
        let pauses = app.pauses()?;
        ensure!(
            pauses.len() == 1,
            "{} was frozen {} times",
            app.target.pod,
            pauses.len()
        );
    }
    Ok(())
}

/// The second leader has made the tasks its own.
async fn adopted(stage: &Stage) -> Result<()> {
    eventually("the tasks carry the new epoch", LIMIT, || async {
        let epochs: Vec<_> = stage.tasks().await?.iter().map(|task| task.spec.epoch).collect();
        ensure!(
            !epochs.is_empty() && epochs.iter().all(|epoch| *epoch == 2),
            "they carry {epochs:?}"
        );
        Ok(())
    })
    .await
}

async fn a_leader_that_is_asked_to_stop_hands_over_at_once(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let first = stage.leaders.start().await?;
    leader::leads(&first).await?;
    let second = stage.leaders.start().await?;
    let asked = Instant::now();
    let status = first.terminate(LIMIT).await?;
    ensure!(status.success(), "it ended with {status}");
    leader::leads(&second).await?;
    ensure!(asked.elapsed() < HAND_OVER, "it took {:?}", asked.elapsed());
    ensure!(epoch(&stage).await? == 2, "the epoch is {}", epoch(&stage).await?);
    Ok(())
}

async fn a_leader_that_was_asleep_does_no_harm_when_it_wakes(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    stage.csi.claim(&stage.shop, "data").await?;
    stage.instance("shop", json!({})).await?;
    let first = stage.leaders.start().await?;
    leader::leads(&first).await?;
    let second = stage.leaders.start().await?;
    first.pause()?;
    leader::leads(&second).await?;
    first.resume()?;
    eventually("the first one notices", LIMIT, || async {
        let counts = first.counts().await?;
        ensure!(
            counts.get("clusterbackup_leader_leading") == 0,
            "it believes that it leads"
        );
        ensure!(
            counts.get("clusterbackup_leader_transitions_total{kind=\"lost\"}") == 1,
            "{counts:?}"
        );
        Ok(())
    })
    .await?;
    let leases = Api::<Lease>::namespaced(stage.cluster.admin(), webhook::NAMESPACE);
    let holder = leases
        .get(leader::NAME)
        .await?
        .spec
        .and_then(|spec| spec.holder_identity);
    let holder = holder.context("nobody holds the lease")?;
    ensure!(holder.starts_with("leader-1_"), "{holder} holds the lease");
    stage.ask("nightly", "shop").await?;
    stage.ends("nightly", BackupPhase::Completed).await?;
    let counts = second.counts().await?;
    ensure!(counts.get("clusterbackup_leader_epoch") == 2, "{counts:?}");
    Ok(())
}

async fn a_leader_that_slept_through_a_barrier_writes_nothing_of_it(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let (left, right) = (stage.node("left").await?, stage.node("right").await?);
    let quick = stage.app(&left, "quick", 1).await?;
    let slow = stage.app(&right, "slow", 1).await?;
    let word = stage.freeze_on_a_word(&slow).await?;
    let freeze = json!({ "barrier": true, "maxFreeze": "100s", "cutLimit": "20s" });
    stage.hooked_instance("shop", &["quick", "slow"], freeze).await?;
    let first = stage.leaders.start().await?;
    leader::leads(&first).await?;
    let second = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    quick.freezes().await?;
    first.pause()?;
    leader::leads(&second).await?;
    adopted(&stage).await?;
    word.give()?;
    let status = stage.ends("nightly", BackupPhase::Completed).await?;
    ensure!(status.barriers.iter().all(|barrier| barrier.met), "{status:#?}");

    // In its sleep it was told of everything that it would have had an answer to.
    let versions = versions(&stage).await?;
    first.resume()?;
    leader::loses(&first).await?;
    ensure!(first.terminate(LIMIT).await?.success(), "it does not end well");
    let now = self::versions(&stage).await?;
    ensure!(now == versions, "written: {versions:?}, then {now:?}");
    for app in [&quick, &slow] {
        app.goes_on().await?;
        ensure!(app.pauses()?.len() == 1, "{:?}", app.pauses()?);
    }
    Ok(())
}

/// The versions of all tasks and of the backup.
async fn versions(stage: &Stage) -> Result<Vec<Option<String>>> {
    let tasks = stage.tasks().await?;
    let backup = stage.backups().get("nightly").await?;
    let tasks = tasks.iter().map(NodeTask::resource_version);
    Ok(tasks.chain([backup.resource_version()]).collect())
}

async fn what_no_backup_needs_any_more_is_cleared_by_whoever_leads_next(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "orders", 2).await?;
    let knobs = stage.csi.driver().knobs();
    knobs.hangs(Operation::CreateVolumeGroupSnapshot)?;
    let freeze = json!({ "maxFreeze": "100s", "cutLimit": "80s" });
    stage.hooked_instance("shop", &["orders"], freeze).await?;
    let first = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    app.freezes().await?;
    let labels = stage.labels().await?;
    ensure!(labels.len() == 2, "{labels:?}");

    // As long as there is the backup, they are needed.
    ensure!(first.terminate(LIMIT).await?.success(), "it does not end well");
    let second = stage.leaders.start().await?;
    leader::leads(&second).await?;
    adopted(&stage).await?;
    ensure!(stage.labels().await? == labels, "{:?}", stage.labels().await?);

    // Somebody who doesn't wait for a leader removes it by force.
    second.kill().await?;
    remove_by_force(&stage, "nightly").await?;
    ensure!(stage.labels().await? == labels, "{:?}", stage.labels().await?);
    ensure!(app.is_frozen(), "somebody thawed it");
    let third = stage.leaders.start().await?;
    leader::leads(&third).await?;
    cleared(&stage).await?;
    app.goes_on().await?;

    // The same under the eyes of a leader.
    stage.ask("again", "shop").await?;
    app.freezes().await?;
    remove_by_force(&stage, "again").await?;
    cleared(&stage).await?;
    app.goes_on().await?;
    knobs.goes_on(Operation::CreateVolumeGroupSnapshot)
}

async fn remove_by_force(stage: &Stage, backup: &str) -> Result<()> {
    let backups = stage.backups();
    backups.delete(backup, &DeleteParams::default()).await?;
    let released = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    backups.patch(backup, &PatchParams::default(), &released).await?;
    Ok(())
}

/// Nothing is left that only a running backup needs.
async fn cleared(stage: &Stage) -> Result<()> {
    stage.no_labels().await?;
    eventually("the tasks are gone", LIMIT, || async {
        let tasks = stage.tasks().await?;
        ensure!(tasks.is_empty(), "{tasks:#?}");
        Ok(())
    })
    .await
}

async fn epoch(stage: &Stage) -> Result<i64> {
    let objects = Api::<ConfigMap>::namespaced(stage.cluster.admin(), webhook::NAMESPACE);
    let data = objects
        .get("clusterbackup-leader-epoch")
        .await?
        .data
        .unwrap_or_default();
    Ok(data.get("epoch").context("there is no epoch")?.parse()?)
}
