//! What a unit writes down before its first pre hook: the entries of all its pods, or none of them.

use std::time::Duration;

use clusterbackup_api::node_task::{FreezeUnit, PodOrder};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::error;

use super::signal::ThawSignal;
use super::work::Work;
use crate::journal::{Entry, JournalError, Opened};

/// A pod that another backup has frozen is looked at again this often.
const LOOK: Duration = Duration::from_millis(100);

/// Writes the entries of a unit's pods: one for each pod, in the order of the unit; none where there is nothing to undo.
///
/// A pod that another backup has frozen is waited for, as long as this unit may be frozen itself. Nothing is held
/// meanwhile, so that two backups never wait for each other.
pub(super) async fn entries(
    work: &Work,
    unit: &FreezeUnit,
    thaw: &ThawSignal,
) -> Result<Vec<Option<Opened>>, JournalError> {
    let began = Instant::now();
    loop {
        let (journal, wanted) = (work.journal.clone(), wanted(work, unit));
        let written = spawn_blocking(move || {
            let mut entries = Vec::with_capacity(wanted.len());
            for entry in wanted {
                match entry.map(|entry| journal.begin(entry)).transpose() {
                    Ok(entry) => entries.push(entry),
                    Err(error) => {
                        entries.into_iter().flatten().for_each(withdraw);
                        return Err(error);
                    }
                }
            }
            Ok(entries)
        });
        let written = match written.await {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        match written {
            Err(JournalError::Taken(_))
                if began.elapsed() < unit.max_freeze.duration() && !thaw.is_given() =>
            {
                sleep(LOOK).await;
            }
            Err(error) => {
                if !matches!(error, JournalError::Taken(_)) {
                    work.means.metrics.journal_failures.inc();
                    error!(%error, unit = unit.name, "nothing is frozen without a journal");
                }
                return Err(error);
            }
            Ok(entries) => return Ok(entries),
        }
    }
}

fn wanted(work: &Work, unit: &FreezeUnit) -> Vec<Option<Entry>> {
    let pods = unit.pods.iter();
    pods.map(|pod| is_frozen(pod).then(|| entry(work, unit, pod)))
        .collect()
}

/// Whether there will be something to undo.
pub(super) fn is_frozen(pod: &PodOrder) -> bool {
    !pod.pre.is_empty() && !pod.post.is_empty()
}

/// What the journal says of a pod that is frozen from now on.
pub(super) fn entry(work: &Work, unit: &FreezeUnit, pod: &PodOrder) -> Entry {
    let clock = &work.means.clock;
    Entry {
        task: work.task.clone(),
        task_uid: work.task_uid.clone(),
        backup: work.backup.clone(),
        unit: unit.name.clone(),
        pod: pod.clone(),
        boot: clock.boot().to_owned(),
        frozen_at_millis: u64::try_from(clock.uptime().as_millis()).unwrap_or(u64::MAX),
        max_freeze: unit.max_freeze,
    }
}

/// Nothing was frozen for it.
fn withdraw(entry: Opened) {
    if let Err(error) = entry.close() {
        error!(%error, "an entry could not be withdrawn; its pod will be thawed without need");
    }
}
