//! What should happen next to the certificates. A pure function: whoever wonders "what happens if …" finds the answer
//! in its tests.

use jiff::Timestamp;

use crate::{
    authority::{Certificate, Leaf},
    lifetimes::Lifetimes,
    material::Material,
    step::Step,
};

/// All that a decision depends on, besides the time.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What the Secret holds; `None` if there is none or it is of no use.
    pub stored: Option<&'a Material>,
    /// What the Secret held when it was last of use.
    pub remembered: Option<&'a Material>,
    /// Since when every webhook configuration is known to carry the stored bundle.
    pub carried_since: Option<Timestamp>,
    /// How long things live.
    pub lifetimes: &'a Lifetimes,
}

/// Decides what to do next.
pub fn decide(now: Timestamp, situation: &Situation<'_>) -> Step {
    match (situation.stored, situation.remembered) {
        (Some(stored), _) => tend(now, stored, situation),
        // Whoever deletes the Secret wants other certificates. They get them by way of a rotation, with no failed call.
        (None, Some(remembered)) if remembered.issuer.certificate().is_valid_at(now) => Step::PublishNext,
        (None, _) => Step::Begin,
    }
}

fn tend(now: Timestamp, stored: &Material, situation: &Situation<'_>) -> Step {
    let Situation {
        lifetimes,
        carried_since,
        ..
    } = *situation;
    let issuer = stored.issuer.certificate();
    let next = stored
        .next
        .as_ref()
        .filter(|next| next.certificate().is_valid_at(now));

    if !issuer.is_valid_at(now) {
        // Trust in the next one may have spread; trust in this one is of no use any more.
        return if next.is_some() {
            Step::SwitchToNext
        } else {
            Step::Begin
        };
    }
    let Some(leaf) = stored
        .leaf
        .as_ref()
        .map(Leaf::certificate)
        .filter(|leaf| leaf.is_valid_at(now))
    else {
        return Step::RenewLeaf;
    };
    let authority_due = lifetimes.authority_due(issuer.not_after());
    if next.is_none() && (stored.next.is_some() || authority_due <= now) {
        return Step::PublishNext;
    }
    let settled = next.and(carried_since).map(|since| later(since, lifetimes));
    if settled.is_some_and(|settled| settled <= now) {
        return Step::SwitchToNext;
    }
    let leaf_due = lifetimes.leaf_due(leaf.not_after());
    // Close to the authority's end a new leaf would end with it like the old one.
    let lives_longer = |then| {
        stored
            .issuer
            .leaf_expiry(then, lifetimes.leaf())
            .is_ok_and(|end| end > leaf.not_after())
    };
    if leaf_due <= now && lives_longer(now) {
        return Step::RenewLeaf;
    }
    if stored.previous.iter().any(|old| old.not_after() <= now) {
        return Step::DropPrevious;
    }
    let due = stored.previous.iter().map(Certificate::not_after);
    let due = due
        .chain([leaf_due, leaf.not_after(), authority_due, issuer.not_after()])
        .chain(settled);
    Step::Wait {
        until: due
            .filter(|due| *due > now)
            .min()
            .unwrap_or_else(|| issuer.not_after()),
    }
}

fn later(since: Timestamp, lifetimes: &Lifetimes) -> Timestamp {
    since.checked_add(lifetimes.settling()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::authority::ServiceNames;

    fn lifetimes() -> Lifetimes {
        Lifetimes::default()
    }

    fn start() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn names() -> ServiceNames {
        ServiceNames::new("webhook", "system")
    }

    fn day(n: i64) -> Timestamp {
        start() + SignedDuration::from_hours(24 * n)
    }

    fn fresh(at: Timestamp) -> Material {
        Material::begin(at, &lifetimes(), &names()).unwrap()
    }

    fn after(material: Material, step: Step, at: Timestamp) -> Material {
        material.after(step, at, &lifetimes(), &names()).unwrap().unwrap()
    }

    fn decide_stored(now: Timestamp, stored: &Material, carried_since: Option<Timestamp>) -> Step {
        let lifetimes = lifetimes();
        decide(
            now,
            &Situation {
                stored: Some(stored),
                remembered: None,
                carried_since,
                lifetimes: &lifetimes,
            },
        )
    }

    #[test]
    fn nothing_stored_or_nothing_usable_begins() {
        let lifetimes = lifetimes();
        let remembered = fresh(day(-400));
        for remembered in [None, Some(&remembered)] {
            let nothing = Situation {
                stored: None,
                remembered,
                carried_since: None,
                lifetimes: &lifetimes,
            };
            assert_eq!(decide(start(), &nothing), Step::Begin);
        }
    }

    #[test]
    fn a_deleted_secret_comes_back_with_a_next_authority_and_the_old_one_still_trusted() {
        let (lifetimes, old) = (lifetimes(), fresh(start()));
        let deleted = Situation {
            stored: None,
            remembered: Some(&old),
            carried_since: Some(start()),
            lifetimes: &lifetimes,
        };
        assert_eq!(decide(day(1), &deleted), Step::PublishNext);
        let back = after(old.clone(), Step::PublishNext, day(1));
        assert_eq!((back.issuer, back.leaf), (old.issuer, old.leaf));
    }

    #[test]
    fn what_is_due_is_done_and_nothing_before_it_is() {
        let fresh = fresh(start());
        let published = after(fresh.clone(), Step::PublishNext, day(244));
        let published = after(published, Step::RenewLeaf, day(244));
        let switched = after(published.clone(), Step::SwitchToNext, day(245));
        let renewed = after(switched.clone(), Step::RenewLeaf, day(365));
        let without_leaf = Material {
            leaf: None,
            ..fresh.clone()
        };
        let minute = SignedDuration::from_mins(1);
        let second = SignedDuration::from_secs(1);
        let wait = |until| Step::Wait { until };

        let due = after(fresh.clone(), Step::RenewLeaf, day(244));
        #[rustfmt::skip]
        let cases = [
            ("all is new", &fresh, start(), None, wait(day(20))),
            ("just before the leaf is due", &fresh, day(20) - second, None, wait(day(20))),
            ("the leaf is due", &fresh, day(20), None, Step::RenewLeaf),
            ("the leaf has expired", &fresh, day(31), None, Step::RenewLeaf),
            ("the leaf is of no use", &without_leaf, start(), None, Step::RenewLeaf),
            ("the authority is due", &due, day(244), None, Step::PublishNext),
            ("the next one isn't carried yet", &published, day(244), None, wait(day(264))),
            ("it has just been carried", &published, day(244), Some(day(244)), wait(day(244) + minute)),
            ("it has settled", &published, day(244) + minute, Some(day(244)), Step::SwitchToNext),
            ("a leaf is due while it isn't carried", &published, day(264), None, Step::RenewLeaf),
            ("the old one is trusted until its end", &switched, day(245), Some(day(244)), wait(day(265))),
            ("the old one has expired", &renewed, day(365), Some(day(300)), Step::DropPrevious),
            ("everything has expired", &fresh, day(366), None, Step::Begin),
            ("never carried, and the old one has expired", &published, day(366), None, Step::SwitchToNext),
            ("made by a clock that was far ahead", &fresh, day(-2), None, Step::Begin),
            ("a clock that is a little behind", &fresh, start() - minute, None, wait(day(20))),
        ];
        for (what, stored, now, carried_since, expected) in cases {
            assert_eq!(decide_stored(now, stored, carried_since), expected, "{what}");
        }
    }

    #[test]
    fn a_leaf_that_cannot_live_longer_is_not_renewed_in_circles() {
        let stuck = after(fresh(start()), Step::PublishNext, day(244));
        let last = after(stuck, Step::RenewLeaf, day(340));
        assert_eq!(
            decide_stored(day(364), &last, None),
            Step::Wait { until: day(365) }
        );
    }

    #[test]
    fn a_next_authority_that_expired_unused_is_published_anew() {
        let forgotten = after(fresh(start()), Step::PublishNext, day(-200));
        let forgotten = after(forgotten, Step::RenewLeaf, day(170));
        assert_eq!(decide_stored(day(170), &forgotten, None), Step::PublishNext);
    }

    /// Two years, hour by hour: a client that trusts what was carried a settling time ago accepts what is served, at
    /// any moment.
    #[test]
    fn whatever_is_served_is_always_trusted() {
        let lifetimes = lifetimes();
        let mut stored = fresh(start());
        let mut trusted = stored.bundle();
        let mut carried_since = start();
        let mut steps = std::collections::BTreeMap::<_, u32>::new();
        for hour in 0..(2 * 365 * 24) {
            let now = start() + SignedDuration::from_hours(hour);
            loop {
                let step = decide_stored(now, &stored, Some(carried_since));
                let Some(changed) = stored.clone().after(step, now, &lifetimes, &names()).unwrap() else {
                    break;
                };
                *steps.entry(step.name()).or_default() += 1;
                stored = changed;
                let leaf = stored.leaf.as_ref().unwrap();
                assert!(leaf.certificate().is_valid_at(now), "expired at {now}");
                let authority = stored.issuer.certificate();
                assert!(
                    trusted.contains(authority.pem().trim()),
                    "an authority nobody trusts, at {now}"
                );
                assert!(leaf.serves(&names(), authority));
                if stored.bundle() != trusted {
                    (trusted, carried_since) = (stored.bundle(), now);
                }
            }
        }
        assert_eq!(steps["publish-next"], 2);
        assert_eq!(steps["switch-to-next"], 2);
        assert_eq!(steps["drop-previous"], 2, "{steps:?}");
        assert!(!steps.contains_key("begin"));
        assert!((30..45).contains(&steps["renew-leaf"]), "{steps:?}");
    }
}
