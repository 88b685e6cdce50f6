//! What has to be done so that the cluster shows what a vault has. Pure.

use std::collections::BTreeSet;

use clusterbackup_api::recovery_point::{AVAILABLE, DAMAGED, PointState, RecoveryPointStatus, Tier};
use clusterbackup_api::{RecoveryPoint, RecoveryPointSpec, conditions};
use clusterbackup_vault::point::PointId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt as _;

use super::inventory::Item;
use super::tiers::{Seen, Tiers, Unread};
use crate::leader::conditions::condition;
use crate::leader::mirror;

/// Something that has to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Show a point.
    Create(Box<RecoveryPoint>),
    /// Show a point no more: the vault doesn't have it.
    Remove(Box<RecoveryPoint>),
    /// The same, and nobody has deleted the point.
    Lose(Box<RecoveryPoint>),
    /// Say something new of a point.
    Tell(Box<RecoveryPoint>),
    /// Say of a point that it is damaged, which nobody was told of.
    Warn(Box<RecoveryPoint>),
}

/// Whether a vault has a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability<'a> {
    /// It does.
    Available,
    /// It has one that can't be read.
    Damaged(&'a str),
    /// It had one, which was purged.
    Purged,
    /// It lists nothing at all.
    Empty,
    /// It could not be asked.
    Unknown { reason: &'a str, message: &'a str },
}

/// What has to be done with the mirrors of a vault that was listed to its end.
///
/// A vault that lists nothing takes nothing away: rather than that all its points are gone, its store is not the one that it
/// was, or somebody has emptied it.
pub(super) fn of_listed(vault: &OwnerReference, tiers: &Tiers, mirrors: &[RecoveryPoint]) -> Vec<Change> {
    let shown: BTreeSet<String> = mirrors.iter().map(kube::ResourceExt::name_any).collect();
    let names = tiers.names();
    let missing = names.into_iter().filter(|id| !shown.contains(id.as_str()));
    let missing = missing.filter_map(|id| match tiers.see(id) {
        Seen::Whole(in_tiers) => Some(Change::Create(Box::new(right(vault, &in_tiers)?))),
        Seen::Damaged(_) | Seen::Nowhere => None,
    });
    let others = mirrors
        .iter()
        .filter_map(|mirror| of_mirror(vault, tiers, mirror));
    missing.chain(others).collect()
}

fn of_mirror(vault: &OwnerReference, tiers: &Tiers, mirror: &RecoveryPoint) -> Option<Change> {
    let remove = || Some(Change::Remove(Box::new(mirror.clone())));
    let Ok(id) = PointId::new(mirror.name_any()) else {
        return remove();
    };
    match tiers.see(&id) {
        // What says something else than its vault comes again as it should be.
        Seen::Whole(in_tiers) if right(vault, &in_tiers).is_some_and(|right| says(mirror, &right)) => {
            tell(mirror, tiers.status(&in_tiers), Availability::Available)
        }
        Seen::Damaged(why) => tell(mirror, before(mirror), Availability::Damaged(why)),
        Seen::Nowhere => match &tiers.unread {
            _ if tiers.operational.purging.contains(&id) => {
                tell(mirror, purging(mirror), Availability::Purged)
            }
            Some(Unread { reason, message }) => {
                tell(mirror, before(mirror), Availability::Unknown { reason, message })
            }
            None if tiers.has_purged(&id) => remove(),
            None if tiers.operational.points.is_empty() => tell(mirror, before(mirror), Availability::Empty),
            None if is_present(mirror) => Some(Change::Lose(Box::new(mirror.clone()))),
            None => remove(),
        },
        Seen::Whole(_) => remove(),
    }
}

/// Whether it was last shown as a point that nobody has deleted.
fn is_present(mirror: &RecoveryPoint) -> bool {
    before(mirror).state == Some(PointState::Available)
}

/// The object as it should be. A copy's manifest is that of the point. It comes again with what its vault knows to be asked of
/// it.
fn right(vault: &OwnerReference, in_tiers: &[(Tier, &Item)]) -> Option<RecoveryPoint> {
    let (_, item) = in_tiers.first()?;
    let mut right = mirror::of(vault, &item.manifest);
    right.spec.wanted = in_tiers.iter().find_map(|(_, item)| item.wanted());
    Some(right)
}

pub(super) fn before(mirror: &RecoveryPoint) -> RecoveryPointStatus {
    mirror.status.clone().unwrap_or_default()
}

fn purging(mirror: &RecoveryPoint) -> RecoveryPointStatus {
    RecoveryPointStatus {
        state: Some(PointState::Purging),
        kept_because: Some(
            "its snapshots are not gone yet: their drivers are asked to delete them".to_owned(),
        ),
        ..before(mirror)
    }
}

/// What has to be said of the mirrors of a vault that can't be read.
pub(super) fn of_unread(reason: &str, message: &str, mirrors: &[RecoveryPoint]) -> Vec<Change> {
    let told = mirrors
        .iter()
        .filter_map(|mirror| tell(mirror, before(mirror), Availability::Unknown { reason, message }));
    told.collect()
}

/// Whether an object says what it should, beside what is wanted. Times have fewer digits in the cluster.
pub(super) fn says(mirror: &RecoveryPoint, right: &RecoveryPoint) -> bool {
    let text = |spec: &RecoveryPointSpec| {
        serde_json::to_value(RecoveryPointSpec {
            wanted: None,
            ..spec.clone()
        })
        .ok()
    };
    text(&mirror.spec) == text(&right.spec)
}

/// The object with what is to be said of it, if that is new. Conditions are added to those that it has.
pub(super) fn tell(
    mirror: &RecoveryPoint,
    mut status: RecoveryPointStatus,
    availability: Availability<'_>,
) -> Option<Change> {
    let (holds, reason, message) = match availability {
        Availability::Available => ("True", "InVault", "the vault has it"),
        Availability::Damaged(why) => ("False", DAMAGED, why),
        Availability::Purged => ("False", "Purged", "its objects are removed"),
        Availability::Empty => (
            "Unknown",
            "CatalogueEmpty",
            "the vault lists no recovery point at all: check that its store is the right one, and whole; where it was emptied on \
             purpose, delete this object",
        ),
        Availability::Unknown { reason, message } => ("Unknown", reason, message),
    };
    let before = before(mirror);
    let damage = matches!(availability, Availability::Damaged(_));
    let is_known = before.conditions.iter().any(|said| said.reason == DAMAGED);
    status.conditions = before.conditions;
    status.verified_at = before.verified_at;
    let available = condition(AVAILABLE, holds, reason, message.to_owned());
    conditions::merge(&mut status.conditions, available);
    if mirror.status.as_ref() == Some(&status) {
        return None;
    }
    let told = Box::new(RecoveryPoint {
        status: Some(status),
        ..mirror.clone()
    });
    Some(if damage && !is_known {
        Change::Warn(told)
    } else {
        Change::Tell(told)
    })
}

#[cfg(test)]
mod tests;
