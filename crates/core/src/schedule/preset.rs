//! Every so many hours: the same times on each day.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{DateTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The pauses that a preset may have: they divide a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Interval {
    /// Six times a day.
    #[serde(rename = "4h")]
    Hours4,
    /// Four times a day.
    #[serde(rename = "6h")]
    Hours6,
    /// Three times a day.
    #[serde(rename = "8h")]
    Hours8,
    /// Twice a day.
    #[serde(rename = "12h")]
    Hours12,
    /// Once a day.
    #[serde(rename = "24h")]
    Hours24,
}

/// An hour and a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    hour: i8,
    minute: i8,
}

/// What is no time of a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time of a day: write two digits for the hour and two for the minute, for example 02:30")]
pub struct NoTimeOfDay(String);

/// The times of a preset, on each day.
#[derive(Debug, Clone)]
pub(super) struct Preset {
    /// In their order; never empty.
    times: Vec<Time>,
}

impl Interval {
    const fn hours(self) -> i8 {
        match self {
            Self::Hours4 => 4,
            Self::Hours6 => 6,
            Self::Hours8 => 8,
            Self::Hours12 => 12,
            Self::Hours24 => 24,
        }
    }
}

impl Preset {
    pub(super) fn new(interval: Interval, start: TimeOfDay) -> Self {
        let hours = (0..24).filter(|hour| (hour - start.hour) % interval.hours() == 0);
        let times = hours.filter_map(|hour| Time::new(hour, start.minute, 0, 0).ok());
        Self {
            times: times.collect(),
        }
    }

    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        if let Some(time) = self.times.iter().find(|time| **time > after.time()) {
            return Some(after.date().to_datetime(*time));
        }
        let tomorrow = after.date().tomorrow().ok()?;
        self.times.first().map(|time| tomorrow.to_datetime(*time))
    }

    pub(super) fn latest(&self, at: DateTime) -> Option<DateTime> {
        if let Some(time) = self.times.iter().rfind(|time| **time <= at.time()) {
            return Some(at.date().to_datetime(*time));
        }
        let yesterday = at.date().yesterday().ok()?;
        self.times.last().map(|time| yesterday.to_datetime(*time))
    }
}

/// As `4h at 02:30`, by the first time of a day.
impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = 24 / self.times.len().max(1);
        let first = self.times.first().copied().unwrap_or(Time::MIN);
        write!(f, "{hours}h at {}", first.strftime("%H:%M"))
    }
}

impl FromStr for TimeOfDay {
    type Err = NoTimeOfDay;

    fn from_str(text: &str) -> Result<Self, NoTimeOfDay> {
        let digits = |text: &str| match text.as_bytes() {
            [b'0'..=b'9', b'0'..=b'9'] => text.parse::<i8>().ok(),
            _ => None,
        };
        let parts = text.split_once(':');
        let read = parts.and_then(|(hour, minute)| Some((digits(hour)?, digits(minute)?)));
        match read {
            Some((hour @ 0..24, minute @ 0..60)) => Ok(Self { hour, minute }),
            _ => Err(NoTimeOfDay(text.chars().take(16).collect())),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_has_the_same_times_on_each_day() {
        for (interval, start, times) in [
            (
                Interval::Hours4,
                "10:30",
                &["02:30", "06:30", "10:30", "14:30", "18:30", "22:30"][..],
            ),
            (Interval::Hours6, "00:00", &["00:00", "06:00", "12:00", "18:00"]),
            (Interval::Hours8, "23:59", &["07:59", "15:59", "23:59"]),
            (Interval::Hours12, "01:15", &["01:15", "13:15"]),
            (Interval::Hours24, "02:00", &["02:00"]),
        ] {
            let preset = Preset::new(interval, start.parse().unwrap());
            let found: Vec<_> = preset
                .times
                .iter()
                .map(|time| time.strftime("%H:%M").to_string())
                .collect();
            assert_eq!(found, times, "{interval:?} {start}");
        }
    }

    #[test]
    fn times_of_a_day_are_read_and_written_back() {
        for text in ["00:00", "02:30", "23:59"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2:30",
            "24:00",
            "12:60",
            "02:30:00",
            "-1:00",
            "+1:00",
            "0230",
            "٠٢:٣٠",
        ] {
            let error = text.parse::<TimeOfDay>().unwrap_err().to_string();
            assert!(error.contains("02:30"), "{error}");
        }
    }
}
