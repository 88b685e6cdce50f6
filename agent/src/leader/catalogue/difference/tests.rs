//! What the cluster comes to show, of vaults that have this and that.

use clusterbackup_api::recovery_point::VERIFIED;
use clusterbackup_vault::lifecycle::Presence;
use clusterbackup_vault::point::Manifest;
use serde_json::json;

use super::*;
use crate::leader::catalogue::inventory::{Found, Inventory};

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
        promised: true,
        expires_at: None,
        kept_because: None,
        awaited: false,
    }))
}

fn inventory(points: &[u8]) -> Inventory {
    let points = points.iter().map(|number| (id(*number), item(*number)));
    Inventory {
        points: points.collect(),
        ..Inventory::default()
    }
}

fn tiers(operational: &[u8], vault: &[u8]) -> Tiers {
    Tiers {
        operational: inventory(operational),
        vault: inventory(vault),
        ..Tiers::default()
    }
}

fn vault() -> OwnerReference {
    OwnerReference {
        name: "vault".to_owned(),
        uid: "1".to_owned(),
        ..OwnerReference::default()
    }
}

/// As the cluster gives it back.
fn mirror(number: u8) -> RecoveryPoint {
    let made = mirror::of(&vault(), &manifest(number));
    serde_json::from_value(serde_json::to_value(made).unwrap()).unwrap()
}

fn words(changes: &[Change]) -> Vec<String> {
    let said = |word: &str, point: &RecoveryPoint| {
        let said = point.status.iter().flat_map(|status| &status.conditions);
        let reasons: String = said.map(|said| &*said.reason).collect();
        format!("{word} {} {reasons}", point.name_any())
    };
    let word = |change: &Change| match change {
        Change::Create(point) => format!("create {}", point.name_any()),
        Change::Remove(point) => format!("remove {}", point.name_any()),
        Change::Lose(point) => format!("lose {}", point.name_any()),
        Change::Tell(point) => said("tell", point),
        Change::Warn(point) => said("warn", point),
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
        (tiers(&[], &[]), vec![], vec![]),
        (tiers(&[1, 2], &[]), vec![], vec![create(1), create(2)]),
        (tiers(&[1], &[1, 2]), vec![], vec![create(1), create(2)]),
        (
            tiers(&[1, 2], &[]),
            vec![mirror(2)],
            vec![create(1), tell(2, "InVault")],
        ),
        (
            tiers(&[1], &[]),
            vec![mirror(1), mirror(2)],
            vec![tell(1, "InVault"), remove(2)],
        ),
        // Says something else than the vault.
        (tiers(&[1], &[]), vec![foreign], vec![remove(1)]),
        // Nothing at all is there.
        (
            tiers(&[], &[]),
            vec![mirror(1), mirror(2)],
            vec![tell(1, "CatalogueEmpty"), tell(2, "CatalogueEmpty")],
        ),
    ] {
        assert_eq!(
            words(&of_listed(&vault(), &has, &shown)),
            changes,
            "{has:?} {shown:?}"
        );
    }
}

#[test]
fn a_point_that_was_deleted_by_its_name_comes_again_as_one_that_is_wanted_gone() {
    for named in [true, false] {
        let mut has = tiers(&[1], &[]);
        let Some(Found::Whole(item)) = has.operational.points.get_mut(&id(1)) else {
            panic!("{has:?}")
        };
        item.state.presence = Presence::Deleted {
            purge_after: jiff::Timestamp::UNIX_EPOCH,
            named,
        };
        let changes = of_listed(&vault(), &has, &[]);
        let [Change::Create(point)] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        assert_eq!(point.spec.wanted.is_some(), named);
    }
}

#[test]
fn a_purged_point_is_shown_until_its_snapshots_are_gone() {
    let mut has = tiers(&[], &[]);
    has.operational.purged = [id(1)].into();
    has.operational.purging = [id(1)].into();
    assert_eq!(
        words(&of_listed(&vault(), &has, &[mirror(1)])),
        [format!("tell {} Purged", id(1))]
    );
    has.operational.purging.clear();
    assert_eq!(
        words(&of_listed(&vault(), &has, &[mirror(1)])),
        [format!("remove {}", id(1))]
    );
}

#[test]
fn a_point_is_shown_as_long_as_a_tier_has_it_and_says_which() {
    let both = [Tier::Operational, Tier::Vault];
    for (has, in_tiers) in [
        (tiers(&[1], &[1]), &both[..]),
        (tiers(&[1], &[2]), &both[..1]),
        (tiers(&[2], &[1]), &both[1..]),
    ] {
        let told = of_listed(&vault(), &has, &[mirror(1)]);
        let status = told.iter().find_map(|change| match change {
            Change::Tell(point) => point.status.clone(),
            _ => None,
        });
        let found: Vec<_> = status.unwrap().tiers.iter().map(|in_tier| in_tier.tier).collect();
        assert_eq!(found, in_tiers, "{has:?}");
    }
    // Where nobody could look whether the vault tier has it.
    let mut has = tiers(&[2], &[]);
    has.unread = Some(Unread {
        reason: "StoreUnreachable",
        message: "no answer".to_owned(),
    });
    let changes = words(&of_listed(&vault(), &has, &[mirror(1), mirror(2)]));
    let told = [(1, "StoreUnreachable"), (2, "InVault")];
    assert_eq!(
        changes,
        told.map(|(number, reason)| format!("tell {} {reason}", id(number)))
    );
}

#[test]
fn a_damaged_point_is_shown_as_such_and_hides_no_other() {
    let mut has = tiers(&[1, 2], &[]);
    has.operational
        .points
        .insert(id(1), Found::Damaged("its hash is wrong".to_owned()));
    has.operational
        .points
        .insert(id(3), Found::Damaged("its hash is wrong".to_owned()));
    let changes = words(&of_listed(&vault(), &has, &[mirror(1)]));
    let [created, told] = [format!("create {}", id(2)), format!("warn {} Damaged", id(1))];
    assert_eq!(changes, [created, told]);
}

#[test]
fn a_point_is_lost_that_nobody_has_deleted_and_is_not_there() {
    let shown = |state| RecoveryPoint {
        status: Some(RecoveryPointStatus {
            state: Some(state),
            ..RecoveryPointStatus::default()
        }),
        ..mirror(1)
    };
    let has = tiers(&[2], &[]);
    let mut purged = tiers(&[2], &[]);
    purged.operational.purged = [id(1)].into();
    for (has, state, change) in [
        (&has, PointState::Available, "lose"),
        (&has, PointState::Deleted, "remove"),
        (&has, PointState::Purging, "remove"),
        (&purged, PointState::Available, "remove"),
    ] {
        let changes = words(&of_listed(&vault(), has, &[shown(state), mirror(2)]));
        assert_eq!(changes[0], format!("{change} {}", id(1)), "{state:?}");
    }
}

#[test]
fn people_are_told_of_damage_once_and_what_else_is_known_of_a_point_stays() {
    let mut has = tiers(&[2], &[]);
    let damaged = |why: &str| Found::Damaged(why.to_owned());
    has.operational.points.insert(id(1), damaged("its hash is wrong"));
    let verified = condition(VERIFIED, "True", "AsWritten", String::new());
    let status = RecoveryPointStatus {
        verified_at: Some(verified.last_transition_time.clone()),
        conditions: vec![verified],
        ..RecoveryPointStatus::default()
    };
    let shown = RecoveryPoint {
        status: Some(status.clone()),
        ..mirror(1)
    };
    let changes = of_listed(&vault(), &has, &[shown, mirror(2)]);
    let [Change::Warn(told), _] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    let after = told.status.clone().unwrap();
    assert_eq!(after.verified_at, status.verified_at);
    assert_eq!(after.conditions[0], status.conditions[0]);
    has.operational.points.insert(id(1), damaged("it is cut off"));
    let changes = words(&of_listed(&vault(), &has, &[*told.clone(), mirror(2)]));
    assert_eq!(changes[0], format!("tell {} AsWrittenDamaged", id(1)));
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
