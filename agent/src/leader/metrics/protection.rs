//! How well instances are protected: counted over all of them, since their names are no label values.

use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{IntGauge, IntGaugeVec};

/// How an instance is protected by schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::leader) enum Protection {
    /// By no schedule.
    OnDemand,
    /// Its last complete backup is as recent as its schedule says.
    Protected,
    /// It has no complete backup yet, and is not late.
    Waiting,
    /// Its last complete backup is older than its schedule says.
    Late,
    /// It has no complete backup, and should have one.
    Never,
    /// Its policy isn't there, or can't be followed.
    Unfollowed,
}

/// What is true of all instances.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::leader) struct Summary {
    /// Of each.
    pub(in crate::leader) instances: Vec<Protection>,
    /// Seconds since the last complete backup of the one by schedule for which that is longest.
    pub(in crate::leader) oldest: i64,
    /// How many have nearly as many backups on demand as their vault allows within a day.
    pub(in crate::leader) near_limit: usize,
}

/// The gauges.
#[derive(Debug)]
pub(super) struct Gauges {
    instances: IntGaugeVec,
    oldest: IntGauge,
    near_limit: IntGauge,
}

impl Protection {
    const ALL: [Self; 6] = [
        Self::OnDemand,
        Self::Protected,
        Self::Waiting,
        Self::Late,
        Self::Never,
        Self::Unfollowed,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::OnDemand => "on_demand",
            Self::Protected => "protected",
            Self::Waiting => "waiting",
            Self::Late => "late",
            Self::Never => "never",
            Self::Unfollowed => "unfollowed",
        }
    }
}

impl Gauges {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let gauges = Self {
            instances: registry.int_gauges(
                "clusterbackup_leader_instances",
                "BackupInstances, by how they are protected by schedule.",
                &["state"],
            )?,
            oldest: registry.int_gauge(
                "clusterbackup_leader_oldest_success_seconds",
                "Since the last complete backup of the instance by schedule for which that is longest; 0: none has one.",
            )?,
            near_limit: registry.int_gauge(
                "clusterbackup_leader_instances_near_limit",
                "BackupInstances with at least four fifths of the backups on demand that their vault allows within a day.",
            )?,
        };
        gauges.set(&Summary::default());
        Ok(gauges)
    }

    pub(super) fn set(&self, summary: &Summary) {
        for state in Protection::ALL {
            let count = summary.instances.iter().filter(|found| **found == state).count();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.instances.with_label_values(&[state.label()]).set(count);
        }
        self.oldest.set(summary.oldest);
        let near_limit = i64::try_from(summary.near_limit).unwrap_or(i64::MAX);
        self.near_limit.set(near_limit);
    }
}
