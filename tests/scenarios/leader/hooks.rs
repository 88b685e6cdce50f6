//! What hooks mean for a backup as a whole: what can't run is known before anything is frozen, and what did not run is
//! not counted as run.

use anyhow::{Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::node_task::{Consistency, ExecOutcome};
use clusterbackup_core::cut::SkipReason;
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::stage::shell;
use clusterbackup_tests::{Cluster, writer};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::stage::{App, LIMIT, Stage, exec, volume};
use crate::runner::scenarios;

scenarios! {
    Own: [
        a_missing_container_is_told_before_anything_is_frozen,
        time_outs_that_max_freeze_can_not_hold_are_refused_with_the_figures,
        hooks_that_did_not_run_are_not_counted_as_run,
    ],
}

/// The steps that freeze an application, in another container than it has.
fn elsewhere(app: &App, on_error: &str) -> Value {
    let mut step = exec(&writer::freeze(&app.control.display().to_string()));
    step["exec"]["container"] = "database".into();
    step["exec"]["onError"] = on_error.into();
    json!([step])
}

async fn a_missing_container_is_told_before_anything_is_frozen(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let well = stage.app(&node, "well", 1).await?;
    let (strict, lenient) = (
        stage.app(&node, "strict", 1).await?,
        stage.app(&node, "lenient", 1).await?,
    );
    let undo = json!([exec(&shell("true"))]);
    for (app, on_error) in [(&strict, "Fail"), (&lenient, "Continue")] {
        stage
            .change_hook(&app.target.pod, &elsewhere(app, on_error), &undo)
            .await?;
    }
    let apps = ["well", "strict", "lenient"];
    stage.hooked_instance("shop", &apps, json!({})).await?;
    let knobs = stage.csi.driver().knobs_of(&well.volumes[0].handle);
    knobs.hangs(Operation::CreateSnapshot)?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    well.freezes().await?;
    let status = stage.backups().get("nightly").await?.status.unwrap_or_default();
    for pod in ["strict", "lenient"] {
        let told = format!(
            "pod {}/{pod} has no container `database`; it has app",
            stage.shop.name()
        );
        let mut warnings = status.warnings.iter();
        ensure!(warnings.any(|warning| warning.contains(&told)), "{status:#?}");
    }
    knobs.goes_on(Operation::CreateSnapshot)?;
    let status = stage.ends("nightly", BackupPhase::CompletedWithWarnings).await?;

    let worth = |claim: &str| Ok::<_, anyhow::Error>(volume(&status, claim)?.consistency);
    ensure!(
        volume(&status, "strict-0")?.skipped == Some(SkipReason::HookFailed),
        "{status:#?}"
    );
    ensure!(
        worth("well-0")? == Some(Consistency::ApplicationConsistent),
        "{status:#?}"
    );
    ensure!(
        worth("lenient-0")? == Some(Consistency::CrashConsistent),
        "{status:#?}"
    );
    for (app, pauses) in [(&well, 1), (&strict, 0), (&lenient, 0)] {
        app.goes_on().await?;
        let seen = app.pauses()?;
        ensure!(seen.len() == pauses, "{} paused: {seen:?}", app.target.pod);
    }
    Ok(())
}

async fn time_outs_that_max_freeze_can_not_hold_are_refused_with_the_figures(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "orders", 1).await?;
    let freeze = json!({ "maxFreeze": "20s", "cutLimit": "15s" });
    stage.hooked_instance("tight", &["orders"], freeze).await?;
    let freeze = json!({ "maxFreeze": "21s", "cutLimit": "15s" });
    stage.hooked_instance("enough", &["orders"], freeze).await?;
    let _leader = stage.leaders.start().await?;

    stage.ask("refused", "tight").await?;
    let status = stage.ends("refused", BackupPhase::Failed).await?;
    let told = format!(
        "the pre hooks of pod {}/orders may take 5s and the cuts 15s: together not less than maxFreeze, 20s",
        stage.shop.name()
    );
    ensure!(
        status.message.as_deref().is_some_and(|text| text.contains(&told)),
        "{status:#?}"
    );
    ensure!(stage.tasks().await?.is_empty(), "there are tasks");
    stage.only_is_left(0).await?;
    ensure!(app.pauses()?.is_empty(), "it was frozen");

    stage.ask("taken", "enough").await?;
    stage.ends("taken", BackupPhase::Completed).await?;
    ensure!(app.pauses()?.len() == 1, "{:?}", app.pauses()?);
    Ok(())
}

async fn hooks_that_did_not_run_are_not_counted_as_run(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let well = stage.app(&node, "well", 1).await?;
    let ill = stage.app(&node, "ill", 1).await?;
    let gone = stage.app(&node, "gone", 1).await?;
    // After the first step nothing of the unit is worth another one; the undo runs all the same.
    let second = exec(&writer::freeze(&ill.control.display().to_string()));
    let undo = exec(&writer::thaw(&ill.control.display().to_string()));
    let steps = json!([exec(&shell("exit 3")), second]);
    stage.change_hook("ill", &steps, &json!([undo])).await?;
    let apps = ["well", "ill", "gone"];
    stage.hooked_instance("shop", &apps, json!({})).await?;
    let leader = stage.leaders.start().await?;
    // One pod goes between plan and freeze.
    node.agent.pause()?;
    stage.ask("nightly", "shop").await?;
    stage
        .sees("nightly", "is planned", |status| {
            status.phase == Some(BackupPhase::Running)
        })
        .await?;
    let at_once = DeleteParams::default().grace_period(0);
    stage.shop.api::<Pod>().delete("gone", &at_once).await?;
    node.cri.remove_pod(&gone.target.uid).await?;
    node.agent.resume()?;
    let status = stage.ends("nightly", BackupPhase::CompletedWithWarnings).await?;

    let counts = &status.counts;
    ensure!(counts.pods == 3 && counts.thawed == 3, "{counts:?}");
    ensure!(counts.hooks == 7, "{counts:?}");
    ensure!(add_up(&stage, &status).await?, "{status:#?}");
    // Both of the one that is well, the undo of the one that is ill; nothing succeeds in a pod that is gone.
    ensure!(counts.hooks_succeeded == 3, "{counts:?}");
    ensure!(counts.hooks_failed < 4, "{counts:?}");
    ensure!(ill.pauses()?.is_empty(), "{:?}", ill.pauses()?);
    well.goes_on().await?;
    leader.terminate(LIMIT).await.map(drop)
}

/// Whether the sums are those of the commands that the agents have reported, one by one.
async fn add_up(stage: &Stage, status: &BackupStatus) -> Result<bool> {
    let tasks = stage.tasks().await?;
    let units = tasks
        .iter()
        .flat_map(|task| &task.status)
        .flat_map(|status| &status.units);
    let execs: Vec<_> = units
        .flat_map(|unit| &unit.pods)
        .flat_map(|pod| &pod.execs)
        .collect();
    let succeeded = execs.iter().filter(|exec| exec.outcome == ExecOutcome::Succeeded);
    let succeeded = u32::try_from(succeeded.count())?;
    let ran = u32::try_from(execs.len())?;
    Ok((succeeded, ran - succeeded) == (status.counts.hooks_succeeded, status.counts.hooks_failed))
}
