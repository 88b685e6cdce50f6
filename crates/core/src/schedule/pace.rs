//! How close to each other the times of a schedule are.

use jiff::SignedDuration;
use jiff::civil::{DateTime, datetime};

use super::Schedule;

/// A leap year, with one day more at its end: days of the week and of the month meet in it in most ways.
const FROM: DateTime = datetime(2024, 1, 1, 0, 0, 0, 0);
const TO: DateTime = datetime(2025, 1, 2, 0, 0, 0, 0);

/// So many times are looked at: one an hour in all that time.
const MOST: usize = 368 * 24;

impl Schedule {
    /// A pause between two of its times that is shorter than this, if there is one within a year: on the clock, which
    /// counts a day as 24 hours.
    pub fn pause_below(&self, least: SignedDuration) -> Option<SignedDuration> {
        let mut earlier = self.next_on_clock(FROM)?;
        for _ in 0..MOST {
            let later = self.next_on_clock(earlier).filter(|later| *later < TO)?;
            let pause = later.duration_since(earlier);
            if pause < least {
                return Some(pause);
            }
            earlier = later;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Interval, TimeOfDay};
    use super::*;
    use crate::zone::Zone;

    fn cron(text: &str) -> Schedule {
        Schedule::cron(text, Zone::UTC).unwrap()
    }

    fn every(interval: Interval) -> Schedule {
        let start: TimeOfDay = "02:30".parse().unwrap();
        Schedule::every(interval, start, "Europe/Berlin".parse().unwrap())
    }

    #[test]
    fn two_times_that_are_too_close_are_found() {
        for (schedule, least, pause) in [
            (every(Interval::Hours4), 4, None),
            (every(Interval::Hours4), 5, Some(4)),
            (every(Interval::Hours24), 24, None),
            (cron("0 * * * *"), 1, None),
            (cron("0 * * * *"), 4, Some(1)),
            (cron("0 2,5 * * *"), 4, Some(3)),
            // Over midnight, and over the end of a month.
            (cron("0 1,23 * * *"), 4, Some(2)),
            (cron("0 0 1,31 * *"), 48, Some(24)),
            (cron("0 3 * * 1"), 168, None),
            (cron("0 0 29 2 *"), 744, None),
        ] {
            let found = schedule.pause_below(SignedDuration::from_hours(least));
            assert_eq!(found, pause.map(SignedDuration::from_hours), "{schedule}");
        }
    }
}
