//! Which claims are cut, how, and why some are not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a claim that a backup selects gets no snapshot. The words are API: reports and metrics carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SkipReason {
    /// The instance, or a label on the claim, leaves it out.
    Excluded,
    /// The claim waits for a volume.
    ClaimPending,
    /// The claim has lost its volume.
    VolumeLost,
    /// The volume that the claim names doesn't exist.
    VolumeNotFound,
    /// The claim is being deleted.
    ClaimDeleted,
    /// The volume is not from a CSI driver.
    NotCsi,
    /// No VolumeSnapshotClass is for the volume's driver.
    NoSnapshotClass,
    /// Several classes are for the driver and none is marked as the one to take.
    AmbiguousSnapshotClass,
    /// The volume is larger than the instance allows.
    TooLarge,
    /// The volume has as many snapshots as the instance allows.
    SnapshotLimitReached,
    /// A pre hook of the claim's pods failed.
    HookFailed,
    /// The backup was cancelled before.
    Cancelled,
}
