//! What to do now: wait for a slot, start one backup, or let the one that runs end first.

use jiff::{SignedDuration, Timestamp};

use super::{Jitter, Schedule, local};

/// So many slots are counted at most: looking after a year of them must not take long.
pub const MAX_COUNTED: usize = 1000;

/// A backup by schedule should be done so long after its slot.
const DONE_WITHIN: SignedDuration = SignedDuration::from_hours(2);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this moment.
    Wait(Timestamp),
    /// One backup is to be started.
    Start {
        /// Its slot: with the start, all slots up to this one are settled.
        slot: Timestamp,
        /// The earlier slots that were missed and have no backup of their own, [`MAX_COUNTED`] at most.
        missed: usize,
    },
    /// One backup is to be started as soon as the one that runs has ended.
    Hold,
}

impl Schedule {
    /// Up to which moment slots are settled. `noted`: of which schedule that was written down, and the moment. A schedule
    /// holds from the moment at which it is first seen, so a new one, or one that was changed, takes up no slot of the past.
    pub fn settled(&self, noted: Option<(&str, Timestamp)>, now: Timestamp) -> Timestamp {
        match noted {
            Some((schedule, settled)) if schedule == self.to_string() => settled,
            _ => local::whole_seconds(now),
        }
    }

    /// What is to be done now. `settled`: the last settled slot, or the moment from which the schedule holds; `runs`:
    /// whether a backup of the instance is under way.
    pub fn due(&self, settled: Timestamp, runs: bool, jitter: Jitter, now: Timestamp) -> Due {
        let has_come = |slot: &Timestamp| self.start(*slot, jitter) <= now;
        let newest = self.slots_back(now).find(has_come).filter(|slot| *slot > settled);
        let Some(slot) = newest else {
            let next = self.next(settled).map(|slot| self.start(slot, jitter));
            return Due::Wait(next.unwrap_or(Timestamp::MAX));
        };
        if runs {
            return Due::Hold;
        }
        let open = self.slots_back(slot).take_while(|slot| *slot > settled);
        let missed = open.skip(1).take(MAX_COUNTED).count();
        Due::Start { slot, missed }
    }

    /// Whether a complete backup is missing for too long. `last`: the end of the last one, or the moment from which the
    /// schedule holds.
    pub fn is_late(&self, last: Timestamp, now: Timestamp) -> bool {
        let slot = self.next(last);
        slot.is_some_and(|slot| now.duration_since(slot) > DONE_WITHIN)
    }

    /// The slots up to a moment, the latest first.
    fn slots_back(&self, at: Timestamp) -> impl Iterator<Item = Timestamp> {
        let before = |slot: &Timestamp| slot.checked_sub(SignedDuration::from_secs(1)).ok();
        std::iter::successors(self.latest(at), move |slot| self.latest(before(slot)?))
    }
}
