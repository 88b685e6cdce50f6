//! What a leader takes to store the objects of an instance in a vault: its time beside that of a client that only reads
//! the same lists, its memory, and how both grow with the objects.

mod bare;
mod data;
mod ours;
pub(super) mod velero;

use std::time::Duration;

use anyhow::Result;
use clusterbackup_tests::Cluster;

use self::ours::{Ground, Measured};
use super::figures::{Figures, load};

const ROUNDS: usize = 5;
/// What a leader may take, in MB.
const MEMORY: u32 = 256;

pub(super) async fn run(sizes: &[u32]) -> Result<()> {
    let ground = Ground::set_up(Cluster::start().await?).await?;
    println!(
        "\nall objects of an instance into a vault in a folder, a new leader for each of {ROUNDS} rounds: median (least-most)"
    );
    println!(
        "{:>8} {:>8} {:>20} {:>20} {:>18} {:>16} {:>16} {:>10} {:>6}",
        "objects", "MB", "bare list s", "leader s", "by bare", "MB/s", "most RSS MB", "stored MB", "load"
    );
    let mut there = 0;
    for &size in sizes {
        data::fill(&ground.namespace, there..size).await?;
        there = there.max(size);
        row(&ground).await?;
    }
    println!("goals: at most 1.3 by bare, and {MEMORY} MB");
    Ok(())
}

/// A bare list and a backup in turn.
async fn row(ground: &Ground) -> Result<()> {
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            bare.push(bare::list(ground).await?);
        }
        ours.push(ground.back_up().await?);
        if round % 2 == 1 {
            bare.push(bare::list(ground).await?);
        }
    }
    let of = |what: fn(&Measured) -> f64| ours.iter().map(what).collect::<Figures>();
    let ratios = ours
        .iter()
        .zip(&bare)
        .map(|(ours, bare)| seconds(ours) / bare.as_secs_f64());
    let last = &ours[ROUNDS - 1];
    println!(
        "{:>8} {:>8.1} {:>20.2} {:>20.2} {:>18.2} {:>16.0} {:>16.1} {:>10.1} {:>6}",
        last.objects,
        last.bytes,
        bare.iter().map(Duration::as_secs_f64).collect::<Figures>(),
        of(seconds),
        ratios.collect::<Figures>(),
        of(|ours| ours.bytes / seconds(ours)),
        of(|ours| ours.memory),
        last.stored,
        load()?
    );
    Ok(())
}

fn seconds(measured: &Measured) -> f64 {
    measured.took.as_secs_f64()
}
