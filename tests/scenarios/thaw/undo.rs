//! An undo goes on until it has worked, the pod is gone, or a person takes it over.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::labels::THAW_ACKNOWLEDGED;
use clusterbackup_api::node_task::{ExecOutcome, Stage as When, Thaw};
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::stage::{App, Order, Stage, only_pod, only_unit, post, pre, shell};
use clusterbackup_tests::{Cluster, eventually, writer};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::runner::scenarios;

scenarios! {
    Own: [
        an_undo_is_tried_until_it_works_or_somebody_ends_it,
        a_pod_that_changes_while_it_is_frozen_is_thawed,
    ],
}

async fn an_undo_is_tried_until_it_works_or_somebody_ends_it(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let agent = stage.node.agent().await?;
    tokio::try_join!(
        needs_three_tries(&stage),
        hangs_once(&stage),
        acknowledged(&stage),
        gone(&stage)
    )?;
    let counts = agent.counts().await?;
    for by in ["agent", "acknowledged", "pod_gone"] {
        let thaws = counts.sum("clusterbackup_agent_thaws_total", &[&format!("by=\"{by}\"")]);
        ensure!(thaws >= 1, "{by}: {counts:?}");
    }
    Ok(())
}

async fn needs_three_tries(stage: &Stage) -> Result<()> {
    let app = stage.app("third-time", 1).await?;
    let thaw = thaw_script(&app);
    let script = format!("echo x >> tries; [ $(wc -l < tries) -ge 3 ] || exit 1; {thaw}");
    let status = begin(stage, &app, &script, "5s").await?.done().await?;
    app.goes_on().await?;
    let undo = only_pod(&status, Thaw::Done)?.execs.last();
    ensure!(
        undo.is_some_and(|exec| exec.attempts == 3 && exec.stage == When::Post),
        "{status:#?}"
    );
    eprintln!("thawed by the third try; frozen for {:?}", app.last_pause()?);
    Ok(())
}

async fn hangs_once(stage: &Stage) -> Result<()> {
    let app = stage.app("hangs-once", 1).await?;
    let thaw = thaw_script(&app);
    let script = format!("[ -e tried ] || {{ : > tried; sleep 1000; }}; {thaw}");
    let order = begin(stage, &app, &script, "1s").await?;
    let between = order.until("the first try is told", |status| {
        let failed = only_pod(status, Thaw::Pending)?.execs.last();
        ensure!(
            failed.is_some_and(|exec| exec.outcome == ExecOutcome::TimedOut),
            "no try of the undo is told"
        );
        Ok(())
    });
    between.await?;
    let status = order.done().await?;
    app.goes_on().await?;
    only_pod(&status, Thaw::Done)?;
    eprintln!("thawed after a try that hung; frozen for {:?}", app.last_pause()?);
    Ok(())
}

async fn acknowledged(stage: &Stage) -> Result<()> {
    let app = stage.app("by-hand", 1).await?;
    let order = begin(stage, &app, "exit 1", "5s").await?;
    tried(&order).await?;
    stage.told(&app, "ThawPending").await?;
    let annotation = json!({ "metadata": { "annotations": {
        THAW_ACKNOWLEDGED: format!("{}-uid", order.name),
    } } });
    let pods = stage.namespace.api::<Pod>();
    pods.patch("by-hand", &PatchParams::default(), &Patch::Merge(&annotation))
        .await?;
    only_pod(&order.done().await?, Thaw::Acknowledged).map(drop)
}

async fn gone(stage: &Stage) -> Result<()> {
    let app = stage.app("gone", 1).await?;
    let order = begin(stage, &app, "exit 1", "5s").await?;
    tried(&order).await?;
    stage.cri.remove_pod(&app.target.uid).await?;
    only_pod(&order.done().await?, Thaw::PodGone).map(drop)
}

async fn a_pod_that_changes_while_it_is_frozen_is_thawed(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let _agent = stage.node.agent().await?;
    let app = stage.app("deleted", 1).await?;
    let order = stage.frozen(&app, "deleted", app.unit()?).await?;
    let grace = DeleteParams::default().grace_period(300);
    stage.namespace.api::<Pod>().delete("deleted", &grace).await?;
    let status = order.done().await?;
    app.goes_on().await?;
    eprintln!("deleted while frozen; frozen for {:?}", app.last_pause()?);
    ensure!(
        app.last_pause()? < Duration::from_secs(3),
        "it waited for the cut"
    );
    only_pod(&status, Thaw::Done)?;
    let unit = only_unit(&status)?;
    let message = unit.message.as_deref().unwrap_or_default();
    ensure!(message.contains("is being deleted"), "{unit:#?}");

    // The new container finds the application's own mark of the freeze, and freezes as well.
    let app = stage.app("restarted", 1).await?;
    let order = stage.frozen(&app, "restarted", app.unit()?).await?;
    stage.cri.restart(&app.target).await?;
    eventually("it is frozen again", Duration::from_secs(10), || async {
        ensure!(writer::pauses(&app.control)?.len() == 2, "it is not");
        Ok(())
    })
    .await?;
    stage.csi.driver().knobs().goes_on(Operation::CreateSnapshot)?;
    let status = order.done().await?;
    app.goes_on().await?;
    only_pod(&status, Thaw::Done).map(drop)
}

/// A backup of an application with an undo of its own.
async fn begin(stage: &Stage, app: &App, undo: &str, timeout: &str) -> Result<Order> {
    let control = app.control.display().to_string();
    let mut undo = post(&shell(undo));
    undo["timeout"] = timeout.into();
    let unit = app.unit_with(&[pre(&writer::freeze(&control))], &[undo])?;
    stage.order(&app.target.pod, &[unit]).await
}

async fn tried(order: &Order) -> Result<()> {
    let tried = order.until("the undo was tried", |status| {
        let pod = only_pod(status, Thaw::Pending)?;
        ensure!(
            pod.execs.iter().any(|exec| exec.stage == When::Post),
            "no try of the undo is told"
        );
        Ok(())
    });
    tried.await.map(drop)
}

fn thaw_script(app: &App) -> String {
    writer::thaw(&app.control.display().to_string()).remove(2)
}
