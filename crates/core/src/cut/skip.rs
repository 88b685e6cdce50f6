//! The reasons why a claim that a backup selects is not cut.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, ClassProblem, Classes};
use crate::quantity::Quantity;
use crate::selection::{Claim, ClaimPhase};

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
    /// The agent of the node that should have cut it didn't answer.
    AgentSilent,
    /// The backup was cancelled before.
    Cancelled,
}

/// How much an instance allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The size of the largest volume; none: any.
    pub volume_size: Option<Quantity>,
    /// The most snapshots of one volume; none: any number.
    pub snapshots: Option<u32>,
}

/// The class that cuts a claim, or why it is not cut.
pub fn judge<'a>(claim: &Claim, limits: &Limits, classes: &'a Classes) -> Result<&'a Class, SkipReason> {
    match claim.phase {
        _ if claim.deleting => return Err(SkipReason::ClaimDeleted),
        ClaimPhase::Pending => return Err(SkipReason::ClaimPending),
        ClaimPhase::Lost => return Err(SkipReason::VolumeLost),
        ClaimPhase::Bound => {}
    }
    let volume = claim.volume.as_ref().ok_or(SkipReason::VolumeNotFound)?;
    let driver = volume.driver.as_deref().ok_or(SkipReason::NotCsi)?;
    let class = classes.of(driver)?;
    if matches!((volume.capacity, limits.volume_size), (Some(size), Some(most)) if size > most) {
        return Err(SkipReason::TooLarge);
    }
    if limits.snapshots.is_some_and(|most| claim.snapshots >= most) {
        return Err(SkipReason::SnapshotLimitReached);
    }
    Ok(class)
}

/// The reason as a part of a sentence, with the way out where there is one.
impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excluded => "it is left out by the instance or by a label",
            Self::ClaimPending => "it waits for a volume",
            Self::VolumeLost => "it has lost its volume",
            Self::VolumeNotFound => "the volume that it names doesn't exist",
            Self::ClaimDeleted => "it is being deleted",
            Self::NotCsi => "its volume is not from a CSI driver",
            Self::NoSnapshotClass => "no VolumeSnapshotClass is for its driver; make one",
            Self::AmbiguousSnapshotClass => {
                "several VolumeSnapshotClasses are for its driver; mark one with the label \
                 velero.io/csi-volumesnapshot-class or as the default"
            }
            Self::TooLarge => "its volume is larger than limits.maxVolumeSize",
            Self::SnapshotLimitReached => {
                "it has limits.maxSnapshotsPerVolume snapshots already; delete old ones"
            }
            Self::HookFailed => "a pre hook of its pods failed",
            Self::AgentSilent => "the agent of its node didn't answer",
            Self::Cancelled => "the backup was cancelled before",
        })
    }
}

impl From<ClassProblem> for SkipReason {
    fn from(problem: ClassProblem) -> Self {
        match problem {
            ClassProblem::Missing => Self::NoSnapshotClass,
            ClassProblem::Ambiguous => Self::AmbiguousSnapshotClass,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::sample::classes;
    use crate::selection::Volume;
    use crate::selection::sample::claim;

    const LIMITS: Limits = Limits {
        volume_size: None,
        snapshots: None,
    };

    fn reason(change: impl FnOnce(&mut Claim), limits: Limits, classes: &Classes) -> Option<SkipReason> {
        let mut claim = claim("shop/data");
        change(&mut claim);
        judge(&claim, &limits, classes).err()
    }

    fn volume(driver: Option<&str>, capacity: &str) -> Volume {
        Volume {
            driver: driver.map(str::to_owned),
            capacity: Quantity::parse(capacity),
        }
    }

    #[test]
    fn a_bound_claim_of_a_csi_driver_with_a_class_is_cut() {
        let classes = classes(&["csi.example.com"]);
        let claim = claim("shop/data");
        let class = judge(&claim, &LIMITS, &classes).unwrap();
        assert_eq!(class.name, "class-of-csi.example.com");
    }

    #[test]
    fn every_claim_that_is_not_cut_has_its_reason() {
        let one = classes(&["csi.example.com"]);
        let two = classes(&["csi.example.com", "csi.example.com"]);
        let none = classes(&[]);
        for (expected, change, classes) in [
            (
                SkipReason::ClaimDeleted,
                (|claim| claim.deleting = true) as fn(&mut Claim),
                &one,
            ),
            (
                SkipReason::ClaimPending,
                |claim| claim.phase = ClaimPhase::Pending,
                &one,
            ),
            (
                SkipReason::VolumeLost,
                |claim| claim.phase = ClaimPhase::Lost,
                &one,
            ),
            (SkipReason::VolumeNotFound, |claim| claim.volume = None, &one),
            (
                SkipReason::NotCsi,
                |claim| claim.volume = Some(volume(None, "1Gi")),
                &one,
            ),
            (SkipReason::NoSnapshotClass, |_| {}, &none),
            (SkipReason::AmbiguousSnapshotClass, |_| {}, &two),
        ] {
            assert_eq!(reason(change, LIMITS, classes), Some(expected));
        }
    }

    #[test]
    fn a_volume_is_cut_up_to_the_size_and_number_of_snapshots_that_are_allowed() {
        let classes = classes(&["csi.example.com"]);
        let limits = Limits {
            volume_size: Quantity::parse("1Ti"),
            snapshots: Some(3),
        };
        for (capacity, snapshots, expected) in [
            ("1Ti", 2, None),
            ("1024Gi", 0, None),
            ("1025Gi", 0, Some(SkipReason::TooLarge)),
            ("2T", 0, Some(SkipReason::TooLarge)),
            ("1Gi", 3, Some(SkipReason::SnapshotLimitReached)),
            ("unknown", 0, None),
        ] {
            let change = |claim: &mut Claim| {
                claim.volume = Some(volume(Some("csi.example.com"), capacity));
                claim.snapshots = snapshots;
            };
            assert_eq!(
                reason(change, limits, &classes),
                expected,
                "{capacity}, {snapshots}"
            );
        }
    }
}
