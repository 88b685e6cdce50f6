//! How long recovery points are kept, and why.
//!
//! - `period`: of which day, week, month and year a point is the first good one
//! - `promise`: whether it was ever promised
//! - `rules`: for how long each rule keeps
//! - `shortening`: whether other rules keep for shorter
//! - `tier`: which points are copied into the vault tier
//! - `verdict`: what is said of a point
//! - `life`: what becomes of it, also by what is asked of it
//!
//! The rules of one tier are asked about the points of that tier: [`judge`]. A complete point falls to one rule: the
//! one for the first of the year comes before that of the month, the week, the day, and the default rule, if the
//! point is that first one and the policy has the rule. A partial point always falls to the default rule.
//!
//! Past its time a point is still kept if it is the newest complete one of its rule, if it is the newest of all where
//! none is complete, or while a later copy builds on it. So a verdict changes with time only from kept to expired, and
//! deleting what is expired changes no verdict on the rest.

mod life;
mod period;
mod promise;
mod rules;
mod shortening;
mod tier;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

pub use life::{Deletion, Entry, Fate, Protection, Step, Terms, Wanted, decide, verdicts};
pub use period::{Period, first_of};
pub use promise::{Maker, Promise, promise};
pub use rules::{Limits, Rule, Rules, Tier, WrongRules};
pub use shortening::Shortening;
pub use tier::belongs;
pub use verdict::{Standing, Verdict};

/// What retention knows about a recovery point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub id: String,
    /// The moment that it holds.
    pub time: Timestamp,
    /// How its backup ended.
    pub outcome: Outcome,
    /// The later copies, in any tier, that can't be read without this point. Only those that still exist; one that is
    /// not among the points in question counts as kept.
    pub base_of: Vec<String>,
}

/// How the backup of a recovery point ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With everything in it; the periods that it was the first good point of when it was made ([`first_of`]). They
    /// are noted with the point: found anew, they would change whenever an earlier point is deleted.
    Completed(BTreeSet<Period>),
    /// With something missing.
    Partial,
}

/// The verdict on each of the points of one tier, in their order.
///
/// Delete the expired ones newest first: then no interruption leaves a copy without its base.
pub fn judge(points: &[Point], rules: &Rules, now: Timestamp) -> Vec<Verdict> {
    let indispensable = indispensable(points, rules);
    let mut verdicts: Vec<_> = points.iter().map(|point| by_time(point, rules, now)).collect();
    for (index, standing) in indispensable {
        if let Some(verdict) = verdicts.get_mut(index).filter(|verdict| !verdict.is_kept()) {
            verdict.standing = standing;
        }
    }
    keep_bases(points, &mut verdicts);
    verdicts
}

/// What time alone says.
fn by_time(point: &Point, rules: &Rules, now: Timestamp) -> Verdict {
    let rule = rules.of(&point.outcome);
    let span = SignedDuration::from_hours(24 * i64::from(rules.days(rule)));
    let until = point.time.checked_add(span).unwrap_or(Timestamp::MAX);
    let standing = if now < until {
        Standing::InTime
    } else {
        Standing::Expired
    };
    Verdict {
        rule,
        until,
        standing,
    }
}

/// The points that are kept at any age, by their places: the newest complete one of each rule, or the newest of all.
fn indispensable(points: &[Point], rules: &Rules) -> Vec<(usize, Standing)> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|index| points.get(*index).map(|point| (point.time, &point.id)));
    let complete = order.iter().filter_map(|index| match points.get(*index) {
        Some(Point {
            outcome: outcome @ Outcome::Completed(_),
            ..
        }) => Some((rules.of(outcome), *index)),
        _ => None,
    });
    let newest: BTreeMap<Rule, usize> = complete.collect();
    if newest.is_empty() {
        let last = order.last().map(|index| (*index, Standing::Last));
        return last.into_iter().collect();
    }
    newest
        .into_values()
        .map(|index| (index, Standing::Newest))
        .collect()
}

/// Keeps what a copy that is kept builds on, and what that builds on.
fn keep_bases(points: &[Point], verdicts: &mut [Verdict]) {
    let places: BTreeMap<&str, usize> = (0..)
        .zip(points)
        .map(|(index, point)| (&*point.id, index))
        .collect();
    let mut bases: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut needed: Vec<(usize, &str)> = Vec::new();
    for (base, point) in points.iter().enumerate() {
        for copy in &point.base_of {
            match places.get(&**copy) {
                Some(copy) => bases.entry(*copy).or_default().push(base),
                None => needed.push((base, copy)),
            }
        }
    }
    let needed_by = |copy: usize| {
        let id = points.get(copy).map_or("", |point| &*point.id);
        bases
            .get(&copy)
            .into_iter()
            .flatten()
            .map(move |base| (*base, id))
    };
    for (copy, _) in verdicts
        .iter()
        .enumerate()
        .filter(|(_, verdict)| verdict.is_kept())
    {
        needed.extend(needed_by(copy));
    }
    while let Some((base, copy)) = needed.pop() {
        let Some(verdict) = verdicts.get_mut(base).filter(|verdict| !verdict.is_kept()) else {
            continue;
        };
        verdict.standing = Standing::BaseOf(copy.to_owned());
        needed.extend(needed_by(base));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24;

    fn point(id: &str, day: i64, outcome: Outcome, base_of: &[&str]) -> Point {
        Point {
            id: id.to_owned(),
            time: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(DAY * day),
            outcome,
            base_of: base_of.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    fn good(periods: &[Period]) -> Outcome {
        Outcome::Completed(periods.iter().copied().collect())
    }

    /// Seven days by default, 30 for the first of a week, a year for the first of a month.
    fn rules() -> Rules {
        let more = [(Period::Week, 30), (Period::Month, 360)];
        Rules::new(Tier::Operational, 7, more.into(), Limits::default()).unwrap()
    }

    /// The standings on a day.
    fn on(day: i64, points: &[Point]) -> Vec<Standing> {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(DAY * day);
        let verdicts = judge(points, &rules(), now);
        verdicts.into_iter().map(|verdict| verdict.standing).collect()
    }

    fn base_of(id: &str) -> Standing {
        Standing::BaseOf(id.to_owned())
    }

    use Standing::{Expired, InTime, Last, Newest};

    #[test]
    fn the_first_of_the_longest_period_that_has_a_rule_decides() {
        for (periods, rule, days) in [
            (&[][..], Rule::Default, 7),
            (&[Period::Day], Rule::Default, 7),
            (&[Period::Day, Period::Week], Rule::FirstOf(Period::Week), 30),
            (
                &[Period::Week, Period::Month, Period::Year],
                Rule::FirstOf(Period::Month),
                360,
            ),
        ] {
            let points = [point("a", 0, good(periods), &[])];
            let verdict = judge(&points, &rules(), Timestamp::UNIX_EPOCH).remove(0);
            assert_eq!(verdict.rule, rule, "{periods:?}");
            let until = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(DAY * days);
            assert_eq!((verdict.until, verdict.standing), (until, InTime), "{periods:?}");
        }
    }

    #[test]
    fn a_point_expires_when_its_time_is_over_and_not_before() {
        let points = [point("a", 0, good(&[]), &[]), point("b", 1, good(&[]), &[])];
        assert_eq!(on(6, &points), [InTime, InTime]);
        assert_eq!(on(7, &points), [Expired, InTime]);
        assert_eq!(on(8, &points), [Expired, Newest]);
        assert_eq!(on(100_000, &points), [Expired, Newest]);
    }

    #[test]
    fn the_newest_complete_point_of_each_rule_is_kept() {
        let points = [
            point("month", 0, good(&[Period::Month]), &[]),
            point("week 1", 1, good(&[Period::Week]), &[]),
            point("week 2", 8, good(&[Period::Week]), &[]),
            point("other 1", 9, good(&[]), &[]),
            point("other 2", 10, good(&[Period::Day]), &[]),
        ];
        assert_eq!(on(1000, &points), [Newest, Expired, Newest, Expired, Newest]);
    }

    #[test]
    fn a_partial_point_displaces_no_complete_one() {
        let points = [
            point("good", 0, good(&[]), &[]),
            point("partial", 1, Outcome::Partial, &[]),
            point("partial too", 2, Outcome::Partial, &[]),
        ];
        assert_eq!(on(8, &points), [Newest, Expired, InTime]);
        assert_eq!(on(1000, &points), [Newest, Expired, Expired]);
    }

    #[test]
    fn the_last_point_is_kept_even_if_it_is_partial() {
        let points = [
            point("b", 0, Outcome::Partial, &[]),
            point("a", 0, Outcome::Partial, &[]),
        ];
        assert_eq!(
            on(1000, &points),
            [Last, Expired],
            "of two at once, the greater name"
        );
        assert_eq!(on(1000, &points[1..]), [Last]);
        assert_eq!(on(1000, &[]), []);
    }

    #[test]
    fn what_a_kept_copy_builds_on_is_kept() {
        let chain = [
            point("1", 0, good(&[]), &["2"]),
            point("2", 1, good(&[]), &["3"]),
            point("3", 2, good(&[]), &[]),
            point("4", 3, good(&[]), &["5"]),
            point("5", 4, good(&[]), &[]),
            point("6", 5, good(&[]), &[]),
        ];
        assert_eq!(on(8, &chain)[..3], [base_of("2"), base_of("3"), InTime]);
        assert_eq!(on(9, &chain)[..3], [Expired, Expired, Expired]);
        assert_eq!(
            on(1000, &chain),
            [Expired, Expired, Expired, Expired, Expired, Newest]
        );
    }

    #[test]
    fn a_copy_in_another_tier_keeps_its_base() {
        let points = [
            point("1", 0, good(&[]), &["in the vault"]),
            point("2", 1, good(&[]), &[]),
        ];
        assert_eq!(on(1000, &points), [base_of("in the vault"), Newest]);
    }

    #[test]
    fn points_that_name_each_other_keep_nobody() {
        let points = [
            point("1", 0, good(&[]), &["2", "1"]),
            point("2", 1, good(&[]), &["1"]),
            point("3", 2, good(&[]), &[]),
        ];
        assert_eq!(on(1000, &points), [Expired, Expired, Newest]);
    }

    #[test]
    fn times_at_the_end_of_the_calendar_are_no_trap() {
        let mut last = point("a", 0, good(&[]), &[]);
        last.time = Timestamp::MAX;
        assert_eq!(on(0, &[last]), [InTime]);
    }
}
