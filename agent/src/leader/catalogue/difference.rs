//! What has to be done so that the cluster shows what a vault has. Pure.

use std::collections::BTreeMap;

use clusterbackup_api::{RecoveryPoint, conditions};
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
        Found::Whole(manifest) if !shown.contains_key(id.as_str()) => {
            Some(Change::Create(Box::new(mirror::of(vault, manifest))))
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
    match id.and_then(|id| inventory.points.get(&id)) {
        Some(Found::Whole(manifest)) if says(mirror, &mirror::of(vault, manifest)) => {
            tell(mirror, Availability::Available)
        }
        Some(Found::Damaged(why)) => tell(mirror, Availability::Damaged(why)),
        None if inventory.points.is_empty() => tell(mirror, Availability::Empty),
        // Also what says something else than its vault: it comes again as it should be.
        Some(Found::Whole(_)) | None => Some(Change::Remove(Box::new(mirror.clone()))),
    }
}

/// What has to be said of the mirrors of a vault that can't be read.
pub(super) fn of_unread(reason: &str, message: &str, mirrors: &[RecoveryPoint]) -> Vec<Change> {
    let told = mirrors
        .iter()
        .filter_map(|mirror| tell(mirror, Availability::Unknown { reason, message }));
    told.collect()
}

/// Whether an object says what it should. Times have fewer digits in the cluster.
fn says(mirror: &RecoveryPoint, right: &RecoveryPoint) -> bool {
    let text = |point: &RecoveryPoint| serde_json::to_value(&point.spec).ok();
    text(mirror) == text(right)
}

/// The object with a new condition, if it is new.
fn tell(mirror: &RecoveryPoint, availability: Availability<'_>) -> Option<Change> {
    let (status, reason, message) = match availability {
        Availability::Available => ("True", "InVault", "the vault has it"),
        Availability::Damaged(why) => ("False", "Damaged", why),
        Availability::Empty => (
            "Unknown",
            "CatalogueEmpty",
            "the vault lists no recovery point at all: check that its store is the right one, and whole; where it was emptied on \
             purpose, delete this object",
        ),
        Availability::Unknown { reason, message } => ("Unknown", reason, message),
    };
    let before = mirror.status.clone().unwrap_or_default();
    let mut after = before.clone();
    let available = condition(AVAILABLE, status, reason, message.to_owned());
    conditions::merge(&mut after.conditions, available);
    (after != before).then(|| {
        Change::Tell(Box::new(RecoveryPoint {
            status: Some(after),
            ..mirror.clone()
        }))
    })
}

#[cfg(test)]
mod tests {
    use clusterbackup_vault::point::Manifest;
    use serde_json::json;

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

    fn inventory(points: &[u8]) -> Inventory {
        let points = points
            .iter()
            .map(|number| (id(*number), Found::Whole(Box::new(manifest(*number)))));
        Inventory {
            points: points.collect(),
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
