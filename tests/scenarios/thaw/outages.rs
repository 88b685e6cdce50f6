//! What the freeze leans on is away or doesn't answer: the cuts fail, the application goes on.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clusterbackup_api::node_task::{CutOutcome, NodeTaskStatus, Thaw};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::csi::{Operation, Part};
use clusterbackup_tests::stage::{App, Stage, only_pod, only_unit};
use serde_json::Value;

use crate::runner::scenarios;

scenarios! {
    Own: [
        an_api_server_that_is_away_delays_no_thaw,
        whoever_cuts_late_or_never_is_not_waited_for,
    ],
}

const CUT_LIMIT: Duration = Duration::from_secs(3);
/// For hooks, looks and reports beside the waiting.
const MARGIN: Duration = Duration::from_millis(1500);

async fn an_api_server_that_is_away_delays_no_thaw(cluster: Cluster) -> Result<()> {
    let mut stage = Stage::set_up(cluster).await?;
    let _agent = stage.node.agent().await?;
    let app = stage.app("db", 1).await?;
    let order = stage.frozen(&app, "away", limited(&app)?).await?;
    stage
        .cluster
        .without_api_server(async {
            let began = Instant::now();
            app.goes_on().await?;
            let took = began.elapsed();
            eprintln!(
                "thawed {took:?} after the API server was gone; frozen for {:?}",
                app.last_pause()?
            );
            ensure!(took <= CUT_LIMIT + MARGIN, "thawed only after {took:?}");
            Ok(())
        })
        .await?;
    failed(&order.done().await?, "cutLimit")
}

async fn whoever_cuts_late_or_never_is_not_waited_for(cluster: Cluster) -> Result<()> {
    let mut stage = Stage::set_up(cluster).await?;
    let _agent = stage.node.agent().await?;
    let knobs = stage.csi.driver().knobs();

    let app = stage.app("no-controller", 1).await?;
    stage.csi.stop(Part::SnapshotController)?;
    let status = stage
        .order("no-controller", &[limited(&app)?])
        .await?
        .done()
        .await?;
    failed(&status, "cutLimit")?;
    thawed(&app, CUT_LIMIT + MARGIN).await?;
    stage.csi.start_again(Part::SnapshotController).await?;

    let app = stage.app("hangs", 1).await?;
    knobs.hangs(Operation::CreateSnapshot)?;
    let status = stage.order("hangs", &[limited(&app)?]).await?.done().await?;
    failed(&status, "cutLimit")?;
    thawed(&app, CUT_LIMIT + MARGIN).await?;
    knobs.goes_on(Operation::CreateSnapshot)?;

    // Three seconds of errors are enough, whatever the limit is.
    let app = stage.app("refuses", 1).await?;
    knobs.fails(Operation::CreateSnapshot, 1000)?;
    let status = stage.order("refuses", &[app.unit()?]).await?.done().await?;
    failed(&status, "the driver refused")?;
    thawed(&app, Duration::from_secs(3) + MARGIN).await?;
    knobs.fails(Operation::CreateSnapshot, 0)?;

    // One error is not.
    let app = stage.app("stumbles", 1).await?;
    knobs.fails(Operation::CreateSnapshot, 1)?;
    let status = stage.order("stumbles", &[app.unit()?]).await?.done().await?;
    let unit = only_unit(&status)?;
    ensure!(unit.cuts[0].outcome == CutOutcome::Taken, "{unit:#?}");
    thawed(&app, Duration::from_secs(2) + MARGIN).await
}

fn limited(app: &App) -> Result<Value> {
    let mut unit = app.unit()?;
    unit["cutLimit"] = format!("{}s", CUT_LIMIT.as_secs()).into();
    Ok(unit)
}

fn failed(status: &NodeTaskStatus, why: &str) -> Result<()> {
    only_pod(status, Thaw::Done)?;
    let cut = &only_unit(status)?.cuts[0];
    let message = cut.message.as_deref().unwrap_or_default();
    ensure!(
        cut.outcome == CutOutcome::Failed && message.contains(why),
        "{cut:#?}"
    );
    Ok(())
}

async fn thawed(app: &App, limit: Duration) -> Result<()> {
    app.goes_on().await?;
    let frozen = app.last_pause()?;
    eprintln!("{}: frozen for {frozen:?}", app.target.pod);
    ensure!(frozen <= limit, "{} was frozen for {frozen:?}", app.target.pod);
    Ok(())
}
