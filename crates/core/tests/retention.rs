//! What retention keeps, for any points: the newest good ones, what copies build on, and its word.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_core::retention::{Limits, Outcome, Period, Point, Rules, Standing, Tier, Verdict};
use clusterbackup_core::retention::{first_of, judge};
use clusterbackup_core::zone::Zone;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
}

/// Rules of which each keeps at least as long as those that it comes before.
fn rules() -> impl Strategy<Value = Rules> {
    let more = vec(prop::option::of(0_u32..60), 4);
    (1_u32..60, more).prop_map(|(default, more)| {
        let mut days = default;
        let mut first_of = BTreeMap::new();
        for (period, more) in Period::ALL.into_iter().zip(more) {
            if let Some(more) = more {
                days += more;
                first_of.insert(period, days);
            }
        }
        Rules::new(Tier::Operational, default, first_of, Limits::default()).unwrap()
    })
}

/// Points with pauses of hours to weeks between them, some of them partial, some the base of the next one or of a copy
/// elsewhere.
fn points() -> impl Strategy<Value = Vec<Point>> {
    let pause = prop_oneof![0_i64..12, 12_i64..48, 48_i64..1000];
    let kind = (
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.03),
    );
    vec((pause, kind), 0..60).prop_map(|made| {
        let mut hour = 0;
        let mut previous = None;
        let mut points = Vec::new();
        for (index, (pause, (good, is_base, elsewhere))) in made.into_iter().enumerate() {
            hour += pause;
            let outcome = if good {
                let firsts = first_of(at(hour), previous.replace(at(hour)), &Zone::UTC);
                Outcome::Completed(firsts)
            } else {
                Outcome::Partial
            };
            let next = is_base.then(|| format!("{:03}", index + 1));
            let copy = elsewhere.then(|| format!("copy of {index}"));
            points.push(Point {
                id: format!("{index:03}"),
                time: at(hour),
                outcome,
                base_of: next.into_iter().chain(copy).collect(),
            });
        }
        let last = format!("{:03}", points.len());
        for point in &mut points {
            point.base_of.retain(|id| *id != last);
        }
        points
    })
}

/// What is left when the expired ones are deleted, with the verdicts on it.
fn keep(points: &[Point], verdicts: &[Verdict]) -> (Vec<Point>, Vec<Verdict>) {
    let kept = points
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| verdict.is_kept());
    let (mut points_kept, verdicts): (Vec<Point>, Vec<Verdict>) = kept
        .map(|(point, verdict)| (point.clone(), verdict.clone()))
        .unzip();
    let ids: BTreeSet<String> = points_kept.iter().map(|point| point.id.clone()).collect();
    for point in &mut points_kept {
        point
            .base_of
            .retain(|id| ids.contains(id) || id.starts_with("copy"));
    }
    (points_kept, verdicts)
}

/// Two moments, the earlier one first.
fn moments() -> impl Strategy<Value = (i64, i64)> {
    (0_i64..100_000, 0_i64..50_000).prop_map(|(now, pause)| (now, now + pause))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_newest_good_point_is_never_deleted(points in points(), rules in rules(), now in 0_i64..100_000) {
        let verdicts = judge(&points, &rules, at(now));
        let good = |point: &Point| matches!(point.outcome, Outcome::Completed(_));
        let newest = points.iter().rposition(good).or_else(|| points.len().checked_sub(1));
        if let Some(newest) = newest {
            prop_assert!(verdicts[newest].is_kept());
        }
        let kept = points.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_kept());
        prop_assert_eq!(kept.filter(|(point, _)| good(point)).count() > 0, points.iter().any(good));
    }

    #[test]
    fn nothing_is_deleted_before_its_time_or_under_a_copy(
        points in points(),
        rules in rules(),
        now in 0_i64..100_000,
    ) {
        let verdicts = judge(&points, &rules, at(now));
        let standing: BTreeMap<_, _> = points.iter().map(|point| &point.id).zip(&verdicts).collect();
        for (point, verdict) in points.iter().zip(&verdicts) {
            if verdict.is_kept() {
                continue;
            }
            prop_assert!(verdict.until <= at(now));
            for copy in &point.base_of {
                prop_assert!(standing.get(copy).is_some_and(|copy| !copy.is_kept()), "{}", copy);
            }
        }
    }

    #[test]
    fn deleting_what_is_expired_changes_no_other_verdict(
        points in points(), rules in rules(), (now, later) in moments()
    ) {
        let (left, verdicts) = keep(&points, &judge(&points, &rules, at(now)));
        prop_assert_eq!(&judge(&left, &rules, at(now)), &verdicts);
        let at_once = keep(&points, &judge(&points, &rules, at(later)));
        let in_steps = keep(&left, &judge(&left, &rules, at(later)));
        prop_assert_eq!(in_steps, at_once);
    }

    #[test]
    fn what_is_expired_stays_so_and_what_is_in_time_was_so(
        points in points(), rules in rules(), (now, later) in moments()
    ) {
        let before = judge(&points, &rules, at(now));
        let after = judge(&points, &rules, at(later));
        for (before, after) in before.iter().zip(&after) {
            prop_assert_eq!((before.rule, before.until), (after.rule, after.until));
            prop_assert!(before.is_kept() || !after.is_kept());
            prop_assert!(after.standing != Standing::InTime || before.standing == Standing::InTime);
        }
    }

    #[test]
    fn the_order_of_the_points_changes_nothing(points in points(), rules in rules(), now in 0_i64..100_000) {
        let verdicts = judge(&points, &rules, at(now));
        let mut turned: Vec<_> = points.clone();
        turned.reverse();
        let mut found = judge(&turned, &rules, at(now));
        found.reverse();
        let kept = |verdicts: &[Verdict]| verdicts.iter().map(Verdict::is_kept).collect::<Vec<_>>();
        prop_assert_eq!(kept(&found), kept(&verdicts));
    }
}

#[test]
fn ten_thousand_points_in_one_chain_are_judged() {
    let points: Vec<_> = (0..10_000)
        .map(|index| Point {
            id: index.to_string(),
            time: at(index),
            outcome: Outcome::Partial,
            base_of: vec![(index + 1).to_string()],
        })
        .collect();
    let rules = Rules::new(Tier::Operational, 1, BTreeMap::new(), Limits::default()).unwrap();
    let verdicts = judge(&points, &rules, at(1_000_000));
    assert!(
        verdicts.iter().all(Verdict::is_kept),
        "a copy elsewhere builds on the last, and so on all"
    );
}
