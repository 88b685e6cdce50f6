//! Time zones by name. Their rules are compiled in: no file is read, and every machine tells the same time.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// What names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone: write a name of the IANA database, for example Europe/Berlin or UTC")]
pub struct NoZone(String);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// What its clock shows at a moment, with the difference to UTC: `2026-11-22 02:30:00 +01:00`.
    pub fn clock(&self, at: Timestamp) -> String {
        let shown = at.to_zoned(self.0.clone());
        shown.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// The rules of the zone.
    pub(crate) const fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl FromStr for Zone {
    type Err = NoZone;

    fn from_str(name: &str) -> Result<Self, NoZone> {
        let zone = TimeZoneDatabase::bundled().get(name);
        zone.map(Self)
            .map_err(|_| NoZone(name.chars().take(64).collect()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_go_by_their_names() {
        for (name, shown) in [
            ("UTC", "UTC"),
            ("Europe/Berlin", "Europe/Berlin"),
            ("america/new_york", "America/New_York"),
        ] {
            assert_eq!(name.parse::<Zone>().unwrap().to_string(), shown);
        }
        assert_eq!("UTC".parse::<Zone>().unwrap(), Zone::UTC);
    }

    #[test]
    fn a_clock_says_which_of_two_equal_hours_it_shows() {
        let berlin = "Europe/Berlin".parse::<Zone>().unwrap();
        for (at, shown) in [
            ("2026-10-25T00:30:00Z", "2026-10-25 02:30:00 +02:00"),
            ("2026-10-25T01:30:00Z", "2026-10-25 02:30:00 +01:00"),
        ] {
            assert_eq!(berlin.clock(at.parse().unwrap()), shown);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for name in ["", "Berlin", "+02:00", "../etc/localtime", "Europe/Berlin\0"] {
            let error = name.parse::<Zone>().unwrap_err().to_string();
            assert!(error.contains("IANA"), "{error}");
        }
        let long = "x".repeat(1_000_000).parse::<Zone>().unwrap_err();
        assert!(long.to_string().len() < 200);
    }
}
