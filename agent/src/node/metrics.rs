//! What the agent alone counts: tasks, frozen times, cuts.

use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::node_task::{CutOrder, CutOutcome};
use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGauge};

/// A freeze takes as long as the driver's cut and some 100 ms; a minute by default at most.
const FROZEN_BUCKETS: [f64; 12] = [0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0];
const CUT_BUCKETS: [f64; 11] = [0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0];

const KINDS: [&str; 2] = ["single", "group"];

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskOutcome {
    /// Its work was done, whatever came of it.
    Done,
    /// It was not begun, and won't be.
    Refused,
}

/// The metrics of the node role.
#[derive(Debug)]
pub struct NodeMetrics {
    /// Tasks in work.
    pub(super) tasks: IntGauge,
    /// The highest epoch seen.
    pub(super) epoch: IntGauge,
    ended: IntCounterVec,
    frozen: Histogram,
    cuts: IntCounterVec,
    cut_duration: HistogramVec,
}

impl NodeMetrics {
    /// Registers them, those of closed sets at zero.
    pub fn register(registry: &Registry) -> Result<Arc<Self>, MetricsError> {
        let metrics = Self {
            tasks: registry.int_gauge("clusterbackup_agent_tasks", "NodeTasks in work.")?,
            epoch: registry.int_gauge("clusterbackup_agent_epoch", "The highest leader's epoch seen.")?,
            ended: registry.counters(
                "clusterbackup_agent_tasks_total",
                "NodeTasks that have ended.",
                &["outcome"],
            )?,
            frozen: registry.histogram(
                "clusterbackup_agent_frozen_seconds",
                "How long a pod was frozen: from its first pre hook to the end of its undo.",
                &FROZEN_BUCKETS,
            )?,
            cuts: registry.counters(
                "clusterbackup_agent_cuts_total",
                "Claims to be cut, by what came of it.",
                &["kind", "outcome"],
            )?,
            cut_duration: registry.histograms(
                "clusterbackup_agent_cut_duration_seconds",
                "From the request of a cut to the moment that it was seen taken.",
                &["kind"],
                &CUT_BUCKETS,
            )?,
        };
        for outcome in [TaskOutcome::Done, TaskOutcome::Refused] {
            metrics.ended.with_label_values(&[task_label(outcome)]);
        }
        for kind in KINDS {
            metrics.cut_duration.with_label_values(&[kind]);
            for outcome in [CutOutcome::Taken, CutOutcome::Failed, CutOutcome::NotBegun] {
                metrics.cuts.with_label_values(&[kind, cut_label(outcome)]);
            }
        }
        Ok(Arc::new(metrics))
    }

    /// Counts a task that has ended.
    pub(super) fn ended(&self, outcome: TaskOutcome) {
        self.ended.with_label_values(&[task_label(outcome)]).inc();
    }

    /// Counts a pod that was frozen.
    pub(super) fn frozen(&self, took: Duration) {
        self.frozen.observe(took.as_secs_f64());
    }

    /// Counts the claims of a cut.
    pub(super) fn cut(&self, order: &CutOrder, outcome: CutOutcome, took: Duration) {
        let kind = if order.group_labels.is_some() {
            "group"
        } else {
            "single"
        };
        let claims = u64::try_from(order.claims.len()).unwrap_or_default();
        self.cuts
            .with_label_values(&[kind, cut_label(outcome)])
            .inc_by(claims);
        if outcome == CutOutcome::Taken {
            self.cut_duration
                .with_label_values(&[kind])
                .observe(took.as_secs_f64());
        }
    }
}

const fn task_label(outcome: TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Done => "done",
        TaskOutcome::Refused => "refused",
    }
}

const fn cut_label(outcome: CutOutcome) -> &'static str {
    match outcome {
        CutOutcome::Pending => "pending",
        CutOutcome::Taken => "taken",
        CutOutcome::Failed => "failed",
        CutOutcome::NotBegun => "not_begun",
    }
}
