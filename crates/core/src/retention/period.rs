//! Of which day, week, month and year a recovery point is the first good one.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::zone::Zone;

/// A period of the calendar, the longer ones after the shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Sunday to Saturday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// The first day of the period that has this day.
    fn beginning(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => {
                let since_sunday = i64::from(day.weekday().to_sunday_zero_offset());
                day.saturating_sub(since_sunday.days())
            }
            Self::Month => day.first_of_month(),
            Self::Year => day.first_of_year(),
        }
    }
}

/// The periods that a complete point made at `time` is the first good one of, by the calendar of a zone. `previous`:
/// the time of the newest complete point before it. Retention never deletes that one, so no earlier point of the same
/// period is forgotten.
pub fn first_of(time: Timestamp, previous: Option<Timestamp>, zone: &Zone) -> BTreeSet<Period> {
    let day = |time| zone.rules().to_datetime(time).date();
    let opens = |period: &Period| {
        previous.is_none_or(|previous| period.beginning(day(previous)) < period.beginning(day(time)))
    };
    Period::ALL.into_iter().filter(opens).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use Period::{Day, Month, Week, Year};

    #[test]
    fn the_calendar_of_the_zone_decides() {
        // 2026-11-01 and 2027-01-03 are Sundays.
        for (zone, previous, time, firsts) in [
            ("UTC", "2026-11-04T08:00:00Z", "2026-11-04T20:00:00Z", &[][..]),
            ("UTC", "2026-11-04T23:59:59Z", "2026-11-05T00:00:00Z", &[Day]),
            (
                "UTC",
                "2026-11-07T12:00:00Z",
                "2026-11-08T12:00:00Z",
                &[Day, Week],
            ),
            ("UTC", "2026-11-08T12:00:00Z", "2026-11-09T12:00:00Z", &[Day]),
            (
                "UTC",
                "2026-11-30T12:00:00Z",
                "2026-12-01T12:00:00Z",
                &[Day, Month],
            ),
            (
                "UTC",
                "2026-10-31T12:00:00Z",
                "2026-11-01T12:00:00Z",
                &[Day, Week, Month],
            ),
            (
                "UTC",
                "2026-12-31T12:00:00Z",
                "2027-01-01T12:00:00Z",
                &[Day, Month, Year],
            ),
            (
                "UTC",
                "2026-12-31T12:00:00Z",
                "2027-01-03T12:00:00Z",
                &[Day, Week, Month, Year],
            ),
            (
                "UTC",
                "2025-03-04T12:00:00Z",
                "2026-03-04T12:00:00Z",
                &[Day, Week, Month, Year],
            ),
            (
                "Europe/Berlin",
                "2026-12-31T22:59:59Z",
                "2026-12-31T23:00:00Z",
                &[Day, Month, Year],
            ),
            (
                "America/New_York",
                "2027-01-01T00:00:00Z",
                "2027-01-01T04:59:59Z",
                &[],
            ),
            (
                "America/New_York",
                "2027-01-01T04:59:59Z",
                "2027-01-01T05:00:00Z",
                &[Day, Month, Year],
            ),
        ] {
            let found = first_of(
                time.parse().unwrap(),
                Some(previous.parse().unwrap()),
                &zone.parse().unwrap(),
            );
            assert_eq!(
                found.into_iter().collect::<Vec<_>>(),
                firsts,
                "{zone} {previous} {time}"
            );
        }
    }

    #[test]
    fn the_very_first_point_is_the_first_of_everything() {
        let firsts = first_of(Timestamp::UNIX_EPOCH, None, &Zone::UTC);
        assert_eq!(firsts, BTreeSet::from(Period::ALL));
    }

    #[test]
    fn after_a_clock_that_went_back_a_point_is_the_first_of_nothing() {
        let firsts = first_of(Timestamp::UNIX_EPOCH, Some(Timestamp::MAX), &Zone::UTC);
        assert_eq!(firsts, BTreeSet::new());
        assert_eq!(first_of(Timestamp::MIN, None, &Zone::UTC).len(), 4);
    }
}
