//! Durations as Kubernetes and Velero write them (`10s`, `1m30s`, `300ms`): Go's notation.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time, written in Go's notation; never negative, exact to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(Duration);

/// What is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write numbers with the units h, m, s or ms, for example 30s or 1m30s")]
pub struct NoDuration(String);

/// Units, the longer name before the one that it ends with.
const UNITS: [(&str, f64); 4] = [("ms", 1.0), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0)];

impl Span {
    /// `seconds` seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The span as the standard library's duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Span {
    type Err = NoDuration;

    fn from_str(text: &str) -> Result<Self, NoDuration> {
        let wrong = || NoDuration(text.to_owned());
        let mut rest = text;
        let mut millis = 0.0;
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .ok_or_else(wrong)?;
            let (number, unit) = rest.split_at(end);
            let (name, factor) = UNITS
                .iter()
                .find(|(name, _)| unit.starts_with(name))
                .ok_or_else(wrong)?;
            millis += number.parse::<f64>().map_err(|_| wrong())? * factor;
            rest = unit.strip_prefix(name).unwrap_or_default();
        }
        let span = Duration::try_from_secs_f64(millis / 1000.0).map_err(|_| wrong())?;
        if text.is_empty() || span > Duration::from_hours(24 * 365) {
            return Err(wrong());
        }
        Ok(Self(span))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (minutes, seconds, millis) = (millis / 60_000, millis / 1000 % 60, millis % 1000);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let parts = [(hours, "h"), (minutes, "m"), (seconds, "s"), (millis, "ms")];
        let mut written = false;
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{number}{unit}")?;
            written = true;
        }
        if written { Ok(()) } else { f.write_str("0s") }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 32,
            "pattern": "^([0-9]+(\\.[0-9]+)?(ms|h|m|s))+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_and_written_back() {
        for (text, millis, shown) in [
            ("30s", 30_000, "30s"),
            ("1m30s", 90_000, "1m30s"),
            ("300ms", 300, "300ms"),
            ("1.5s", 1500, "1s500ms"),
            ("90m", 5_400_000, "1h30m"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.duration().as_millis(), millis, "{text}");
            assert_eq!(span.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "30", "s", "-1s", "1d", "1s ", "1..2s", "9999999999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
