//! Which leader an agent listens to: the latest that it has heard of, in what is new; what is frozen is finished,
//! whoever asked for it.

use anyhow::{Result, ensure};
use clusterbackup_api::node_task::{Consistency, NodeTaskStatus, Thaw};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::stage::{App, Stage, only_pod, only_unit};

use crate::runner::scenarios;

scenarios! {
    Own: [new_work_of_an_older_leader_is_not_begun_and_what_it_froze_is_finished],
}

/// The epochs of a leader that has lost, and of the one after it.
const OLD: i64 = 3;
const NEW: i64 = 4;

async fn new_work_of_an_older_leader_is_not_begun_and_what_it_froze_is_finished(
    cluster: Cluster,
) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let agent = stage.node.agent().await?;
    let (first, second, third) = (
        stage.app("first", 1).await?,
        stage.app("second", 1).await?,
        stage.app("third", 1).await?,
    );
    let order = async |epoch, app: &App| {
        let units = [app.unit()?];
        stage
            .order_under(epoch, &stage.node, &app.target.pod, &units)
            .await
    };
    let hanging = stage.csi.driver().knobs_of(&first.volumes[0].handle);
    hanging.hangs(Operation::CreateSnapshot)?;
    let begun = order(OLD, &first).await?;
    first.freezes().await?;

    let new = order(NEW, &second).await?;
    consistent(&new.done().await?)?;
    // The agent is told of this one before the next.
    let late = order(OLD, &third).await?;
    let fourth = stage.app("fourth", 1).await?;
    consistent(&order(NEW, &fourth).await?.done().await?)?;
    let status = late.status().await?;
    ensure!(status == NodeTaskStatus::default(), "{status:#?}");
    ensure!(third.pauses()?.is_empty(), "{:?}", third.pauses()?);

    hanging.goes_on(Operation::CreateSnapshot)?;
    consistent(&begun.done().await?)?;
    ensure!(third.pauses()?.is_empty(), "{:?}", third.pauses()?);
    late.adopt(NEW).await?;
    let status = late.done().await?;
    consistent(&status)?;
    ensure!(status.observed_epoch == NEW, "{status:#?}");
    let counts = agent.counts().await?;
    ensure!(counts.get("clusterbackup_agent_epoch") == 4, "{counts:?}");
    Ok(())
}

/// Cut while it was frozen, and thawed.
fn consistent(status: &NodeTaskStatus) -> Result<()> {
    only_pod(status, Thaw::Done)?;
    let cut = &only_unit(status)?.cuts[0];
    ensure!(
        cut.consistency == Some(Consistency::ApplicationConsistent),
        "{status:#?}"
    );
    Ok(())
}
