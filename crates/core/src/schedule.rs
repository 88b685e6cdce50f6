//! When backups run: at preset hours, or as a cron text says, by the clock of a time zone.
//!
//! - `cron`: cron texts, and what is wrong with one
//! - `preset`: every so many hours
//! - `local`: which moment a time on the zone's clock is
//! - `jitter`: how long after its slot an instance starts
//! - `pace`: how close to each other its times are
//! - `due`: what to do now
//! - `name`: what the backup of a slot is called
//! - `history`: which of the backups that ended are still shown
//!
//! The moments that a schedule names are its *slots*. Where the clock is put forward or back, each named time of a day
//! has exactly one slot: a time that is leapt over has it at the end of the leap, one that comes twice at the first.
//! Only a cron text that says `*` for the hour follows the hours as they pass: none in the leap, and both of a
//! repeated hour.

mod cron;
mod due;
mod history;
mod jitter;
mod local;
mod name;
mod pace;
mod preset;

use std::fmt;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

pub use cron::{CronField, NoCron};
pub use due::{Due, MAX_COUNTED};
pub use history::{Ended, superfluous};
pub use jitter::Jitter;
pub use name::backup_name;
pub use preset::{Interval, NoTimeOfDay, TimeOfDay};

use crate::zone::Zone;
use cron::Cron;
use preset::Preset;

/// When backups run.
#[derive(Debug, Clone)]
pub struct Schedule {
    times: Times,
    zone: Zone,
}

#[derive(Debug, Clone)]
enum Times {
    Preset(Preset),
    Cron(Box<Cron>),
}

impl Schedule {
    /// At this time of the day, and every so many hours before and after it.
    pub fn every(interval: Interval, start: TimeOfDay, zone: Zone) -> Self {
        let times = Times::Preset(Preset::new(interval, start));
        Self { times, zone }
    }

    /// As a cron text of five fields says.
    pub fn cron(text: &str, zone: Zone) -> Result<Self, NoCron> {
        let times = Times::Cron(Box::new(Cron::read(text)?));
        Ok(Self { times, zone })
    }

    /// The first slot after a moment; none: past the end of the calendar.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let zone = self.zone.rules();
        let after = local::whole_seconds(after);
        if let Times::Cron(cron) = &self.times
            && cron.is_hourly()
        {
            return cron.next_hourly(&after.to_zoned(zone.clone()));
        }
        let mut clock = zone.to_datetime(after);
        // More than one turn only inside of a repeated hour, whose times had their slots when they came first.
        loop {
            clock = self.next_on_clock(clock)?;
            let slot = local::moment(zone, clock)?;
            if slot > after {
                return Some(slot);
            }
        }
    }

    /// The last slot that is not after a moment.
    pub fn latest(&self, at: Timestamp) -> Option<Timestamp> {
        let zone = self.zone.rules();
        let at = local::whole_seconds(at);
        match &self.times {
            Times::Cron(cron) if cron.is_hourly() => cron.latest_hourly(&at.to_zoned(zone.clone())),
            Times::Cron(cron) => local::moment(zone, cron.latest(local::latest_shown(zone, at))?),
            Times::Preset(preset) => local::moment(zone, preset.latest(local::latest_shown(zone, at))?),
        }
    }

    /// The slots after a moment.
    pub fn slots(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(after), |slot| self.next(*slot))
    }

    /// When an instance starts for a slot: so much later, by its jitter, that not all start at once. At most
    /// [`Jitter::MAX`], and at most a tenth of the time to the next slot, so that the slots keep their order.
    pub fn start(&self, slot: Timestamp, jitter: Jitter) -> Timestamp {
        let pause = self
            .next(slot)
            .map_or(SignedDuration::ZERO, |next| next.duration_since(slot));
        let delay = jitter.within(Jitter::MAX.min(pause / 10));
        slot.checked_add(delay).unwrap_or(slot)
    }

    fn next_on_clock(&self, after: DateTime) -> Option<DateTime> {
        match &self.times {
            Times::Preset(preset) => preset.next(after),
            Times::Cron(cron) => cron.next(after),
        }
    }
}

/// As people say it; two schedules with the same text have the same slots.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.times {
            Times::Preset(preset) => write!(f, "every {preset}, {}", self.zone),
            Times::Cron(cron) => write!(f, "cron {cron}, {}", self.zone),
        }
    }
}

#[cfg(test)]
mod tests;
