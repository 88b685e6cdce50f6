//! Vaults and the points in them, as the cluster shows them: counted over all vaults, since names are no label values.

use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::leader::vault::Reason;

/// Where a point stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leader) enum PointState {
    /// Its vault has it.
    Available,
    /// It is deleted, and can be had back.
    Deleted,
    /// Its snapshots are being deleted.
    Purging,
    /// Something of it is not as it was written.
    Damaged,
    /// Its vault can't be read, lists nothing at all, or was not looked at yet.
    Unknown,
}

/// How old the newest point of an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leader) enum Newest {
    Hour,
    Day,
    Week,
    Month,
    Older,
    /// There is none.
    None,
}

/// What came of reading a point again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leader) enum Verified {
    /// It is as it was written.
    Good,
    /// It isn't.
    Damaged,
    /// It could not be read.
    Unread,
}

/// What is true of all vaults.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::leader) struct Contents {
    /// Of each vault: why it can be used or not.
    pub(in crate::leader) vaults: Vec<Reason>,
    /// Of each point.
    pub(in crate::leader) points: Vec<PointState>,
    /// What they take in their stores.
    pub(in crate::leader) stored_bytes: u64,
    /// How many points should have been copied into the vault tier long ago.
    pub(in crate::leader) late_copies: usize,
    /// Of each instance with a vault.
    pub(in crate::leader) newest: Vec<Newest>,
}

/// The metrics.
#[derive(Debug)]
pub(super) struct Metrics {
    vaults: IntGaugeVec,
    checks: IntCounterVec,
    points: IntGaugeVec,
    stored_bytes: IntGauge,
    late_copies: IntGauge,
    newest: IntGaugeVec,
    pub(super) lost: IntCounter,
    verifications: IntCounterVec,
    verified_bytes: IntCounter,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let metrics = Self {
            vaults: registry.int_gauges(
                "clusterbackup_leader_vaults",
                "BackupVaults, by the reason of their condition Ready.",
                &["reason"],
            )?,
            checks: registry.counters(
                "clusterbackup_leader_vault_checks_total",
                "Tries whether a BackupVault can be used, by what came of them.",
                &["reason"],
            )?,
            points: registry.int_gauges(
                "clusterbackup_leader_recovery_points",
                "RecoveryPoints that the cluster shows, by where they stand.",
                &["state"],
            )?,
            stored_bytes: registry.int_gauge(
                "clusterbackup_leader_stored_bytes",
                "What the recovery points take in their stores.",
            )?,
            late_copies: registry.int_gauge(
                "clusterbackup_leader_late_copies",
                "Recovery points that are to be copied into the vault tier, and are not there 6 hours after they were made.",
            )?,
            newest: registry.int_gauges(
                "clusterbackup_leader_newest_points",
                "BackupInstances with a vault, by how old their newest recovery point is at the most.",
                &["age"],
            )?,
            lost: registry.counter(
                "clusterbackup_leader_points_lost_total",
                "Recovery points that their vault doesn't list any more, and that nobody has deleted.",
            )?,
            verifications: registry.counters(
                "clusterbackup_leader_verifications_total",
                "Recovery points that were read again, by what came of it.",
                &["outcome"],
            )?,
            verified_bytes: registry
                .counter("clusterbackup_leader_verified_bytes_total", "Their stored bytes.")?,
        };
        for outcome in [Verified::Good, Verified::Damaged, Verified::Unread] {
            metrics.verifications.with_label_values(&[outcome.label()]);
        }
        for reason in Reason::ALL {
            metrics.checks.with_label_values(&[reason.as_str()]);
        }
        metrics.set(&Contents::default());
        Ok(metrics)
    }

    pub(super) fn set(&self, contents: &Contents) {
        for reason in Reason::ALL {
            let count = count(&contents.vaults, &reason);
            self.vaults.with_label_values(&[reason.as_str()]).set(count);
        }
        for state in PointState::ALL {
            let count = count(&contents.points, &state);
            self.points.with_label_values(&[state.label()]).set(count);
        }
        for age in Newest::ALL {
            let count = count(&contents.newest, &age);
            self.newest.with_label_values(&[age.label()]).set(count);
        }
        let bytes = i64::try_from(contents.stored_bytes).unwrap_or(i64::MAX);
        self.stored_bytes.set(bytes);
        let late = i64::try_from(contents.late_copies).unwrap_or(i64::MAX);
        self.late_copies.set(late);
    }

    pub(super) fn checked(&self, reason: Reason) {
        self.checks.with_label_values(&[reason.as_str()]).inc();
    }

    pub(super) fn verified(&self, outcome: Verified, bytes: u64) {
        self.verifications.with_label_values(&[outcome.label()]).inc();
        self.verified_bytes.inc_by(bytes);
    }
}

fn count<T: PartialEq>(found: &[T], wanted: &T) -> i64 {
    let alike = found.iter().filter(|found| *found == wanted);
    i64::try_from(alike.count()).unwrap_or(i64::MAX)
}

impl PointState {
    const ALL: [Self; 5] = [
        Self::Available,
        Self::Deleted,
        Self::Purging,
        Self::Damaged,
        Self::Unknown,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Deleted => "deleted",
            Self::Purging => "purging",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
        }
    }
}

impl Newest {
    const ALL: [Self; 6] = [
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Older,
        Self::None,
    ];

    /// By seconds.
    pub(in crate::leader) const fn of(age: i64) -> Self {
        match age {
            ..3_601 => Self::Hour,
            3_601..86_401 => Self::Day,
            86_401..604_801 => Self::Week,
            604_801..2_592_001 => Self::Month,
            2_592_001.. => Self::Older,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Older => "older",
            Self::None => "none",
        }
    }
}

impl Verified {
    const fn label(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Damaged => "damaged",
            Self::Unread => "unread",
        }
    }
}
