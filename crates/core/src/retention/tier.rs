//! Which points are copied into the vault tier: the first complete ones of days, weeks, months and years, as its rules say.

use jiff::{SignedDuration, Timestamp};

use super::{Entry, Protection, Rule, Rules};

/// Whether a point of the operational tier belongs into the vault tier, by the rules of that tier.
///
/// One that would expire there at once doesn't, nor does one that is deleted, or is to be. What is in the vault tier already
/// is for the caller to know.
pub fn belongs(entry: &Entry, protection: Protection, rules: &Rules, now: Timestamp) -> bool {
    let stays = entry.stays() && protection != Protection::StopAndDelete;
    let rule = rules.of(&entry.point.outcome);
    let span = SignedDuration::from_hours(24 * i64::from(rules.days(rule)));
    let until = entry.point.time.checked_add(span).unwrap_or(Timestamp::MAX);
    stays && rule != Rule::Default && now < until
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::retention::{Deletion, Limits, Outcome, Period, Point, Tier, Wanted};

    fn day(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
    }

    fn made(outcome: Outcome) -> Entry {
        Entry {
            point: Point {
                id: "a".to_owned(),
                time: day(0),
                outcome,
                base_of: Vec::new(),
            },
            deletion: None,
            kept_until: None,
            wanted: None,
            awaited: false,
            reader: None,
        }
    }

    fn first_of(periods: &[Period]) -> Entry {
        made(Outcome::Completed(periods.iter().copied().collect()))
    }

    #[test]
    fn the_first_complete_point_of_a_period_that_has_a_rule_is_copied_as_long_as_it_would_be_kept() {
        let more = [(Period::Week, 30), (Period::Year, 3650)];
        let rules = Rules::new(Tier::Vault, 30, more.into(), Limits::default()).unwrap();
        let week = || first_of(&[Period::Day, Period::Week]);
        let deleted = Entry {
            deletion: Some(Deletion {
                purge_after: day(14),
                named: false,
            }),
            ..week()
        };
        let unwanted = Entry {
            wanted: Some(Wanted::Deleted),
            ..week()
        };
        let kept = Entry {
            wanted: Some(Wanted::Present),
            ..week()
        };
        let protect = Protection::Protect;
        for (entry, protection, today, copied) in [
            (week(), protect, 0, true),
            (week(), protect, 29, true),
            (week(), protect, 30, false),
            (first_of(&[Period::Week, Period::Year]), protect, 3649, true),
            (first_of(&[Period::Day]), protect, 0, false),
            (first_of(&[Period::Month]), protect, 0, false),
            (first_of(&[]), protect, 0, false),
            (made(Outcome::Partial), protect, 0, false),
            (deleted, protect, 0, false),
            (unwanted, protect, 0, false),
            (kept, protect, 0, true),
            (week(), Protection::StopAndRetain, 0, true),
            (week(), Protection::StopAndRetainByPolicy, 0, true),
            (week(), Protection::StopAndDelete, 0, false),
        ] {
            let found = belongs(&entry, protection, &rules, day(today));
            assert_eq!(found, copied, "{entry:?} {protection:?} on day {today}");
        }
        assert!(!belongs(
            &made(Outcome::Completed(BTreeSet::new())),
            protect,
            &rules,
            day(0)
        ));
    }
}
