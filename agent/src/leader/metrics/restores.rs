//! Restores: those under way, how others ended, and what became of their objects.

use std::time::Duration;

use clusterbackup_api::restore::{HookCounts, RestoreCounts, RestorePhase};
use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{Histogram, IntCounterVec, IntGaugeVec};

/// In seconds: from a handful of objects to a whole cluster.
const DURATIONS: [f64; 10] = [1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 7200.0];
const UNDERWAY: [RestorePhase; 2] = [RestorePhase::Planning, RestorePhase::Running];
const ENDS: [RestorePhase; 4] = [
    RestorePhase::Completed,
    RestorePhase::CompletedWithWarnings,
    RestorePhase::Failed,
    RestorePhase::Cancelled,
];

/// The metrics.
#[derive(Debug)]
pub(super) struct Restores {
    underway: IntGaugeVec,
    ended: IntCounterVec,
    objects: IntCounterVec,
    duration: Histogram,
    hooks: IntCounterVec,
}

impl Restores {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let restores = Self {
            underway: registry.int_gauges(
                "clusterbackup_leader_restores",
                "Restores under way, by phase.",
                &["phase"],
            )?,
            ended: registry.counters(
                "clusterbackup_leader_restores_total",
                "Restores that ended, by how.",
                &["phase"],
            )?,
            objects: registry.counters(
                "clusterbackup_leader_restored_objects_total",
                "Objects of restores that ended, by what became of them.",
                &["action"],
            )?,
            duration: registry.histogram(
                "clusterbackup_leader_restore_duration_seconds",
                "From the start of a restore to its end.",
                &DURATIONS,
            )?,
            hooks: registry.counters(
                "clusterbackup_leader_restore_hooks_total",
                "Commands of restore hooks of restores that ended, by what became of them.",
                &["outcome"],
            )?,
        };
        restores.under_way(&[]);
        for phase in ENDS {
            restores.ended.with_label_values(&[label(phase)]);
        }
        restores.came_to(&RestoreCounts::default());
        restores.hooks(&HookCounts::default());
        Ok(restores)
    }

    /// Where those stand that are not at their end.
    pub(super) fn under_way(&self, phases: &[Option<RestorePhase>]) {
        for phase in UNDERWAY {
            let count = phases.iter().filter(|known| **known == Some(phase)).count();
            let gauge = self.underway.with_label_values(&[label(phase)]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Counts one that ended.
    pub(super) fn ended(&self, phase: RestorePhase, counts: &RestoreCounts, took: Option<Duration>) {
        self.ended.with_label_values(&[label(phase)]).inc();
        self.came_to(counts);
        if let Some(took) = took {
            self.duration.observe(took.as_secs_f64());
        }
    }

    /// Counts what became of commands.
    pub(super) fn hooks(&self, counts: &HookCounts) {
        for (outcome, count) in [
            ("succeeded", counts.succeeded),
            ("failed", counts.failed),
            ("not_run", counts.not_run),
        ] {
            self.hooks.with_label_values(&[outcome]).inc_by(count);
        }
    }

    fn came_to(&self, counts: &RestoreCounts) {
        for (action, count) in [
            ("created", counts.created),
            ("patched", counts.patched),
            ("replaced", counts.replaced),
            ("unchanged", counts.unchanged),
            ("skipped", counts.skipped),
            ("left_out", counts.left_out),
            ("failed", counts.failed),
            ("pending", counts.pending),
        ] {
            self.objects.with_label_values(&[action]).inc_by(count);
        }
    }
}

const fn label(phase: RestorePhase) -> &'static str {
    match phase {
        RestorePhase::Planning => "planning",
        RestorePhase::Running => "running",
        RestorePhase::Completed => "completed",
        RestorePhase::CompletedWithWarnings => "completed_with_warnings",
        RestorePhase::Failed => "failed",
        RestorePhase::Cancelled => "cancelled",
    }
}
