//! An application whose data is only right as a whole, and what snapshots make of it without our help.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_tests::csi::{Operation, SNAPSHOT_CLASS};
use clusterbackup_tests::{Writer, writer};

use crate::runner::{CsiContext, scenarios};

scenarios! {
    Csi: [
        snapshots_that_nobody_coordinates_differ,
        snapshots_of_a_frozen_application_agree,
    ],
}

/// What the second cut takes longer than the first; the application writes meanwhile.
const APART: Duration = Duration::from_millis(500);

/// The experiment that shows what freezing is for: were these equal, nothing could be told from those that agree.
async fn snapshots_that_nobody_coordinates_differ(context: &CsiContext) -> Result<()> {
    let [first, second] = cut_in_lock_step(context, "free", async |_| Ok(())).await?;
    ensure!(first < second, "the copies end at {first} and {second}");
    Ok(())
}

async fn snapshots_of_a_frozen_application_agree(context: &CsiContext) -> Result<()> {
    let [first, second] = cut_in_lock_step(context, "frozen", Writer::freeze).await?;
    ensure!(first == second, "the copies end at {first} and {second}");
    Ok(())
}

/// Has two volumes of an application cut one after the other, and thaws it; where the copies end.
async fn cut_in_lock_step(
    context: &CsiContext,
    name: &str,
    before: impl AsyncFnOnce(&Writer) -> Result<()>,
) -> Result<[u64; 2]> {
    let first = context.csi.claim(&context.namespace, "first").await?;
    let second = context.csi.claim(&context.namespace, "second").await?;
    let knobs = context.csi.driver().knobs_of(&second.handle);
    knobs.takes(Operation::CreateSnapshot, APART)?;
    let writer = Writer::start(&context.cluster, name, &[&first.data, &second.data]).await?;
    before(&writer).await?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &first)
        .await?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &second)
        .await?;
    let mut ends = [0; 2];
    for (end, volume) in ends.iter_mut().zip([&first, &second]) {
        let taken = context.csi.taken(context.namespace.name(), &volume.claim).await?;
        *end = writer::last_record(&taken.data)?;
    }
    writer.thaw().await?;
    writer.goes_on().await?;
    Ok(ends)
}
