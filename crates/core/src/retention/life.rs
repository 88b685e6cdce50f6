//! What becomes of the points of one instance in one vault: which are to be deleted, undeleted, kept for longer, and purged.
//!
//! Data goes only by the policy of an instance, or because somebody asked for just that: for the deletion of this point, or
//! of all points of an instance whose protection is stopped. A deleted point can be had back until it is purged. Before
//! that its policy is asked once more, as if the point were not deleted: so the last one stays, and the newest complete one
//! of each rule, whatever has become of the others meanwhile.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Point, Rules, Standing, Verdict, judge};

/// What is asked of a recovery point by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Wanted {
    /// It stays, whatever its policy says.
    Present,
    /// It goes, whatever its policy says.
    Deleted,
}

/// What becomes of an instance, and of its points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Protection {
    /// It is backed up, and its points are kept by its policy.
    #[default]
    Protect,
    /// It isn't backed up any more; its points are kept.
    StopAndRetain,
    /// It isn't backed up any more; its points are kept by its policy.
    StopAndRetainByPolicy,
    /// It isn't backed up any more; its points are deleted.
    StopAndDelete,
}

/// A point as its vault has it, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The point.
    pub point: Point,
    /// If it is deleted: how.
    pub deletion: Option<Deletion>,
    /// Until when its vault keeps it at least.
    pub kept_until: Option<Timestamp>,
    /// What is asked of it.
    pub wanted: Option<Wanted>,
    /// Whether it is to be copied into the vault tier, and is not there yet.
    pub awaited: bool,
}

/// What its vault knows of the deletion of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// From when on its data may be removed.
    pub purge_after: Timestamp,
    /// Whether that somebody has asked for it by its name is noted there: what the cluster shows may be lost.
    pub named: bool,
}

/// By what the points of an instance are kept.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The rules of its policy; none where it has no policy.
    pub rules: Option<Rules>,
    /// What becomes of it.
    pub protection: Protection,
    /// For how long a deleted point can be had back.
    pub soft_delete: SignedDuration,
    /// Whether nobody can have a point deleted before its time.
    pub immutable: bool,
}

/// What has to be done with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Stay,
    /// It is deleted, and can be had back until then.
    Delete {
        /// From when on its data may be removed.
        purge_after: Timestamp,
    },
    /// It is not deleted any more.
    Undelete,
    /// Its vault keeps it at least so long.
    Extend {
        /// Until when.
        until: Timestamp,
    },
    /// Its data is removed.
    Purge,
}

/// What becomes of a point, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// What has to be done now.
    pub step: Step,
    /// When its policy deletes it, as far as time alone decides.
    pub expires_at: Option<Timestamp>,
    /// Why it stays, where that is not just its time.
    pub kept_because: Option<String>,
}

/// What becomes of each of the points of an instance, in their order.
///
/// That another point stays is no reason to delete one if that other is deleted, or somebody wants it to be: each is judged
/// among those that stay.
pub fn decide(entries: &[Entry], terms: &Terms, now: Timestamp) -> Vec<Fate> {
    let rules = terms.rules.as_ref();
    let mut judged = rules.into_iter().flat_map(|rules| verdicts(entries, rules, now));
    let fates = entries.iter().map(|entry| {
        let verdict = judged.next();
        match entry.deletion {
            None => present(entry, terms, verdict.as_ref(), now),
            Some(deletion) => deleted(entry, terms, verdict.as_ref(), deletion, now),
        }
    });
    fates.collect()
}

/// What the rules say of each of the points of an instance, in their order, among those that stay.
pub fn verdicts(entries: &[Entry], rules: &Rules, now: Timestamp) -> Vec<Verdict> {
    let staying = entries.iter().filter(|entry| entry.stays());
    let mut staying: Vec<Point> = staying.map(|entry| entry.point.clone()).collect();
    let mut judged = judge(&staying, rules, now).into_iter();
    let verdicts = entries.iter().filter_map(|entry| {
        if entry.stays() {
            return judged.next();
        }
        staying.push(entry.point.clone());
        let verdict = judge(&staying, rules, now).pop();
        staying.pop();
        verdict
    });
    verdicts.collect()
}

impl Entry {
    /// What is asked of it; where the cluster has lost that, as its vault has noted it.
    fn wish(&self) -> Option<Wanted> {
        let noted = self.deletion.filter(|deletion| deletion.named);
        self.wanted.or_else(|| noted.map(|_| Wanted::Deleted))
    }

    /// Whether it is not deleted, nor is to be by its name.
    pub(super) fn stays(&self) -> bool {
        self.deletion.is_none() && self.wanted != Some(Wanted::Deleted)
    }
}

fn present(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>, now: Timestamp) -> Fate {
    let expires_at = verdict.map(|verdict| verdict.until);
    let stays = |because: Option<String>| Fate {
        step: Step::Stay,
        expires_at,
        kept_because: because,
    };
    if let Some(until) = promise(entry, terms, verdict, now) {
        return Fate {
            step: Step::Extend { until },
            ..stays(None)
        };
    }
    match asked(entry, terms, verdict) {
        Err(because) => stays(because),
        Ok(()) => match locked(entry, terms, verdict, now) {
            Some(because) => stays(Some(because)),
            None => Fate {
                step: Step::Delete {
                    purge_after: now.checked_add(terms.soft_delete).unwrap_or(Timestamp::MAX),
                },
                ..stays(None)
            },
        },
    }
}

fn deleted(
    entry: &Entry,
    terms: &Terms,
    verdict: Option<&Verdict>,
    Deletion { purge_after, named }: Deletion,
    now: Timestamp,
) -> Fate {
    let (step, kept_because) = match entry.wish() {
        Some(Wanted::Present) => (Step::Undelete, None),
        Some(Wanted::Deleted) if !named => (Step::Delete { purge_after }, None),
        _ if now < purge_after => (Step::Stay, None),
        _ => match asked(entry, terms, verdict) {
            Err(because) => (Step::Stay, because),
            Ok(()) => match locked(entry, terms, verdict, now) {
                Some(because) => (Step::Stay, Some(because)),
                None => (Step::Purge, None),
            },
        },
    };
    Fate {
        step,
        expires_at: None,
        kept_because,
    }
}

/// Whether somebody asks for the deletion of a point, by its name or its instance, or its policy does; else why it stays.
fn asked(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>) -> Result<(), Option<String>> {
    match (entry.wish(), terms.protection, verdict) {
        (Some(Wanted::Present), ..) => Err(Some("spec.wanted of the RecoveryPoint is Present".to_owned())),
        (Some(Wanted::Deleted), ..) | (None, Protection::StopAndDelete, _) => Ok(()),
        (None, Protection::StopAndRetain, _) => Err(Some(
            "the protection of its instance is stopped, and its points are retained".to_owned(),
        )),
        (None, _, None) => Err(Some(
            "its instance has no policy that could be followed".to_owned(),
        )),
        (None, _, Some(verdict)) => match verdict.standing {
            Standing::Expired if entry.awaited => Err(Some(
                "it is to be copied into the vault tier before it goes".to_owned(),
            )),
            Standing::Expired => Ok(()),
            Standing::InTime => Err(None),
            Standing::Newest | Standing::Last | Standing::BaseOf(_) => Err(Some(verdict.to_string())),
        },
    }
}

/// Why it stays although its deletion is asked for.
fn locked(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>, now: Timestamp) -> Option<String> {
    if let Some(until) = entry.kept_until.filter(|until| now < *until) {
        return Some(format!("its vault keeps it until {until}, whatever is asked for"));
    }
    let promised = entry.kept_until.is_some() || verdict.is_some_and(|verdict| verdict.until <= now);
    (terms.immutable && !promised)
        .then(|| "its vault is immutable, and no policy says for how long the point is kept".to_owned())
}

/// Until when an immutable vault has to promise to keep a point; nothing where it has promised that.
fn promise(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>, now: Timestamp) -> Option<Timestamp> {
    let until = verdict.filter(|_| terms.immutable)?.until;
    (now < until && entry.kept_until < Some(until)).then_some(until)
}

#[cfg(test)]
mod tests {
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
}
