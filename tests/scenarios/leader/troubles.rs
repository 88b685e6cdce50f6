//! Backups that can't end well: each says why, leaves nothing behind, and leaves nothing frozen.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::node_task::TaskPhase;
use clusterbackup_core::cut::SkipReason;
use clusterbackup_tests::csi::{Operation, RETAINING_SNAPSHOT_CLASS};
use clusterbackup_tests::{Cluster, eventually};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use clusterbackup_tests::stage::shell;

use super::stage::{LIMIT, Stage, exec, volume};
use crate::runner::scenarios;

scenarios! {
    Own: [
        what_can_not_be_planned_fails_with_the_way_out,
        a_cancelled_backup_thaws_and_leaves_nothing,
        a_cut_that_fails_leaves_nothing_whatever_its_class_says,
        a_hook_that_fails_costs_its_own_unit_alone,
        a_node_without_an_agent_is_not_waited_for,
        a_cancelled_backup_ends_without_a_silent_agent_and_says_what_is_not_known,
    ],
}

/// What is asked for, and a part of the message.
type Case = (&'static str, Value, &'static str);

async fn what_can_not_be_planned_fails_with_the_way_out(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let _leader = stage.leaders.start().await?;
    // Without his groups, the administrator may do nothing.
    let alone = json!({ "username": "admin" });
    let hook = json!([{ "name": "freeze", "namespace": "nowhere" }]);
    let cases: [Case; 5] = [
        (
            "no-hook",
            json!({ "backupHooks": hook }),
            "BackupHook nowhere/freeze, which the instance names, doesn't exist",
        ),
        (
            "no-namespace",
            json!({ "includedNamespaces": ["shopp"] }),
            "shopp",
        ),
        (
            "no-rights",
            json!({ "requester": alone }),
            "its requester admin may not list pods",
        ),
        (
            "nobody",
            json!({ "requester": null }),
            "nobody is recorded as its requester",
        ),
        ("empty", json!({}), "nothing was selected"),
    ];
    for (name, spec, _) in &cases {
        stage.instance(name, spec.clone()).await?;
        stage.ask(name, name).await?;
    }
    stage.ask("no-instance", "shop").await?;
    for (name, _, told) in
        cases
            .iter()
            .cloned()
            .chain([("no-instance", json!({}), "BackupInstance shop doesn't exist")])
    {
        let phase = if name == "empty" {
            BackupPhase::CompletedWithWarnings
        } else {
            BackupPhase::Failed
        };
        let status = stage.ends(name, phase).await?;
        let texts = status.message.iter().chain(&status.warnings);
        ensure!(
            texts.clone().any(|text| text.contains(told)),
            "{name}: {status:#?}"
        );
    }
    Ok(())
}

async fn a_cancelled_backup_thaws_and_leaves_nothing(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "orders", 1).await?;
    let idle = stage.csi.claim(&stage.shop, "idle").await?;
    let knobs = stage.csi.driver().knobs_of(&app.volumes[0].handle);
    knobs.hangs(Operation::CreateSnapshot)?;
    let freeze = json!({ "maxFreeze": "100s", "cutLimit": "80s" });
    stage.hooked_instance("shop", &["orders"], freeze).await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    app.freezes().await?;
    stage
        .sees("nightly", "has kept what needed no freeze", |status| {
            status
                .volumes
                .iter()
                .any(|volume| volume.claim == idle.claim && volume.handle.is_some())
        })
        .await?;

    stage.cancel("nightly").await?;
    app.goes_on().await?;
    knobs.goes_on(Operation::CreateSnapshot)?;
    let status = stage.ends("nightly", BackupPhase::Cancelled).await?;
    ensure!(
        status.volumes.iter().all(|volume| volume.snapshot.is_none()),
        "{status:#?}"
    );
    stage.only_is_left(0).await?;

    stage
        .backups()
        .delete("nightly", &DeleteParams::default())
        .await?;
    eventually("the backup is gone, with its tasks", LIMIT, || async {
        ensure!(stage.backups().get_opt("nightly").await?.is_none(), "it is there");
        ensure!(stage.tasks().await?.is_empty(), "its tasks are there");
        Ok(())
    })
    .await
}

async fn a_cut_that_fails_leaves_nothing_whatever_its_class_says(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let (good, bad) = (
        stage.csi.claim(&stage.shop, "good").await?,
        stage.csi.claim(&stage.shop, "bad").await?,
    );
    stage.only_class(RETAINING_SNAPSHOT_CLASS).await?;
    stage
        .csi
        .driver()
        .knobs_of(&bad.handle)
        .takes(Operation::CreateSnapshot, Duration::from_secs(4))?;
    let freeze = json!({ "maxFreeze": "30s", "cutLimit": "2s" });
    stage.instance("shop", json!({ "freeze": freeze })).await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    let status = stage.ends("nightly", BackupPhase::CompletedWithWarnings).await?;

    ensure!(
        status.counts.taken == 1 && status.counts.failed == 1,
        "{status:#?}"
    );
    let kept: Vec<_> = status
        .volumes
        .iter()
        .filter(|volume| volume.handle.is_some())
        .collect();
    ensure!(kept.len() == 1 && kept[0].claim == good.claim, "{status:#?}");
    stage.only_is_left(1).await
}

async fn a_hook_that_fails_costs_its_own_unit_alone(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let (well, ill) = (
        stage.app(&node, "well", 1).await?,
        stage.app(&node, "ill", 1).await?,
    );
    let (pre, post) = (exec(&shell("exit 3")), exec(&shell("true")));
    stage.change_hook("ill", &json!([pre]), &json!([post])).await?;
    stage.hooked_instance("shop", &["well", "ill"], json!({})).await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    let status = stage.ends("nightly", BackupPhase::CompletedWithWarnings).await?;

    ensure!(
        volume(&status, "ill-0")?.skipped == Some(SkipReason::HookFailed),
        "{status:#?}"
    );
    ensure!(
        volume(&status, "well-0")?.skipped.is_none() && status.counts.taken == 1,
        "{status:#?}"
    );
    ensure!(status.counts.hooks_failed == 1, "{status:#?}");
    for app in [&well, &ill] {
        app.goes_on().await?;
    }
    Ok(())
}

async fn a_node_without_an_agent_is_not_waited_for(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    stage.app(&node, "orders", 1).await?;
    stage.csi.claim(&stage.shop, "idle").await?;
    stage.hooked_instance("shop", &["orders"], json!({})).await?;
    node.agent.kill().await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    // Half a minute until it is silent, as much until nobody waits for its answer.
    let ended = |status: &BackupStatus| status.phase == Some(BackupPhase::CompletedWithWarnings);
    let status = stage
        .sees_within(Duration::from_secs(90), "nightly", "ends", ended)
        .await?;

    ensure!(
        volume(&status, "orders-0")?.skipped == Some(SkipReason::AgentSilent),
        "{status:#?}"
    );
    ensure!(status.counts.taken == 1, "{status:#?}");
    Ok(())
}

/// Cancelled is what it is, for a person said so; that an agent is silent is what a person has to look at.
async fn a_cancelled_backup_ends_without_a_silent_agent_and_says_what_is_not_known(
    cluster: Cluster,
) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let (here, there) = (stage.node("here").await?, stage.node("there").await?);
    let (frozen, idle) = (
        stage.app(&here, "frozen", 1).await?,
        stage.app(&there, "idle", 1).await?,
    );
    let knobs = stage.csi.driver().knobs_of(&frozen.volumes[0].handle);
    knobs.hangs(Operation::CreateSnapshot)?;
    let freeze = json!({ "maxFreeze": "20s", "cutLimit": "14s" });
    stage.hooked_instance("shop", &["frozen", "idle"], freeze).await?;
    there.agent.kill().await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    frozen.freezes().await?;
    // Nor is there a watchdog: nobody thaws it.
    here.agent.kill().await?;
    knobs.goes_on(Operation::CreateSnapshot)?;
    stage.cancel("nightly").await?;
    let ended = |status: &BackupStatus| status.phase == Some(BackupPhase::Cancelled);
    let status = stage
        .sees_within(Duration::from_mins(2), "nightly", "is cancelled", ended)
        .await?;

    for node in ["here", "there"] {
        let told = format!("the agent of node {node} doesn't report");
        let mut warnings = status.warnings.iter();
        ensure!(warnings.any(|warning| warning.starts_with(&told)), "{status:#?}");
    }
    ensure!(
        volume(&status, "idle-0")?.skipped == Some(SkipReason::AgentSilent),
        "{status:#?}"
    );
    ensure!(volume(&status, "frozen-0")?.snapshot.is_none(), "{status:#?}");
    let thawed = status.conditions.iter().find(|known| known.type_ == "Thawed");
    ensure!(
        thawed.is_some_and(|known| known.status == "Unknown" && known.reason == "AgentSilent"),
        "{status:#?}"
    );

    // Whoever comes back finishes what is frozen, and begins nothing.
    ensure!(frozen.is_frozen(), "somebody thawed it");
    let _agents = (here.place.agent().await?, there.place.agent().await?);
    frozen.goes_on().await?;
    eventually("the tasks are at their end", LIMIT, || async {
        let tasks = stage.tasks().await?;
        let phases: Vec<_> = tasks
            .iter()
            .map(|task| task.status.as_ref().and_then(|status| status.phase))
            .collect();
        let ended = [Some(TaskPhase::Done), Some(TaskPhase::Refused)];
        ensure!(
            phases.len() == 2 && ended.iter().all(|end| phases.contains(end)),
            "{phases:?}"
        );
        Ok(())
    })
    .await?;
    ensure!(idle.pauses()?.is_empty(), "{:?}", idle.pauses()?);
    stage.only_is_left(0).await
}
