//! What the leader counts. Label values are from closed sets, never names of objects.

mod coverage;
mod protection;
mod restores;
mod vaults;
mod volumes;

use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::backup::{BackupPhase, BackupStatus, ObjectCounts};
use clusterbackup_api::restore::{HookCounts, RestoreCounts, RestorePhase};
use clusterbackup_core::coverage::{Covered, Gap};
use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

pub(super) use self::protection::{Protection, Summary};
pub(super) use self::vaults::{Contents, Newest, PointState, Verified};
use super::vault::Reason;

/// From a cut of nothing to one of hundreds of volumes.
const DURATIONS: [f64; 10] = [1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];
/// From a namespace to a large cluster.
const POINTS: [f64; 9] = [0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];
/// Cuts at one moment are milliseconds apart; a barrier that breaks, a minute.
const SKEWS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0];

const ENDS: [BackupPhase; 4] = [
    BackupPhase::Completed,
    BackupPhase::CompletedWithWarnings,
    BackupPhase::Failed,
    BackupPhase::Cancelled,
];
const UNDERWAY: [BackupPhase; 2] = [BackupPhase::Planning, BackupPhase::Running];

/// How the claim to lead changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// This process leads now.
    Acquired,
    /// It could not keep the claim.
    Lost,
    /// It gave the claim up, to stop.
    Released,
}

/// The leader's metrics.
#[derive(Debug)]
pub(super) struct Metrics {
    leading: IntGauge,
    epoch: IntGauge,
    transitions: IntCounterVec,
    backups: IntGaugeVec,
    ended: IntCounterVec,
    protection: protection::Gauges,
    coverage: coverage::Gauges,
    vaults: vaults::Metrics,
    restores: restores::Restores,
    scheduled: IntCounter,
    missed: IntCounter,
    duration: Histogram,
    volumes: IntCounterVec,
    barriers: IntCounterVec,
    skew: Histogram,
    tasks: IntGauge,
    silent: IntGauge,
    points: HistogramVec,
    objects: IntCounter,
    object_bytes: IntCounter,
    strays: IntGauge,
}

/// What came of the attempts to store a backup's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PointOutcome {
    /// Everything is in the point.
    Complete,
    /// Something is missing in it.
    Partial,
    /// There is no point.
    Failed,
    /// Somebody stopped the backup before there was one.
    Cancelled,
}

impl PointOutcome {
    const ALL: [Self; 4] = [Self::Complete, Self::Partial, Self::Failed, Self::Cancelled];

    const fn label(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What one backup contributes to a gauge, for as long as it is driven.
#[derive(Debug)]
pub(super) struct Part {
    whole: IntGauge,
    counted: i64,
}

impl Part {
    fn of(whole: &IntGauge) -> Self {
        Self {
            whole: whole.clone(),
            counted: 0,
        }
    }

    /// It contributes so much now.
    pub(super) fn set(&mut self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.whole.add(count - self.counted);
        self.counted = count;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.whole.sub(self.counted);
    }
}

impl Transition {
    const ALL: [Self; 3] = [Self::Acquired, Self::Lost, Self::Released];

    const fn label(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::Lost => "lost",
            Self::Released => "released",
        }
    }
}

impl Metrics {
    /// Registers them, all series at zero: an alert sees a first event only where there was a series before.
    pub(super) fn register(registry: &Registry) -> Result<Arc<Self>, MetricsError> {
        let metrics = Self {
            leading: registry.int_gauge(
                "clusterbackup_leader_leading",
                "Whether this process leads: 1 or 0.",
            )?,
            epoch: registry.int_gauge(
                "clusterbackup_leader_epoch",
                "The fencing epoch while leading, else 0.",
            )?,
            transitions: registry.counters(
                "clusterbackup_leader_transitions_total",
                "Changes of this process' claim to lead.",
                &["kind"],
            )?,
            backups: registry.int_gauges(
                "clusterbackup_leader_backups",
                "Backups under way, by phase.",
                &["phase"],
            )?,
            ended: registry.counters(
                "clusterbackup_leader_backups_total",
                "Backups that ended, by how.",
                &["phase"],
            )?,
            protection: protection::Gauges::register(registry)?,
            coverage: coverage::Gauges::register(registry)?,
            vaults: vaults::Metrics::register(registry)?,
            restores: restores::Restores::register(registry)?,
            scheduled: registry.counter(
                "clusterbackup_leader_scheduled_backups_total",
                "Backups that were made by schedule.",
            )?,
            missed: registry.counter(
                "clusterbackup_leader_missed_slots_total",
                "Slots of schedules that have no backup of their own, because nobody led or another backup ran.",
            )?,
            duration: registry.histogram(
                "clusterbackup_leader_backup_duration_seconds",
                "From the start of a backup to its end.",
                &DURATIONS,
            )?,
            volumes: registry.counters(
                "clusterbackup_leader_volumes_total",
                "Claims of backups that ended, by what became of them.",
                &["outcome", "reason"],
            )?,
            barriers: registry.counters(
                "clusterbackup_leader_barriers_total",
                "Freeze units with a barrier, by whether it held.",
                &["outcome"],
            )?,
            skew: registry.histogram(
                "clusterbackup_leader_barrier_skew_seconds",
                "How far apart the cuts of a barrier may be.",
                &SKEWS,
            )?,
            tasks: registry.int_gauge(
                "clusterbackup_leader_tasks",
                "NodeTasks that are not at their end.",
            )?,
            silent: registry.int_gauge(
                "clusterbackup_leader_silent_nodes",
                "Nodes whose agent has not taken up a running task, or has stopped reporting one.",
            )?,
            points: registry.histograms(
                "clusterbackup_leader_point_duration_seconds",
                "From the first attempt to store a backup's objects to what came of it.",
                &["outcome"],
                &POINTS,
            )?,
            objects: registry.counter(
                "clusterbackup_leader_objects_total",
                "Objects in recovery points that were committed.",
            )?,
            object_bytes: registry
                .counter("clusterbackup_leader_object_bytes_total", "Their size as JSON.")?,
            strays: registry.int_gauge(
                "clusterbackup_leader_stray_snapshots",
                "Snapshots that were kept for a recovery point, and that none names.",
            )?,
        };
        metrics.start_at_zero();
        Ok(Arc::new(metrics))
    }

    fn start_at_zero(&self) {
        for transition in Transition::ALL {
            self.transitions.with_label_values(&[transition.label()]);
        }
        for phase in UNDERWAY {
            self.backups.with_label_values(&[phase_label(phase)]);
        }
        for phase in ENDS {
            self.ended.with_label_values(&[phase_label(phase)]);
        }
        for (outcome, reason) in volumes::all() {
            self.volumes.with_label_values(&[outcome, reason]);
        }
        for outcome in PointOutcome::ALL {
            self.points.with_label_values(&[outcome.label()]);
        }
        for outcome in ["met", "broken"] {
            self.barriers.with_label_values(&[outcome]);
        }
    }

    /// This process leads under `epoch`.
    pub(super) fn leads(&self, epoch: i64) {
        self.leading.set(1);
        self.epoch.set(epoch);
        self.transition(Transition::Acquired);
    }

    /// It leads no more.
    pub(super) fn leads_no_more(&self, transition: Transition) {
        self.leading.set(0);
        self.epoch.set(0);
        self.transition(transition);
        self.under_way(0, 0);
        self.protection.set(&Summary::default());
        self.coverage.set(&[]);
        self.vaults.set(&Contents::default());
        self.restoring(&[]);
        self.strays(0);
    }

    /// So many snapshots are named by no recovery point.
    pub(super) fn strays(&self, count: usize) {
        self.strays.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn transition(&self, transition: Transition) {
        self.transitions.with_label_values(&[transition.label()]).inc();
    }

    /// How many backups are in which phase.
    pub(super) fn under_way(&self, planning: i64, running: i64) {
        for (phase, count) in UNDERWAY.into_iter().zip([planning, running]) {
            self.backups.with_label_values(&[phase_label(phase)]).set(count);
        }
    }

    /// Where restores stand.
    pub(super) fn restoring(&self, phases: &[Option<RestorePhase>]) {
        self.restores.under_way(phases);
    }

    /// Counts the commands of hooks of a restore that ended.
    pub(super) fn restore_hooks(&self, counts: &HookCounts) {
        self.restores.hooks(counts);
    }

    /// Counts a restore that ended.
    pub(super) fn restored(&self, phase: RestorePhase, counts: &RestoreCounts, took: Option<Duration>) {
        self.restores.ended(phase, counts, took);
    }

    /// How well all instances are protected.
    pub(super) fn protects(&self, summary: &Summary) {
        self.protection.set(summary);
    }

    /// What everything in the cluster lacks.
    pub(super) fn covers(&self, found: &[(Covered<'_>, Option<Gap>)]) {
        self.coverage.set(found);
    }

    /// What all vaults have.
    pub(super) fn keeps(&self, contents: &Contents) {
        self.vaults.set(contents);
    }

    /// Counts a try of a vault.
    pub(super) fn tried(&self, reason: Reason) {
        self.vaults.checked(reason);
    }

    /// Counts a point that its vault has lost.
    pub(super) fn lost(&self) {
        self.vaults.lost.inc();
    }

    /// Counts a point that was read again, and its bytes.
    pub(super) fn verified(&self, outcome: Verified, bytes: u64) {
        self.vaults.verified(outcome, bytes);
    }

    /// Counts a backup that was made by schedule, and the slots before it that have none.
    pub(super) fn scheduled(&self, missed: usize) {
        self.scheduled.inc();
        self.missed.inc_by(u64::try_from(missed).unwrap_or(u64::MAX));
    }

    /// One backup's part of the tasks that are not at their end.
    pub(super) fn tasks(&self) -> Part {
        Part::of(&self.tasks)
    }

    /// One backup's part of the nodes that are silent.
    pub(super) fn silent(&self) -> Part {
        Part::of(&self.silent)
    }

    /// Counts what came of storing objects.
    pub(super) fn stored(&self, outcome: PointOutcome, took: Duration) {
        self.points
            .with_label_values(&[outcome.label()])
            .observe(took.as_secs_f64());
    }

    /// Counts the objects of a point.
    pub(super) fn holds(&self, counts: &ObjectCounts) {
        self.objects.inc_by(counts.stored);
        self.object_bytes.inc_by(counts.bytes);
    }

    /// Counts a backup that ended with `status`.
    pub(super) fn ended(&self, status: &BackupStatus, took: Option<Duration>) {
        if let Some(phase) = status.phase {
            self.ended.with_label_values(&[phase_label(phase)]).inc();
        }
        if let Some(took) = took {
            self.duration.observe(took.as_secs_f64());
        }
        for volume in &status.volumes {
            let (outcome, reason) = volumes::labels(volume);
            self.volumes.with_label_values(&[outcome, reason]).inc();
        }
        for barrier in &status.barriers {
            let outcome = if barrier.met { "met" } else { "broken" };
            self.barriers.with_label_values(&[outcome]).inc();
            if let Some(skew) = barrier.skew_millis {
                self.skew.observe(Duration::from_millis(skew).as_secs_f64());
            }
        }
    }
}

const fn phase_label(phase: BackupPhase) -> &'static str {
    match phase {
        BackupPhase::Planning => "planning",
        BackupPhase::Running => "running",
        BackupPhase::Completed => "completed",
        BackupPhase::CompletedWithWarnings => "completed_with_warnings",
        BackupPhase::Failed => "failed",
        BackupPhase::Cancelled => "cancelled",
    }
}
