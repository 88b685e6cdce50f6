//! The parts of the fixture stop, hang and come back.

use anyhow::{Result, ensure};
use clusterbackup_tests::csi::{Operation, Part, SNAPSHOT_CLASS, Volume};
use clusterbackup_tests::{Cluster, Csi, eventually};

use super::steps::LIMIT;
use crate::runner::{CsiContext, scenarios};

scenarios! {
    Csi: [a_hanging_driver_cuts_when_it_goes_on],
    Own: [
        a_driver_that_was_killed_makes_the_cut_when_it_is_back,
        without_the_snapshot_controller_nothing_is_cut,
    ],
}

async fn a_hanging_driver_cuts_when_it_goes_on(context: &CsiContext) -> Result<()> {
    let volume = context.csi.claim(&context.namespace, "hangs").await?;
    let knobs = context.csi.driver().knobs_of(&volume.handle);
    knobs.hangs(Operation::CreateSnapshot)?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &volume)
        .await?;
    until_a_cut_has_begun(&context.csi, &volume).await?;
    std::fs::write(volume.data.join("file"), "written while it hung")?;
    knobs.goes_on(Operation::CreateSnapshot)?;
    let taken = context.csi.taken(context.namespace.name(), "hangs").await?;
    ensure!(taken.data.join("file").exists(), "it was cut before it went on");
    Ok(())
}

async fn a_driver_that_was_killed_makes_the_cut_when_it_is_back(cluster: Cluster) -> Result<()> {
    let mut csi = Csi::start(&cluster).await?;
    let namespace = cluster.namespace("killed").await?;
    let volume = csi.claim(&namespace, "data").await?;
    let knobs = csi.driver().knobs();
    knobs.hangs(Operation::CreateSnapshot)?;
    csi.ask(&namespace, SNAPSHOT_CLASS, &volume).await?;
    until_a_cut_has_begun(&csi, &volume).await?;
    csi.stop(Part::Driver)?;
    knobs.goes_on(Operation::CreateSnapshot)?;
    csi.start_again(Part::Driver).await?;
    csi.taken(namespace.name(), "data").await?;
    csi.claim(&namespace, "another").await.map(drop)
}

async fn without_the_snapshot_controller_nothing_is_cut(cluster: Cluster) -> Result<()> {
    let mut csi = Csi::start(&cluster).await?;
    let namespace = cluster.namespace("uncontrolled").await?;
    let volume = csi.claim(&namespace, "data").await?;
    csi.stop(Part::SnapshotController)?;
    csi.ask(&namespace, SNAPSHOT_CLASS, &volume).await?;
    // Whatever else is asked for meanwhile is there, so it had the time.
    csi.claim(&namespace, "another").await?;
    let calls = csi.driver().calls()?;
    ensure!(
        calls.iter().all(|call| call.operation != "CreateSnapshot"),
        "{calls:?}"
    );
    csi.start_again(Part::SnapshotController).await?;
    csi.taken(namespace.name(), "data").await.map(drop)
}

async fn until_a_cut_has_begun(csi: &Csi, volume: &Volume) -> Result<()> {
    eventually("the cut has begun", LIMIT, || async {
        let calls = csi.driver().calls()?;
        let begun = calls
            .iter()
            .any(|call| call.operation == "CreateSnapshot" && call.volumes.contains(&volume.handle));
        ensure!(begun, "{calls:?}");
        Ok(())
    })
    .await
}
