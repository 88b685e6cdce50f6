//! The same objects backed up by Velero, in turn with us. Velero's server runs all the time, as it is made to.

use std::time::Instant;

use anyhow::Result;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::velero::Velero;
use serde_json::json;

use super::ours::{Ground, Measured};
use super::{Figures, data, load, seconds};

const OBJECTS: u32 = 10_000;
const ROUNDS: usize = 3;

pub(crate) async fn run() -> Result<()> {
    let ground = Ground::set_up(Cluster::start().await?).await?;
    let velero = Velero::install(&ground.cluster).await?;
    let before = Memory::of(velero.process_id())?.resident;
    data::fill(&ground.namespace, 0..OBJECTS).await?;
    let spec = json!({ "includedNamespaces": [ground.namespace.name()], "snapshotVolumes": false });
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(ground.back_up().await?);
        let begun = Instant::now();
        velero.back_up(&format!("bench-{round}"), &spec).await?;
        theirs.push(begun.elapsed().as_secs_f64());
    }
    let memory = Memory::of(velero.process_id())?;
    let most = |ours: &Measured| ours.memory;
    println!("\nall objects of a namespace, {ROUNDS} backups each in turn: median (least-most)");
    println!(
        "{:<10} {:>20} {:>20} {:>18}",
        "", "ours", "Velero's", "theirs by ours"
    );
    println!(
        "{:<10} {:>20.2} {:>20.2} {:>18.2}",
        "s",
        ours.iter().map(seconds).collect::<Figures>(),
        theirs.iter().copied().collect::<Figures>(),
        ours.iter()
            .zip(&theirs)
            .map(|(ours, theirs)| theirs / seconds(ours))
            .collect::<Figures>()
    );
    println!(
        "{:<10} {:>20.1} {:>20.1} {:>18.2}",
        "most MB",
        ours.iter().map(most).collect::<Figures>(),
        memory.most,
        ours.iter()
            .map(|ours| memory.most / ours.memory)
            .collect::<Figures>()
    );
    println!(
        "{} objects of {:.1} MB; Velero's server had {before:.1} MB before, its plugin's process is not counted; load {}",
        ours[0].objects,
        ours[0].bytes,
        load()?
    );
    Ok(())
}
