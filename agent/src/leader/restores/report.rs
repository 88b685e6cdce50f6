//! The report of a restore, written into the vault of its point while the restore goes on. Lines are gathered here by whoever
//! brings objects, and leave part by part: what waits is bounded, and whoever is too fast waits for the vault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clusterbackup_api::Restore;
use clusterbackup_api::restore::ReportStatus;
use clusterbackup_core::restore::{Opening, ReportLine};
use clusterbackup_vault::point::{PointError, PointId};
use clusterbackup_vault::restore_report::{ReportId, ReportWriter};
use kube::ResourceExt as _;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::source;
use crate::leader::point_failure::PointFailure;
use crate::leader::world::World;

/// A part is written when so many bytes wait.
const FULL: usize = 1 << 20;
/// Whoever brings objects waits when so many do.
const TOO_MANY: usize = 4 << 20;
/// What waits is written after so long at the latest.
const LATEST: Duration = Duration::from_secs(5);
/// The vault may be out of reach for so long; then the report has a gap.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two attempts at a part.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the restore's end waits for the last part.
const LAST: Duration = Duration::from_secs(15);

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    /// Told when there is enough for a part, or nothing more will come.
    due: Notify,
    /// Told when there is room.
    room: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<ReportLine>,
    bytes: usize,
    /// Nobody writes, or nobody will any more.
    is_closed: bool,
    /// Nothing more will come.
    is_complete: bool,
}

impl Lines {
    /// Takes a line, as long as somebody writes them.
    pub(super) fn add(&self, line: ReportLine) {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return;
        }
        waiting.bytes += size(&line);
        waiting.lines.push(line);
        if waiting.bytes >= FULL {
            self.due.notify_one();
        }
    }

    /// Waits until there is room for more.
    pub(super) async fn room(&self) {
        loop {
            let freed = self.room.notified();
            let full = {
                let waiting = self.waiting();
                waiting.bytes >= TOO_MANY && !waiting.is_closed
            };
            if !full {
                return;
            }
            freed.await;
        }
    }

    /// Nothing more will come.
    pub(super) fn complete(&self) {
        self.waiting().is_complete = true;
        self.due.notify_one();
    }

    /// Nobody writes them.
    fn close(&self) {
        *self.waiting() = Waiting {
            is_closed: true,
            ..Waiting::default()
        };
        self.room.notify_waiters();
    }

    /// What waits by now, and whether that is all.
    fn take(&self) -> (Vec<ReportLine>, bool) {
        let mut waiting = self.waiting();
        waiting.bytes = 0;
        let lines = std::mem::take(&mut waiting.lines);
        self.room.notify_waiters();
        (lines, waiting.is_complete)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how much memory a line takes.
fn size(line: &ReportLine) -> usize {
    serde_json::to_vec(line).map_or(0, |text| text.len())
}

/// Writes lines until nothing more comes, and says what is in the vault then.
pub(super) async fn write(world: &World, restore: &Restore, lines: &Lines) -> ReportStatus {
    let status = match open(world, restore).await {
        Ok((folder, writer)) => {
            lines.add(ReportLine::Opening(opening(restore)));
            let missing = drain(writer, lines).await.err();
            ReportStatus {
                folder: Some(folder),
                missing: missing.map(|error| format!("its end could not be written: {error}")),
            }
        }
        Err(failure) => ReportStatus {
            folder: None,
            missing: Some(failure.to_string()),
        },
    };
    lines.close();
    status
}

async fn open(world: &World, restore: &Restore) -> Result<(String, ReportWriter), PointFailure> {
    let namespace = restore.namespace().unwrap_or_default();
    let point = source::find(world, &namespace, &restore.spec.recovery_point).await?;
    let vault = world.doors.open_vault_of(&world.client, &point).await?;
    let id = |text: String| PointId::new(text).map_err(|error| PointFailure::Final(error.to_string()));
    let id = ReportId::new(id(point.name_any())?, id(restore.uid().unwrap_or_default())?);
    let folder = id.folder()?.to_string();
    let writer = ReportWriter::open(vault.store().clone(), vault.seal, id).await?;
    Ok((folder, writer))
}

fn opening(restore: &Restore) -> Opening {
    let requester = restore.spec.requester.as_ref();
    Opening {
        namespace: restore.namespace().unwrap_or_default(),
        restore: restore.name_any(),
        recovery_point: restore.spec.recovery_point.clone(),
        requester: requester
            .map(|requester| requester.username.clone())
            .unwrap_or_default(),
        mode: restore.spec.mode,
    }
}

async fn drain(mut writer: ReportWriter, lines: &Lines) -> Result<(), PointError> {
    loop {
        // Too little is waited for a while longer; in the end nothing is.
        _ = timeout(LATEST, lines.due.notified()).await;
        let (part, is_all) = lines.take();
        if !part.is_empty() {
            let patience = if is_all { LAST } else { PATIENCE };
            write_part(&mut writer, part, patience).await?;
        }
        if is_all {
            return Ok(());
        }
    }
}

/// Tries for a while: a vault may be out of reach for a moment.
async fn write_part(
    writer: &mut ReportWriter,
    part: Vec<ReportLine>,
    patience: Duration,
) -> Result<(), PointError> {
    let part = Arc::new(part);
    let attempts = async {
        loop {
            match writer.write(&part).await {
                Err(error) if error.is_transient() => {
                    warn!(%error, "writing the report of a restore; trying again");
                    sleep(PAUSE).await;
                }
                done => return done,
            }
        }
    };
    match timeout(patience, attempts).await {
        Ok(done) => done,
        Err(_) => Err(PointError::Interrupted),
    }
}

#[cfg(test)]
mod tests {
    use clusterbackup_core::restore::RestorePhase;

    use super::*;

    fn filled() -> Lines {
        let lines = Lines::default();
        while lines.waiting().bytes < TOO_MANY {
            lines.add(ReportLine::End(RestorePhase::Completed));
        }
        lines
    }

    #[tokio::test]
    async fn who_is_too_fast_waits_for_the_vault() {
        let lines = filled();
        assert!(timeout(Duration::ZERO, lines.room()).await.is_err());
        let (room, taken) = tokio::join!(timeout(PATIENCE, lines.room()), async { lines.take() });
        assert!(room.is_ok() && !taken.0.is_empty() && !taken.1);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_vault_that_takes_no_report() {
        let lines = filled();
        let (room, ()) = tokio::join!(timeout(PATIENCE, lines.room()), async { lines.close() });
        assert!(room.is_ok());
        lines.add(ReportLine::End(RestorePhase::Completed));
        assert!(lines.take().0.is_empty());
    }

    #[tokio::test]
    async fn what_comes_last_is_not_waited_for() {
        let lines = Lines::default();
        lines.add(ReportLine::End(RestorePhase::Completed));
        lines.complete();
        assert!(
            timeout(Duration::from_secs(1), lines.due.notified())
                .await
                .is_ok()
        );
        assert_eq!(
            lines.take(),
            (vec![ReportLine::End(RestorePhase::Completed)], true)
        );
    }
}
