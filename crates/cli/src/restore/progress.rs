//! How far a restore is, in numbers.

use clusterbackup_api::RestoreStatus;
use clusterbackup_api::restore::{RestoreCounts, RestorePhase, RestoreReadiness};

use crate::runs::progress::{Picture, Row, counted};

/// How far a restore is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restoring {
    phase: Option<RestorePhase>,
    wave: Option<String>,
    counts: RestoreCounts,
    readiness: Option<RestoreReadiness>,
}

impl Restoring {
    pub(super) fn of(status: Option<&RestoreStatus>) -> Self {
        Self {
            phase: status.and_then(|status| status.phase),
            wave: status.and_then(|status| status.wave.clone()),
            counts: status.map(|status| status.counts).unwrap_or_default(),
            readiness: status.and_then(|status| status.readiness),
        }
    }
}

impl Picture for Restoring {
    fn phase(&self) -> String {
        let phase = match self.phase {
            None => "waiting for the leader",
            Some(RestorePhase::Planning) => "reading the recovery point",
            Some(RestorePhase::Running) => match &self.wave {
                Some(wave) => return format!("restoring {}", wave.to_lowercase()),
                None if self.readiness.is_some() => "waiting until it is ready",
                None => "restoring",
            },
            Some(RestorePhase::Completed) => "completed",
            Some(RestorePhase::CompletedWithWarnings) => "completed with warnings",
            Some(RestorePhase::Failed) => "failed",
            Some(RestorePhase::Cancelled) => "cancelled",
        };
        phase.to_owned()
    }

    fn rows(&self) -> Vec<Row> {
        let counts = &self.counts;
        let mut rows = vec![Row {
            name: "objects",
            done: counts.total - counts.pending,
            all: counts.total,
            remarks: counted(&[
                (counts.patched, "patched"),
                (counts.replaced, "replaced"),
                (counts.unchanged, "unchanged"),
                (counts.skipped, "skipped"),
                (counts.left_out, "left out"),
                (counts.failed, "failed"),
            ]),
        }];
        rows.extend(self.readiness.map(|readiness| Row {
            name: "ready",
            done: readiness.ready,
            all: readiness.awaited,
            remarks: Vec::new(),
        }));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::progress::line;

    #[test]
    fn a_line_says_which_wave_and_how_many_objects() {
        let running = RestoreStatus {
            phase: Some(RestorePhase::Running),
            wave: Some("Config".to_owned()),
            counts: RestoreCounts {
                total: 40,
                created: 10,
                skipped: 2,
                failed: 1,
                pending: 27,
                ..RestoreCounts::default()
            },
            ..RestoreStatus::default()
        };
        assert_eq!(
            line(&Restoring::of(Some(&running))),
            "restoring config: objects 13/40 (2 skipped, 1 failed)"
        );
        assert_eq!(line(&Restoring::of(None)), "waiting for the leader");
        let waiting = RestoreStatus {
            wave: None,
            readiness: Some(RestoreReadiness { awaited: 4, ready: 3 }),
            ..running
        };
        assert_eq!(
            line(&Restoring::of(Some(&waiting))),
            "waiting until it is ready: objects 13/40 (2 skipped, 1 failed), ready 3/4"
        );
    }
}
