//! Cron texts: five fields, with croner's `L`, `W`, `#`, `?` and `+` for days. What is wrong is told by its field.

use std::fmt;

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, datetime};
use jiff::{Timestamp, Zoned};

/// Longest cron text.
const MAX_LENGTH: usize = 256;

/// A place in a cron text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CronField {
    /// The first.
    Minute,
    /// The second.
    Hour,
    /// The third.
    DayOfMonth,
    /// The fourth.
    Month,
    /// The fifth.
    DayOfWeek,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCron {
    /// Longer than any that makes sense.
    #[error("the cron text has more than {MAX_LENGTH} bytes: write a shorter one")]
    TooLong,
    /// Other than five fields.
    #[error(
        "the cron text has {0} fields: write five, for minute, hour, day of month, month and day of week, \
         for example `30 2 * * *`; the time zone is a field of its own"
    )]
    Fields(usize),
    /// A field that can't be read.
    #[error("field `{text}` of the cron text, the {field}, can't be read: write {}", .field.remedy())]
    Field {
        /// Which.
        field: CronField,
        /// What stands there.
        text: String,
    },
    /// No such day will come.
    #[error(
        "the cron text names days that never come, like February 30: change the day of month or the month"
    )]
    NeverFires,
}

/// A cron text that was read.
#[derive(Debug, Clone)]
pub(super) struct Cron(croner::Cron);

impl Cron {
    pub(super) fn read(text: &str) -> Result<Self, NoCron> {
        if text.len() > MAX_LENGTH {
            return Err(NoCron::TooLong);
        }
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if fields.len() != CronField::ALL.len() {
            return Err(NoCron::Fields(fields.len()));
        }
        for (field, text) in CronField::ALL.into_iter().zip(&fields) {
            if !field.is_read(text) {
                let text = (*text).to_owned();
                return Err(NoCron::Field { field, text });
            }
        }
        let cron = Self(parse(&fields.join(" ")).map_err(|_| NoCron::NeverFires)?);
        if cron.fires() {
            Ok(cron)
        } else {
            Err(NoCron::NeverFires)
        }
    }

    /// Whether it ever fires: the calendar repeats after 400 years, and croner looks ahead for longer.
    fn fires(&self) -> bool {
        self.next(datetime(2000, 1, 1, 0, 0, 0, 0)).is_some()
    }

    /// Whether it follows the hours as they pass.
    pub(super) const fn is_hourly(&self) -> bool {
        self.0.pattern.hours.from_wildcard
    }

    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        self.0.find_next_occurrence(&after, false).ok()
    }

    pub(super) fn latest(&self, at: DateTime) -> Option<DateTime> {
        self.0.find_previous_occurrence(&at, true).ok()
    }

    pub(super) fn next_hourly(&self, after: &Zoned) -> Option<Timestamp> {
        self.0
            .find_next_occurrence(after, false)
            .ok()
            .map(|slot| slot.timestamp())
    }

    pub(super) fn latest_hourly(&self, at: &Zoned) -> Option<Timestamp> {
        self.0
            .find_previous_occurrence(at, true)
            .ok()
            .map(|slot| slot.timestamp())
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

fn parse(text: &str) -> Result<croner::Cron, croner::errors::CronError> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed);
    parser.build().parse(text)
}

impl CronField {
    const ALL: [Self; 5] = [
        Self::Minute,
        Self::Hour,
        Self::DayOfMonth,
        Self::Month,
        Self::DayOfWeek,
    ];

    /// Whether the field can be read and ever fires. Left to itself, croner takes the names of days and months in any
    /// field, and empty items of lists.
    fn is_read(self, text: &str) -> bool {
        let is_known = |word: &str| word.is_empty() || self.words().contains(&&*word.to_ascii_uppercase());
        let words = text.split(|c: char| !c.is_alphabetic());
        if !words.into_iter().all(is_known) || text.split(',').any(str::is_empty) {
            return false;
        }
        let fields = Self::ALL.map(|field| if field == self { text } else { "*" });
        parse(&fields.join(" ")).is_ok_and(|cron| Cron(cron).fires())
    }

    /// The words that may stand in the field.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour => &[],
            Self::DayOfMonth => &["L", "W"],
            Self::Month => &[
                "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
            ],
            Self::DayOfWeek => &["L", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Minute => "numbers from 0 to 59, like 30, 0,30 or */15",
            Self::Hour => "numbers from 0 to 23, like 2, 8-18 or */6",
            Self::DayOfMonth => "numbers from 1 to 31, like 1, 1,15 or L for the last day",
            Self::Month => "numbers from 1 to 12 or names, like 1, 1-6 or JAN,JUL",
            Self::DayOfWeek => "numbers from 0 (Sunday) to 7 or names, like 1-5, SUN or MON#1",
        }
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_texts_are_read() {
        for (text, next) in [
            ("30 2 * * *", "2026-11-21T02:30:00"),
            (" 0\t*/6  * * * ", "2026-11-21T06:00:00"),
            ("0,30 8-18/2 * * 1-5", "2026-11-23T08:00:00"),
            ("0 0 L * *", "2026-11-30T00:00:00"),
            ("0 0 15W * *", "2026-12-15T00:00:00"),
            ("0 0 * * sun", "2026-11-22T00:00:00"),
            ("0 0 * * 7", "2026-11-22T00:00:00"),
            ("0 0 * * MON#1", "2026-12-07T00:00:00"),
            ("0 0 * * FRI#L", "2026-11-27T00:00:00"),
            ("0 0 * * 5L", "2026-11-27T00:00:00"),
            ("0 0 1 JAN,jul ?", "2027-01-01T00:00:00"),
            ("0 0 13 * FRI", "2026-11-27T00:00:00"),
            ("0 0 13 * +FRI", "2027-08-13T00:00:00"),
            ("0 0 29 2 *", "2028-02-29T00:00:00"),
            ("0 0 29 2 +MON", "2044-02-29T00:00:00"),
        ] {
            let cron = Cron::read(text).unwrap();
            let found = cron.next("2026-11-21T00:00:00".parse().unwrap());
            assert_eq!(found.unwrap().to_string(), next, "{text}");
        }
    }

    #[test]
    fn a_field_that_cannot_be_read_is_named_with_its_remedy() {
        use CronField::{DayOfMonth, DayOfWeek, Hour, Minute, Month};
        for (text, field) in [
            ("60 2 * * *", Minute),
            ("MON * * * *", Minute),
            ("0/10 * * * *", Minute),
            ("*/0 * * * *", Minute),
            ("1,,2 * * * *", Minute),
            ("30-10 * * * *", Minute),
            ("99999999999999999999 * * * *", Minute),
            ("-1 * * * *", Minute),
            ("0 24 * * *", Hour),
            ("0 L * * *", Hour),
            ("0 ? * * *", Hour),
            ("0 0 32 * *", DayOfMonth),
            ("0 0 0 * *", DayOfMonth),
            ("0 0 * 13 *", Month),
            ("0 0 * SUN *", Month),
            ("0 0 * JANUARY *", Month),
            ("0 0 * * 8", DayOfWeek),
            ("0 0 * * JAN", DayOfWeek),
            ("0 0 * * MON#6", DayOfWeek),
            ("0 0 * * ſun", DayOfWeek),
            ("0 0 * * ２", DayOfWeek),
            ("0 0 * * ,", DayOfWeek),
            ("0 0 * * +", DayOfWeek),
            ("0 0 * * \0", DayOfWeek),
        ] {
            let error = Cron::read(text).unwrap_err();
            assert!(
                matches!(&error, NoCron::Field { field: found, .. } if *found == field),
                "{text}: {error}"
            );
            let told = error.to_string();
            assert!(
                told.contains(&field.to_string()) && told.contains("write numbers"),
                "{told}"
            );
        }
    }

    #[test]
    fn other_than_five_fields_are_refused() {
        for (text, fields) in [
            ("", 0),
            ("@daily", 1),
            ("@every 4h", 2),
            ("0 0 * *", 4),
            ("0 0 0 * * *", 6),
            ("CRON_TZ=Europe/Berlin 0 0 * * *", 6),
            ("0 0 0 * * * 2027", 7),
        ] {
            assert_eq!(Cron::read(text).unwrap_err(), NoCron::Fields(fields), "{text}");
        }
        assert_eq!(Cron::read(&"1,".repeat(1_000_000)).unwrap_err(), NoCron::TooLong);
    }

    #[test]
    fn texts_that_never_fire_are_refused() {
        for text in [
            "0 0 30 2 *",
            "0 0 30,31 2 *",
            "0 0 31 4,6,9,11 *",
            "* * 31 FEB ?",
            "0 0 31 2 +MON",
            "0 0 1-7 * +MON#5",
        ] {
            assert_eq!(Cron::read(text).unwrap_err(), NoCron::NeverFires, "{text}");
        }
        assert!(Cron::read("0 0 30 2 MON").is_ok(), "on each Monday in February");
    }
}
