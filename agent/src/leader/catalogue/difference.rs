//! What has to be done so that the cluster shows what a vault has. Pure.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::recovery_point::{PointState, RecoveryPointStatus};
use clusterbackup_api::{RecoveryPoint, RecoveryPointSpec, conditions};
use clusterbackup_vault::point::PointId;
use kube::ResourceExt as _;

use super::inventory::{Found, Inventory};
use crate::leader::conditions::condition;
use crate::leader::mirror;

/// The type of the condition that says whether the vault has a point.
const AVAILABLE: &str = "Available";

/// Something that has to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Show a point.
    Create(Box<RecoveryPoint>),
    /// Show a point no more: the vault doesn't have it.
    Remove(Box<RecoveryPoint>),
    /// Say something new of a point.
    Tell(Box<RecoveryPoint>),
}

/// Whether a vault has a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Availability<'a> {
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
pub(super) fn of_listed(vault: &str, inventory: &Inventory, mirrors: &[RecoveryPoint]) -> Vec<Change> {
    let shown: BTreeMap<String, &RecoveryPoint> =
        mirrors.iter().map(|point| (point.name_any(), point)).collect();
    let missing = inventory.points.iter().filter_map(|(id, found)| match found {
        Found::Whole(item) if !shown.contains_key(id.as_str()) => {
            Some(Change::Create(Box::new(mirror::of(vault, &item.manifest))))
        }
        _ => None,
    });
    let others = mirrors
        .iter()
        .filter_map(|mirror| of_mirror(vault, inventory, mirror));
    missing.chain(others).collect()
}

fn of_mirror(vault: &str, inventory: &Inventory, mirror: &RecoveryPoint) -> Option<Change> {
    let id = PointId::new(mirror.name_any()).ok();
    let is_in = |ids: &BTreeSet<PointId>| id.as_ref().is_some_and(|id| ids.contains(id));
    match id.as_ref().and_then(|id| inventory.points.get(id)) {
        Some(Found::Whole(item)) if says(mirror, &mirror::of(vault, &item.manifest)) => {
            tell(mirror, item.status(), Availability::Available)
        }
        Some(Found::Damaged(why)) => tell(mirror, before(mirror), Availability::Damaged(why)),
        None if is_in(&inventory.purging) => tell(mirror, purging(mirror), Availability::Purged),
        None if inventory.points.is_empty() && !is_in(&inventory.purged) => {
            tell(mirror, before(mirror), Availability::Empty)
        }
        // Also what says something else than its vault: it comes again as it should be.
        Some(Found::Whole(_)) | None => Some(Change::Remove(Box::new(mirror.clone()))),
    }
}

fn before(mirror: &RecoveryPoint) -> RecoveryPointStatus {
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
fn says(mirror: &RecoveryPoint, right: &RecoveryPoint) -> bool {
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
fn tell(
    mirror: &RecoveryPoint,
    mut status: RecoveryPointStatus,
    availability: Availability<'_>,
) -> Option<Change> {
    let (holds, reason, message) = match availability {
        Availability::Available => ("True", "InVault", "the vault has it"),
        Availability::Damaged(why) => ("False", "Damaged", why),
        Availability::Purged => ("False", "Purged", "its objects are removed"),
        Availability::Empty => (
            "Unknown",
            "CatalogueEmpty",
            "the vault lists no recovery point at all: check that its store is the right one, and whole; where it was emptied on \
             purpose, delete this object",
        ),
        Availability::Unknown { reason, message } => ("Unknown", reason, message),
    };
    status.conditions = before(mirror).conditions;
    let available = condition(AVAILABLE, holds, reason, message.to_owned());
    conditions::merge(&mut status.conditions, available);
    (mirror.status.as_ref() != Some(&status)).then(|| {
        Change::Tell(Box::new(RecoveryPoint {
            status: Some(status),
            ..mirror.clone()
        }))
    })
}

#[cfg(test)]
mod tests {
    use clusterbackup_vault::point::Manifest;
    use serde_json::json;

    use super::super::inventory::Item;
    use super::*;

    fn id(number: u8) -> PointId {
        PointId::new(format!("0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5{number}")).unwrap()
    }

    fn manifest(number: u8) -> Manifest {
        serde_json::from_value(json!({
            "format": 1, "id": id(number), "attempt": "a", "cluster": "c", "instance": "shop",
            "backup": { "namespace": "shop", "name": "nightly" },
            "started": "2026-11-21T01:00:00.123456789Z", "finished": "2026-11-21T01:05:00.123456789Z",
            "phase": "Completed", "counts": {}, "objectBytes": 0, "parts": {},
        }))
        .unwrap()
    }

    fn item(number: u8) -> Found {
        Found::Whole(Box::new(Item {
            manifest: manifest(number),
            state: clusterbackup_vault::lifecycle::PointState::default(),
            last: None,
            expires_at: None,
            kept_because: None,
        }))
    }

    fn inventory(points: &[u8]) -> Inventory {
        let points = points.iter().map(|number| (id(*number), item(*number)));
        Inventory {
            points: points.collect(),
            ..Inventory::default()
        }
    }

    /// As the cluster gives it back.
    fn mirror(number: u8) -> RecoveryPoint {
        let made = mirror::of("vault", &manifest(number));
        serde_json::from_value(serde_json::to_value(made).unwrap()).unwrap()
    }

    fn words(changes: &[Change]) -> Vec<String> {
        let word = |change: &Change| match change {
            Change::Create(point) => format!("create {}", point.name_any()),
            Change::Remove(point) => format!("remove {}", point.name_any()),
            Change::Tell(point) => {
                let said = point.status.iter().flat_map(|status| &status.conditions);
                format!(
                    "tell {} {}",
                    point.name_any(),
                    said.map(|said| &*said.reason).collect::<String>()
                )
            }
        };
        changes.iter().map(word).collect()
    }

    #[test]
    fn the_cluster_comes_to_show_what_the_vault_has() {
        let create = |number| format!("create {}", id(number));
        let remove = |number| format!("remove {}", id(number));
        let tell = |number, reason| format!("tell {} {reason}", id(number));
        let foreign = RecoveryPoint {
            spec: clusterbackup_api::RecoveryPointSpec {
                objects: 7,
                ..mirror(1).spec
            },
            ..mirror(1)
        };
        for (has, shown, changes) in [
            (inventory(&[]), vec![], vec![]),
            (inventory(&[1, 2]), vec![], vec![create(1), create(2)]),
            (
                inventory(&[1, 2]),
                vec![mirror(2)],
                vec![create(1), tell(2, "InVault")],
            ),
            (
                inventory(&[1]),
                vec![mirror(1), mirror(2)],
                vec![tell(1, "InVault"), remove(2)],
            ),
            // Says something else than the vault.
            (inventory(&[1]), vec![foreign], vec![remove(1)]),
            // Nothing at all is there.
            (
                inventory(&[]),
                vec![mirror(1), mirror(2)],
                vec![tell(1, "CatalogueEmpty"), tell(2, "CatalogueEmpty")],
            ),
        ] {
            assert_eq!(
                words(&of_listed("vault", &has, &shown)),
                changes,
                "{has:?} {shown:?}"
            );
        }
    }

    #[test]
    fn a_purged_point_is_shown_until_its_snapshots_are_gone() {
        let mut has = inventory(&[]);
        has.purged = [id(1)].into();
        has.purging = [id(1)].into();
        assert_eq!(
            words(&of_listed("vault", &has, &[mirror(1)])),
            [format!("tell {} Purged", id(1))]
        );
        has.purging.clear();
        assert_eq!(
            words(&of_listed("vault", &has, &[mirror(1)])),
            [format!("remove {}", id(1))]
        );
    }

    #[test]
    fn a_damaged_point_is_shown_as_such_and_hides_no_other() {
        let mut has = inventory(&[1, 2]);
        has.points
            .insert(id(1), Found::Damaged("its hash is wrong".to_owned()));
        has.points
            .insert(id(3), Found::Damaged("its hash is wrong".to_owned()));
        let changes = words(&of_listed("vault", &has, &[mirror(1)]));
        let [created, told] = [format!("create {}", id(2)), format!("tell {} Damaged", id(1))];
        assert_eq!(changes, [created, told]);
    }

    #[test]
    fn a_vault_that_can_not_be_read_takes_nothing_away_and_says_so_once() {
        let told = of_unread("StoreUnreachable", "no answer", &[mirror(1)]);
        let [Change::Tell(point)] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(words(&told), [format!("tell {} StoreUnreachable", id(1))]);
        assert_eq!(of_unread("StoreUnreachable", "no answer", &[*point.clone()]), []);
    }
}
