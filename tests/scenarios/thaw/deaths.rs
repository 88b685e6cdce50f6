//! Whoever dies, hangs or is stopped while an application is frozen: it goes on.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clusterbackup_api::node_task::{CutOutcome, NodeTaskStatus, Thaw};
use clusterbackup_tests::stage::{App, Stage, only_pod, only_unit, post, pre, shell};
use clusterbackup_tests::{Cluster, writer};

use crate::runner::scenarios;

scenarios! {
    Own: [
        the_watchdog_thaws_for_an_agent_that_is_killed_or_hangs,
        the_next_agent_thaws_what_nobody_else_could,
        an_agent_that_is_stopped_thaws_first,
    ],
}

/// How soon the watchdog has noticed, and the undo is done.
const SOON: Duration = Duration::from_millis(1500);

async fn the_watchdog_thaws_for_an_agent_that_is_killed_or_hangs(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let watchdog = stage.node.watchdog().await?;
    let agent = stage.node.agent().await?;
    let app = stage.app("db", 1).await?;
    let order = stage.frozen(&app, "killed", app.unit()?).await?;
    agent.kill().await?;
    thawed_within(&app, SOON, "the agent was killed").await?;
    let agent = stage.node.agent().await?;
    restarted(&order.done().await?, Thaw::ByWatchdog)?;

    stage.told(&app, "ThawedByWatchdog").await?;

    // A child of the hook lives on and freezes again: the undo is repeated for as long as it might.
    let control = app.control.display().to_string();
    let hook = format!(
        "{}; (sleep 1; : > {control}/freeze); true",
        writer::freeze(&control)[2]
    );
    let mut unit = app.unit_with(&[pre(&shell(&hook))], &[post(&writer::thaw(&control))])?;
    unit["maxFreeze"] = "4s".into();
    let order = stage.order("in-its-hook", &[unit]).await?;
    app.freezes().await?;
    agent.kill().await?;
    thawed_within(&app, SOON, "the agent was killed in a pre hook").await?;
    let agent = stage.node.agent().await?;
    only_pod(&order.done().await?, Thaw::ByWatchdog)?;
    app.goes_on().await?;

    let mut unit = app.unit()?;
    unit["maxFreeze"] = "3s".into();
    let order = stage.frozen(&app, "hangs", unit).await?;
    agent.pause()?;
    thawed_within(&app, Duration::from_secs(3) + 2 * SOON, "the agent hangs").await?;
    agent.resume()?;
    let status = order.done().await?;
    only_pod(&status, Thaw::ByWatchdog)?;
    let counts = watchdog.counts().await?;
    ensure!(
        counts.get("clusterbackup_agent_thaws_total{by=\"watchdog\"}") == 3,
        "{counts:?}"
    );
    Ok(())
}

async fn the_next_agent_thaws_what_nobody_else_could(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let agent = stage.node.agent().await?;
    let app = stage.app("db", 1).await?;
    let order = stage.frozen(&app, "killed", app.unit()?).await?;
    agent.kill().await?;
    let agent = stage.node.agent().await?;
    thawed_within(&app, Duration::from_secs(1), "the next agent was ready").await?;
    restarted(&order.done().await?, Thaw::ByReplay)?;

    // The entry is lost as well: what is left is the task.
    let order = stage.frozen(&app, "corrupt", app.unit()?).await?;
    agent.kill().await?;
    let entry = stage.node.journal().join(format!("{}.open", app.target.uid));
    std::fs::write(&entry, "{\"task\":\"corr")?;
    let agent = stage.node.agent().await?;
    thawed_within(&app, SOON, "the next agent was ready").await?;
    restarted(&order.done().await?, Thaw::ByReplay)?;
    let counts = agent.counts().await?;
    ensure!(
        counts.get("clusterbackup_agent_journal_quarantined") == 1,
        "{counts:?}"
    );
    Ok(())
}

async fn an_agent_that_is_stopped_thaws_first(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let agent = stage.node.agent().await?;
    let app = stage.app("db", 1).await?;
    let order = stage.frozen(&app, "stopped", app.unit()?).await?;
    let status = agent.terminate(Duration::from_secs(10)).await?;
    ensure!(
        status.success() && !app.is_frozen(),
        "it ended with {status}, frozen: {}",
        app.is_frozen()
    );
    app.goes_on().await?;
    let status = order.done().await?;
    only_pod(&status, Thaw::Done)?;
    let unit = only_unit(&status)?;
    let message = unit.message.as_deref().unwrap_or_default();
    ensure!(message.contains("agent was stopped"), "{unit:#?}");
    ensure!(unit.cuts[0].outcome == CutOutcome::Failed, "{unit:#?}");

    // A cancelled backup is the same to the application.
    let _agent = stage.node.agent().await?;
    let order = stage.frozen(&app, "cancelled", app.unit()?).await?;
    order.cancel().await?;
    thawed_within(&app, SOON, "the backup was cancelled").await?;
    only_pod(&order.done().await?, Thaw::Done)?;
    Ok(())
}

async fn thawed_within(app: &App, limit: Duration, since: &str) -> Result<()> {
    let began = Instant::now();
    app.goes_on().await?;
    let took = began.elapsed();
    eprintln!(
        "thawed {took:?} after {since}; frozen for {:?}",
        app.last_pause()?
    );
    ensure!(took <= limit, "thawed only {took:?} after {since}");
    Ok(())
}

/// The report of an agent that found a unit begun by another.
fn restarted(status: &NodeTaskStatus, thaw: Thaw) -> Result<()> {
    only_pod(status, thaw)?;
    let unit = only_unit(status)?;
    let message = unit.message.as_deref().unwrap_or_default();
    ensure!(message.contains("restarted"), "{unit:#?}");
    ensure!(unit.cuts[0].outcome == CutOutcome::Failed, "{unit:#?}");
    Ok(())
}
