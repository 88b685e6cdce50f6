//! What becomes of points, as tables.

use std::collections::BTreeSet;

use super::Protection::{Protect, StopAndDelete, StopAndRetain, StopAndRetainByPolicy};
use super::*;
use crate::retention::{Limits, Outcome, Tier};

fn day(day: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
}

/// A complete point of a day.
fn made(on: i64) -> Entry {
    Entry {
        point: Point {
            id: on.to_string(),
            time: day(on),
            outcome: Outcome::Completed(BTreeSet::new()),
            base_of: Vec::new(),
        },
        deletion: None,
        kept_until: None,
        wanted: None,
        awaited: false,
        reader: None,
    }
}

fn deleted(on: i64, purge_after: i64) -> Entry {
    let deletion = Deletion {
        purge_after: day(purge_after),
        named: false,
    };
    Entry {
        deletion: Some(deletion),
        ..made(on)
    }
}

/// By its name, as its vault knows.
fn named(entry: Entry) -> Entry {
    let deletion = entry.deletion.map(|deletion| Deletion {
        named: true,
        ..deletion
    });
    wanted(Wanted::Deleted, Entry { deletion, ..entry })
}

fn wanted(wanted: Wanted, entry: Entry) -> Entry {
    Entry {
        wanted: Some(wanted),
        ..entry
    }
}

/// Seven days, and three to have a point back.
fn terms(protection: Protection) -> Terms {
    Terms {
        rules: Rules::new(Tier::Operational, 7, [].into(), Limits::default()).ok(),
        protection,
        soft_delete: SignedDuration::from_hours(72),
        immutable: false,
    }
}

fn without_policy(protection: Protection) -> Terms {
    Terms {
        rules: None,
        ..terms(protection)
    }
}

fn immutable(terms: Terms) -> Terms {
    Terms {
        immutable: true,
        ..terms
    }
}

/// What is done on day 20.
fn steps(entries: &[Entry], terms: &Terms) -> Vec<Step> {
    let fates = decide(entries, terms, day(20));
    fates.into_iter().map(|fate| fate.step).collect()
}

use Step::{Purge, Stay, Undelete};
const DELETE: Step = Step::Delete {
    purge_after: Timestamp::constant(23 * 86_400, 0),
};

fn noted(purge_after: i64) -> Step {
    Step::Delete {
        purge_after: day(purge_after),
    }
}

#[test]
fn a_policy_deletes_what_is_expired_and_its_last_point_never() {
    let points = [made(1), made(2), made(15)];
    assert_eq!(steps(&points, &terms(Protect)), [DELETE, DELETE, Stay]);
    assert_eq!(steps(&points[..2], &terms(Protect)), [DELETE, Stay]);
    assert_eq!(
        steps(&points, &terms(StopAndRetainByPolicy)),
        [DELETE, DELETE, Stay]
    );
    let [_, last] = &*decide(&points[..2], &terms(Protect), day(20)) else {
        panic!("two points")
    };
    assert_eq!(last.expires_at, Some(day(9)));
    assert!(
        last.kept_because.as_ref().unwrap().contains("newest complete"),
        "{last:?}"
    );
}

#[test]
fn a_point_that_is_wanted_gone_is_no_reason_to_delete_another() {
    let points = [made(1), wanted(Wanted::Deleted, made(2))];
    assert_eq!(steps(&points, &terms(Protect)), [Stay, DELETE]);
}

#[test]
fn a_point_that_is_to_be_copied_goes_only_when_somebody_asks_for_that() {
    let awaited = |entry: Entry| Entry {
        awaited: true,
        ..entry
    };
    for (entry, terms, step) in [
        (awaited(made(1)), terms(Protect), Stay),
        (awaited(deleted(1, 4)), terms(Protect), Stay),
        (awaited(wanted(Wanted::Deleted, made(1))), terms(Protect), DELETE),
        (awaited(made(1)), terms(StopAndDelete), DELETE),
    ] {
        assert_eq!(steps(&[entry.clone(), made(18)], &terms)[0], step, "{entry:?}");
    }
}

#[test]
fn nothing_goes_without_a_policy_or_where_points_are_retained() {
    let points = [made(1), made(2), deleted(3, 4)];
    for terms in [
        without_policy(Protect),
        without_policy(StopAndRetain),
        terms(StopAndRetain),
    ] {
        assert_eq!(steps(&points, &terms), [Stay; 3], "{terms:?}");
        let told = decide(&points, &terms, day(20));
        assert!(told.iter().all(|fate| fate.kept_because.is_some()), "{told:?}");
    }
}

#[test]
fn what_is_asked_for_by_name_goes_first() {
    for (entry, step) in [
        (wanted(Wanted::Deleted, made(19)), DELETE),
        (wanted(Wanted::Present, made(1)), Stay),
        (wanted(Wanted::Present, deleted(1, 4)), Undelete),
        (named(deleted(19, 4)), Purge),
        (named(deleted(19, 21)), Stay),
        // Nobody shows the wish any more.
        (
            Entry {
                wanted: None,
                ..named(deleted(19, 4))
            },
            Purge,
        ),
        (wanted(Wanted::Present, named(deleted(19, 4))), Undelete),
        // Its policy had it deleted before somebody asked for that: noted first, and it goes no later for that.
        (wanted(Wanted::Deleted, deleted(19, 21)), noted(21)),
        (wanted(Wanted::Deleted, deleted(19, 4)), noted(4)),
    ] {
        let points = [entry, made(18)];
        for terms in [
            terms(Protect),
            terms(StopAndRetain),
            terms(StopAndDelete),
            without_policy(Protect),
        ] {
            assert_eq!(steps(&points, &terms)[0], step, "{points:?} {terms:?}");
        }
    }
}

#[test]
fn stopped_protection_deletes_all_points_only_where_it_says_so() {
    let points = [made(18), made(19), deleted(17, 18)];
    assert_eq!(steps(&points, &terms(StopAndDelete)), [DELETE, DELETE, Purge]);
    assert_eq!(
        steps(&points, &without_policy(StopAndDelete)),
        [DELETE, DELETE, Purge]
    );
}

#[test]
fn before_a_purge_the_policy_is_asked_as_if_the_point_were_not_deleted() {
    for (points, step) in [
        (vec![deleted(1, 4), made(2)], Purge),
        (vec![deleted(1, 21), made(2)], Stay),
        // The newer one is gone meanwhile, or deleted, too.
        (vec![deleted(1, 4)], Stay),
        (vec![deleted(2, 4), made(1)], Stay),
        (vec![deleted(1, 4), deleted(2, 4)], Stay),
        // Its policy keeps for longer than it did.
        (vec![deleted(15, 16), made(19)], Stay),
    ] {
        assert_eq!(steps(&points, &terms(Protect))[0], step, "{points:?}");
    }
}

#[test]
fn an_immutable_vault_promises_the_time_of_the_policy_and_keeps_it() {
    let until = Step::Extend { until: day(22) };
    let kept = |until, entry: Entry| Entry {
        kept_until: Some(day(until)),
        ..entry
    };
    for (entry, step) in [
        (made(15), until),
        (wanted(Wanted::Deleted, made(15)), until),
        (kept(21, made(15)), until),
        (kept(22, made(15)), Stay),
        (wanted(Wanted::Deleted, kept(22, made(15))), Stay),
        // The policy was shortened since.
        (kept(30, made(1)), Stay),
        (kept(19, made(1)), DELETE),
        (kept(30, deleted(1, 4)), Stay),
        (kept(19, deleted(1, 4)), Purge),
    ] {
        let points = [entry, made(19)];
        assert_eq!(steps(&points, &immutable(terms(Protect)))[0], step, "{points:?}");
    }
    let asked = [wanted(Wanted::Deleted, made(1)), named(deleted(1, 4))];
    assert_eq!(steps(&asked, &immutable(without_policy(Protect))), [Stay; 2]);
}

#[test]
fn what_a_restore_reads_goes_when_that_has_ended() {
    let read = |entry: Entry| Entry {
        reader: Some("Restore friday".to_owned()),
        ..entry
    };
    let promised = immutable(terms(Protect));
    for (entry, terms, step) in [
        (made(1), terms(Protect), DELETE),
        (made(1), terms(StopAndDelete), DELETE),
        (wanted(Wanted::Deleted, made(19)), terms(Protect), DELETE),
        (named(deleted(19, 4)), terms(Protect), Purge),
        (deleted(1, 4), terms(Protect), Purge),
    ] {
        let points = |entry: Entry| [entry, made(18)];
        assert_eq!(steps(&points(entry.clone()), &terms)[0], step, "{entry:?}");
        let fates = decide(&points(read(entry.clone())), &terms, day(20));
        assert_eq!(fates[0].step, Stay, "{entry:?}");
        let why = fates[0].kept_because.as_ref().unwrap();
        assert!(why.contains("Restore friday reads it"), "{why}");
    }
    // What takes nothing away doesn't wait.
    for (entry, terms, step) in [
        (wanted(Wanted::Present, deleted(1, 4)), terms(Protect), Undelete),
        (made(19), promised, Step::Extend { until: day(26) }),
    ] {
        assert_eq!(steps(&[read(entry), made(18)], &terms)[0], step);
    }
}
