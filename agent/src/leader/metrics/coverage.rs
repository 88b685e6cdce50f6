//! What has no recent backup, or none that can be fully trusted: counted over the whole cluster, since names are no label
//! values.

use clusterbackup_core::coverage::{Covered, Gap};
use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::IntGaugeVec;

/// The gauges.
#[derive(Debug)]
pub(super) struct Gauges(IntGaugeVec);

const KINDS: [&str; 2] = ["namespace", "claim"];

impl Gauges {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let gauges = Self(registry.int_gauges(
            "clusterbackup_leader_coverage",
            "Namespaces and claims that are to be backed up, by what the best backup of them lacks.",
            &["kind", "gap"],
        )?);
        gauges.set(&[]);
        Ok(gauges)
    }

    pub(super) fn set(&self, found: &[(Covered<'_>, Option<Gap>)]) {
        let gaps = Gap::ALL.map(Some);
        let labels = |kind| [None].into_iter().chain(gaps).map(move |gap| (kind, gap));
        for (kind, gap) in KINDS.into_iter().flat_map(labels) {
            let alike = found
                .iter()
                .filter(|(covered, lacks)| kind_label(*covered) == kind && *lacks == gap);
            let count = i64::try_from(alike.count()).unwrap_or(i64::MAX);
            self.0.with_label_values(&[kind, gap_label(gap)]).set(count);
        }
    }
}

const fn kind_label(covered: Covered<'_>) -> &'static str {
    match covered {
        Covered::Namespace(_) => KINDS[0],
        Covered::Claim(_) => KINDS[1],
    }
}

const fn gap_label(gap: Option<Gap>) -> &'static str {
    match gap {
        None => "none",
        Some(Gap::LocalOnly) => "local_only",
        Some(Gap::CrashConsistent) => "crash_consistent",
        Some(Gap::Incomplete) => "incomplete",
        Some(Gap::NotCut) => "not_cut",
        Some(Gap::Stale) => "stale",
        Some(Gap::NeverBackedUp) => "never_backed_up",
        Some(Gap::Unprotected) => "unprotected",
    }
}
