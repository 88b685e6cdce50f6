//! The data of volumes: what there is of it, and why there is none.

use std::collections::BTreeMap;
use std::fmt;

use crate::cut::SkipReason;
use crate::selection::Name;

/// What there is of the data of claims, by the claims as they were.
pub type Data = BTreeMap<Name, Result<Snapshot, NoData>>;

/// A snapshot that a driver keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The driver.
    pub driver: String,
    /// The driver's name of it.
    pub handle: String,
    /// What a volume made from it needs at least.
    pub size_bytes: Option<u64>,
    /// The VolumeSnapshotClass for the driver in the cluster, if there is one.
    pub class: Option<String>,
}

/// Why a claim can't get what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoData {
    /// Nobody has asked for a snapshot of it.
    NotStored,
    /// The backup didn't make one.
    Skipped(SkipReason),
    /// The driver that keeps it is another cluster's.
    OfOtherCluster,
    /// The cluster has no snapshots.
    NoSnapshots,
    /// Its data is not for the requester.
    NotAllowed,
}

/// With the way out.
impl fmt::Display for NoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it would come back empty: ")?;
        match self {
            Self::NotStored => f.write_str("the recovery point has no snapshot of its volume")?,
            Self::Skipped(reason) => {
                write!(f, "its volume was not backed up, since {reason}")?;
            }
            Self::OfOtherCluster => f.write_str("the storage of another cluster keeps its snapshot")?,
            Self::NoSnapshots => f.write_str(
                "the cluster has no VolumeSnapshots (install the CRDs of CSI snapshots and the snapshot controller)",
            )?,
            Self::NotAllowed => f.write_str(
                "the requester may not read what its volume held, which takes to create pods in the namespace where it was, or \
                 the verb restore on the BackupInstance",
            )?,
        }
        f.write_str("; to have it empty, restore it with RestoreWithoutVolumeData")
    }
}

impl NoData {
    /// Whether somebody has said that the data is not needed.
    pub(super) const fn is_intended(self) -> bool {
        matches!(self, Self::Skipped(SkipReason::Excluded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_has_left_out_may_come_back_empty() {
        for (reason, expected) in [
            (NoData::Skipped(SkipReason::Excluded), true),
            (NoData::Skipped(SkipReason::HookFailed), false),
            (NoData::NotStored, false),
            (NoData::OfOtherCluster, false),
            (NoData::NoSnapshots, false),
            (NoData::NotAllowed, false),
        ] {
            assert_eq!(reason.is_intended(), expected, "{reason:?}");
        }
    }
}
