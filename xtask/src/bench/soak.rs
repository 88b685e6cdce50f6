//! Reviews at a restore's pace for many minutes: whether memory grows, and whether answers take longer in time.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_tests::memory::Memory;
use tokio::time::sleep;

use super::installed::{CHANGING, IDLE, Installed};
use super::load::{Pace, Report};
use super::review::{CONNECTIONS, body, milliseconds, review, target};

const MINUTE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PER_SECOND: u32 = 1000;
/// Caches and allocator come to rest in the first minute; the second is what others are compared with.
const COMPARED: usize = 1;
/// What a minute's mean may differ by without anything having been lost, in MB.
const NOISE: f64 = 1.0;

/// What was measured in a minute, memory as the mean of its seconds.
struct Minute {
    report: Report,
    memory: Memory,
    page_faults: u64,
}

pub(super) async fn run(installed: &Installed, minutes: u32) -> Result<()> {
    println!("\n{PER_SECOND} reviews of 5 KB a second for {minutes} minutes, three rules and none in turn");
    println!(
        "{:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "minute", "per s", "p50 ms", "p99 ms", "max ms", "RSS MB", "anonymous", "page faults"
    );
    let mut all = Vec::new();
    for number in 1..=minutes {
        let minute = minute(installed).await?;
        println!(
            "{number:>6} {:>9.0} {:>9.3} {:>9.3} {:>9.3} {:>9.2} {:>9.2} {:>12}",
            minute.report.per_second(),
            milliseconds(minute.report.permille(500)),
            milliseconds(minute.report.permille(990)),
            milliseconds(minute.report.longest()),
            minute.memory.resident,
            minute.memory.anonymous,
            minute.page_faults,
        );
        all.push(minute.memory);
    }
    judge(&all)
}

async fn minute(installed: &Installed) -> Result<Minute> {
    let review = review()?;
    let bodies = [body(&review, CHANGING), body(&review, IDLE)];
    let target = target(installed).await?;
    let faults = installed.page_faults()?;
    let mut seen = Vec::new();
    let looking = async {
        loop {
            match installed.memory() {
                Ok(memory) => seen.push(memory),
                Err(error) => return error,
            }
            sleep(LOOK_EVERY).await;
        }
    };
    let report = tokio::select! {
        report = target.load(&bodies, CONNECTIONS, Pace::PerSecond(PER_SECOND), MINUTE) => report?,
        error = looking => return Err(error),
    };
    Ok(Minute {
        report,
        memory: mean(&seen),
        page_faults: installed.page_faults()? - faults,
    })
}

fn mean(looks: &[Memory]) -> Memory {
    let count = f64::from(u32::try_from(looks.len().max(1)).unwrap_or(u32::MAX));
    let mean = |of: fn(&Memory) -> f64| looks.iter().map(of).sum::<f64>() / count;
    Memory {
        resident: mean(|memory| memory.resident),
        anonymous: mean(|memory| memory.anonymous),
        most: looks.iter().map(|memory| memory.most).fold(0.0, f64::max),
    }
}

/// Compares the second minute with the last.
fn judge(minutes: &[Memory]) -> Result<()> {
    let (Some(early), Some(late)) = (minutes.get(COMPARED), minutes.last()) else {
        return Ok(());
    };
    let resident = late.resident - early.resident;
    let anonymous = late.anonymous - early.anonymous;
    println!("from minute 2 to the last: RSS {resident:+.2} MB, of it anonymous {anonymous:+.2} MB");
    ensure!(
        resident < NOISE && anonymous < NOISE,
        "memory grows by more than {NOISE} MB"
    );
    println!("no growth");
    Ok(())
}
