//! What the agent and its watchdog both count: commands, thaws, and what the journal holds. What the agent alone does
//! is in `node::metrics`.

use std::sync::Arc;

use clusterbackup_api::node_task::{ExecOutcome, Killed, Stage, Thaw};
use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge};

use crate::runtime::Finished;

/// A command takes 20 ms at least; the longest time-outs are minutes.
const COMMAND_BUCKETS: [f64; 12] = [
    0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

const OUTCOMES: [ExecOutcome; 6] = [
    ExecOutcome::Succeeded,
    ExecOutcome::Failed,
    ExecOutcome::TimedOut,
    ExecOutcome::OutputTooLarge,
    ExecOutcome::NotStarted,
    ExecOutcome::Lost,
];
const STAGES: [Stage; 3] = [Stage::Pre, Stage::Post, Stage::Restore];
const KILLED: [Killed; 3] = [Killed::KilledAll, Killed::Escaped, Killed::NotKillable];
const THAWS: [Thaw; 5] = [
    Thaw::Done,
    Thaw::ByWatchdog,
    Thaw::ByReplay,
    Thaw::PodGone,
    Thaw::Acknowledged,
];

/// The metrics of whoever thaws.
#[derive(Debug)]
pub struct Metrics {
    hooks: IntCounterVec,
    hook_duration: HistogramVec,
    ended: IntCounterVec,
    thaws: IntCounterVec,
    /// Open entries of the journal.
    pub frozen: IntGauge,
    /// Of these, beyond their maxFreeze.
    pub overdue: IntGauge,
    /// Undos that have failed and are tried again by this process.
    pub undo_pending: IntGauge,
    /// Entries that were set aside.
    pub quarantined: IntGauge,
    /// Entries that could not be written, read or removed.
    pub journal_failures: IntCounter,
}

impl Metrics {
    /// Registers them, those of closed sets at zero: an alert sees a first event only where there was a series before.
    pub fn register(registry: &Registry) -> Result<Arc<Self>, MetricsError> {
        let metrics = Self {
            hooks: registry.counters(
                "clusterbackup_agent_hooks_total",
                "Tries of hooks' commands.",
                &["stage", "outcome"],
            )?,
            hook_duration: registry.histograms(
                "clusterbackup_agent_hook_duration_seconds",
                "How long a try of a hook's command took.",
                &["stage"],
                &COMMAND_BUCKETS,
            )?,
            ended: registry.counters(
                "clusterbackup_agent_hooks_ended_total",
                "Commands that had to be ended, by what became of their processes.",
                &["processes"],
            )?,
            thaws: registry.counters(
                "clusterbackup_agent_thaws_total",
                "Pods that run freely again.",
                &["by"],
            )?,
            frozen: registry.int_gauge(
                "clusterbackup_agent_frozen_pods",
                "Pods that are to be thawed, by the journal.",
            )?,
            overdue: registry.int_gauge(
                "clusterbackup_agent_overdue_pods",
                "Pods that are frozen for longer than their maxFreeze.",
            )?,
            undo_pending: registry.int_gauge(
                "clusterbackup_agent_undo_pending_pods",
                "Pods whose undo has failed and is tried again.",
            )?,
            quarantined: registry.int_gauge(
                "clusterbackup_agent_journal_quarantined",
                "Journal entries that were set aside, since they can't be read.",
            )?,
            journal_failures: registry.counter(
                "clusterbackup_agent_journal_failures_total",
                "Journal entries that could not be written, read or removed.",
            )?,
        };
        metrics.start_at_zero();
        Ok(Arc::new(metrics))
    }

    fn start_at_zero(&self) {
        for stage in STAGES {
            self.hook_duration.with_label_values(&[stage_label(stage)]);
            for outcome in OUTCOMES {
                self.hooks
                    .with_label_values(&[stage_label(stage), outcome_label(outcome)]);
            }
        }
        for killed in KILLED {
            self.ended.with_label_values(&[killed_label(killed)]);
        }
        for thaw in THAWS {
            self.thaws.with_label_values(&[thaw_label(thaw)]);
        }
    }

    /// Counts one try of a command.
    pub fn hook(&self, stage: Stage, finished: &Finished) {
        let stage = stage_label(stage);
        self.hooks
            .with_label_values(&[stage, outcome_label(finished.outcome)])
            .inc();
        self.hook_duration
            .with_label_values(&[stage])
            .observe(finished.took.as_secs_f64());
        if let Some(killed) = finished.killed {
            self.ended.with_label_values(&[killed_label(killed)]).inc();
        }
    }

    /// Counts one pod that runs freely again.
    pub fn thaw(&self, thaw: Thaw) {
        if THAWS.contains(&thaw) {
            self.thaws.with_label_values(&[thaw_label(thaw)]).inc();
        }
    }
}

const fn stage_label(stage: Stage) -> &'static str {
    match stage {
        Stage::Pre => "pre",
        Stage::Post => "post",
        Stage::Restore => "restore",
    }
}

const fn outcome_label(outcome: ExecOutcome) -> &'static str {
    match outcome {
        ExecOutcome::Running => "running",
        ExecOutcome::Succeeded => "succeeded",
        ExecOutcome::Failed => "failed",
        ExecOutcome::TimedOut => "timed_out",
        ExecOutcome::OutputTooLarge => "output_too_large",
        ExecOutcome::NotStarted => "not_started",
        ExecOutcome::Lost => "lost",
    }
}

const fn killed_label(killed: Killed) -> &'static str {
    match killed {
        Killed::KilledAll => "killed_all",
        Killed::Escaped => "escaped",
        Killed::NotKillable => "not_killable",
    }
}

const fn thaw_label(thaw: Thaw) -> &'static str {
    match thaw {
        Thaw::NotNeeded => "not_needed",
        Thaw::Pending => "pending",
        Thaw::Done => "agent",
        Thaw::ByWatchdog => "watchdog",
        Thaw::ByReplay => "replay",
        Thaw::PodGone => "pod_gone",
        Thaw::Acknowledged => "acknowledged",
    }
}
