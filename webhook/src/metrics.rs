//! What can be counted: reviews, rules, clashes, interceptions. Label values are from closed sets, but for the interceptions
//! themselves, whose series are bounded (`rules`); never names of objects that are reviewed.

mod rules;

use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::conditions::Reason;
use clusterbackup_core::clash;
use clusterbackup_core::interception::{Concerned, Interception, OptIn, RuleRecord};
use clusterbackup_core::modifier::RuleSet;
use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};

use self::rules::Rules;

/// A review takes tens of microseconds; a live read, milliseconds; the API server waits for five seconds.
const BUCKETS: [f64; 15] = [
    50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.5, 1.0, 2.5, 5.0,
];

const CLASHES: [clash::Outcome; 5] = [
    clash::Outcome::Changed,
    clash::Outcome::Kept(clash::Reason::LeftOut),
    clash::Outcome::Kept(clash::Reason::Immutable),
    clash::Outcome::Kept(clash::Reason::Allocated),
    clash::Outcome::Kept(clash::Reason::Skipped),
];

/// The label through which an object came, or the handler it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `clusterbackup.io/intercept`, perhaps beside others.
    Intercept,
    /// `velero.io/restore-name` alone.
    Velero,
    /// None of them: instances and hooks, at `/requester`.
    Requester,
    /// None of them: what users write for us, at `/validate`.
    Validate,
    /// None: the webhook configuration sends what it shouldn't, or the request can't be read.
    None,
}

/// What became of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody's rules concern the object.
    Untouched,
    /// It was admitted with the mark of its rules, whatever they changed.
    Changed,
    /// It exists, and stays as it is in the cluster.
    Skipped,
    /// It was refused.
    Denied,
    /// The request could not be read.
    Malformed,
}

/// How the rules of an interception stand in this replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesState {
    /// In force as written.
    Ready,
    /// A broken edit: the last good ones are in force, and are gone with this replica.
    Stale,
    /// There are none that could be in force.
    Invalid,
    /// The ConfigMap isn't there.
    Missing,
    /// It may not be read.
    Forbidden,
    /// It was not read yet.
    Unread,
}

/// How a lookup of a Velero Restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// It was read.
    Found,
    /// It had been read a moment ago.
    Recent,
    /// It isn't there.
    Missing,
    /// There is more than one.
    Ambiguous,
    /// It may not be read.
    Forbidden,
    /// It could not be read.
    Failed,
}

/// The webhook's metrics.
#[derive(Debug)]
pub struct Metrics {
    reviews: IntCounterVec,
    duration: HistogramVec,
    clash_fields: IntCounterVec,
    live_reads: IntCounter,
    velero_lookups: IntCounterVec,
    interceptions: IntGaugeVec,
    loads: IntCounterVec,
    rules: Rules,
}

impl Door {
    const ALL: [Self; 5] = [
        Self::Intercept,
        Self::Velero,
        Self::Requester,
        Self::Validate,
        Self::None,
    ];

    /// The door of an object that opted in.
    pub fn of(opt_in: OptIn<'_>) -> Self {
        match opt_in {
            OptIn {
                intercept: Some(_), ..
            } => Self::Intercept,
            OptIn {
                velero_restore: Some(_),
                ..
            } => Self::Velero,
            OptIn { .. } => Self::None,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Intercept => "intercept",
            Self::Velero => "velero",
            Self::Requester => "requester",
            Self::Validate => "validate",
            Self::None => "none",
        }
    }
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Untouched,
        Self::Changed,
        Self::Skipped,
        Self::Denied,
        Self::Malformed,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Changed => "changed",
            Self::Skipped => "skipped",
            Self::Denied => "denied",
            Self::Malformed => "malformed",
        }
    }
}

impl Lookup {
    const ALL: [Self; 6] = [
        Self::Found,
        Self::Recent,
        Self::Missing,
        Self::Ambiguous,
        Self::Forbidden,
        Self::Failed,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Recent => "recent",
            Self::Missing => "missing",
            Self::Ambiguous => "ambiguous",
            Self::Forbidden => "forbidden",
            Self::Failed => "failed",
        }
    }
}

impl RulesState {
    const ALL: [Self; 6] = [
        Self::Ready,
        Self::Stale,
        Self::Invalid,
        Self::Missing,
        Self::Forbidden,
        Self::Unread,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Stale => "stale",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::Forbidden => "forbidden",
            Self::Unread => "unread",
        }
    }
}

impl Metrics {
    /// Registers them, those of closed sets at zero: an alert sees a first event only where there was a series before.
    pub fn register(registry: &Registry) -> Result<Arc<Self>, MetricsError> {
        let metrics = Self {
            reviews: registry.counters(
                "clusterbackup_reviews_total",
                "Admission reviews answered.",
                &["door", "outcome"],
            )?,
            duration: registry.histograms(
                "clusterbackup_review_duration_seconds",
                "Time to decide a review, without the network.",
                &["door"],
                &BUCKETS,
            )?,
            clash_fields: registry.counters(
                "clusterbackup_clash_fields_total",
                "Fields in which a restored object and the one in the cluster differed.",
                &["outcome", "reason"],
            )?,
            live_reads: registry.counter(
                "clusterbackup_live_reads_total",
                "Reviews that needed a direct read of the API server.",
            )?,
            velero_lookups: registry.counters(
                "clusterbackup_velero_lookups_total",
                "Velero Restores looked up for the namespaces that objects come from.",
                &["outcome"],
            )?,
            interceptions: registry.int_gauges(
                "clusterbackup_interceptions",
                "RestoreInterceptions by the state of their rules in this replica.",
                &["state"],
            )?,
            loads: registry.counters(
                "clusterbackup_rule_loads_total",
                "What came of loading the rules of RestoreInterceptions, by the reason in the Ready condition.",
                &["reason"],
            )?,
            rules: Rules::register(registry)?,
        };
        metrics.start_at_zero();
        Ok(Arc::new(metrics))
    }

    fn start_at_zero(&self) {
        for door in Door::ALL {
            self.duration.with_label_values(&[door.label()]);
            for outcome in Outcome::ALL {
                self.reviews.with_label_values(&[door.label(), outcome.label()]);
            }
        }
        for lookup in Lookup::ALL {
            self.velero_lookups.with_label_values(&[lookup.label()]);
        }
        for outcome in CLASHES {
            let (outcome, reason) = clash_labels(outcome);
            self.clash_fields.with_label_values(&[outcome, reason]);
        }
        for reason in Reason::ALL {
            self.loads.with_label_values(&[reason.as_str()]);
        }
        self.interceptions(&[], &[]);
    }

    /// Counts one review.
    pub fn review(&self, door: Door, outcome: Outcome, took: Duration) {
        self.reviews
            .with_label_values(&[door.label(), outcome.label()])
            .inc();
        self.duration
            .with_label_values(&[door.label()])
            .observe(took.as_secs_f64());
    }

    /// Counts a request in which no review could be read.
    pub fn unreadable(&self) {
        self.reviews
            .with_label_values(&[Door::None.label(), Outcome::Malformed.label()])
            .inc();
    }

    /// Counts what the rules of one review did, which was decided by `concerned`.
    pub fn rules(&self, concerned: &[Concerned<'_>], records: &[RuleRecord]) {
        for record in records {
            let of = concerned
                .get(record.interception)
                .and_then(|of| in_force(of.interception));
            if let Some((interception, rules)) = of {
                self.rules.count(interception, rules.hash(), record);
            }
        }
    }

    /// Counts what became of the fields of an object that exists already.
    pub fn clashes(&self, fields: &[clash::Field]) {
        for field in fields {
            let (outcome, reason) = clash_labels(field.outcome);
            self.clash_fields.with_label_values(&[outcome, reason]).inc();
        }
    }

    /// Counts one direct read.
    pub fn live_read(&self) {
        self.live_reads.inc();
    }

    /// Counts one lookup of a Velero Restore.
    pub fn velero_lookup(&self, outcome: Lookup) {
        self.velero_lookups.with_label_values(&[outcome.label()]).inc();
    }

    /// Counts what came of loading the rules of one interception.
    pub fn load(&self, reason: Reason) {
        self.loads.with_label_values(&[reason.as_str()]).inc();
    }

    /// Shows all interceptions, in the order in which they act, and the states of their rules.
    pub fn interceptions(&self, interceptions: &[Arc<Interception>], states: &[RulesState]) {
        self.rules.show(
            interceptions
                .iter()
                .filter_map(|interception| in_force(interception)),
        );
        for state in RulesState::ALL {
            let count = states.iter().filter(|&&is| is == state).count();
            self.interceptions
                .with_label_values(&[state.label()])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

/// The name of an interception whose rules are in force, and these.
fn in_force(interception: &Interception) -> Option<(&str, &RuleSet)> {
    let rules = interception.rules.as_deref().ok()?;
    Some((&interception.name, rules))
}

const fn clash_labels(outcome: clash::Outcome) -> (&'static str, &'static str) {
    match outcome {
        clash::Outcome::Changed => ("changed", ""),
        clash::Outcome::Kept(reason) => ("kept", reason_label(reason)),
    }
}

const fn reason_label(reason: clash::Reason) -> &'static str {
    match reason {
        clash::Reason::LeftOut => "left_out",
        clash::Reason::Immutable => "immutable",
        clash::Reason::Refused => "refused",
        clash::Reason::Allocated => "allocated",
        clash::Reason::Skipped => "skipped",
    }
}
