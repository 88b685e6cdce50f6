//! How far a backup is, in numbers.

use clusterbackup_api::backup::{BackupPhase, BackupStatus, Counts, ObjectCounts};

use super::words::stored;
use crate::runs::progress::{Picture, Row, counted};

/// How far a backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backing {
    phase: Option<BackupPhase>,
    counts: Counts,
    objects: ObjectCounts,
}

impl Backing {
    pub(super) fn of(status: Option<&BackupStatus>) -> Self {
        Self {
            phase: status.and_then(|status| status.phase),
            counts: status.map(|status| status.counts.clone()).unwrap_or_default(),
            objects: status.and_then(|status| status.objects).unwrap_or_default(),
        }
    }
}

impl Picture for Backing {
    fn phase(&self) -> String {
        let phase = match self.phase {
            None => "waiting for the leader",
            Some(BackupPhase::Planning) => "planning",
            Some(BackupPhase::Running) => "running",
            Some(BackupPhase::Completed) => "completed",
            Some(BackupPhase::CompletedWithWarnings) => "completed with warnings",
            Some(BackupPhase::Failed) => "failed",
            Some(BackupPhase::Cancelled) => "cancelled",
        };
        phase.to_owned()
    }

    fn rows(&self) -> Vec<Row> {
        let (counts, objects) = (&self.counts, &self.objects);
        vec![
            Row {
                name: "pods",
                done: counts.thawed.into(),
                all: counts.pods.into(),
                remarks: Vec::new(),
            },
            Row {
                name: "hooks",
                done: (counts.hooks_succeeded + counts.hooks_failed).into(),
                all: counts.hooks.into(),
                remarks: counted(&[(counts.hooks_failed.into(), "failed")]),
            },
            Row {
                name: "cuts",
                done: (counts.taken + counts.failed + counts.skipped).into(),
                all: counts.claims.into(),
                remarks: counted(&[
                    (counts.skipped.into(), "skipped"),
                    (counts.failed.into(), "failed"),
                ]),
            },
            Row {
                name: "kinds",
                done: objects.kinds.into(),
                all: objects.kinds_total.into(),
                remarks: vec![stored(objects)],
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::progress::line;

    fn running() -> BackupStatus {
        BackupStatus {
            phase: Some(BackupPhase::Running),
            counts: Counts {
                pods: 5,
                thawed: 3,
                hooks: 12,
                hooks_succeeded: 6,
                hooks_failed: 1,
                claims: 9,
                taken: 3,
                skipped: 1,
                failed: 0,
            },
            objects: Some(ObjectCounts {
                stored: 3420,
                bytes: 13_000_000,
                kinds: 12,
                kinds_total: 40,
                kinds_unread: 0,
            }),
            ..BackupStatus::default()
        }
    }

    #[test]
    fn a_line_says_what_is_done_and_what_went_wrong() {
        for (status, expected) in [
            (None, "waiting for the leader"),
            (Some(BackupStatus::default()), "waiting for the leader"),
            (
                Some(running()),
                "running: pods 3/5, hooks 7/12 (1 failed), cuts 4/9 (1 skipped), kinds 12/40 (3420 objects, 12.40 MiB)",
            ),
            (
                Some(BackupStatus {
                    phase: Some(BackupPhase::Completed),
                    ..BackupStatus::default()
                }),
                "completed",
            ),
        ] {
            assert_eq!(line(&Backing::of(status.as_ref())), expected);
        }
    }
}
