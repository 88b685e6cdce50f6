//! Who leads: decided on what a candidate itself sees change, by its own clock. Times are durations since an arbitrary
//! origin of a clock that never goes back; the times that stand in a lease are another machine's and mean nothing.
//!
//! A leader believes in itself for [`Timing::renew`] after it *sent* its last accepted write; another candidate waits
//! [`Timing::lease`] after it *saw* the last change. The first is shorter, so two never believe at the same moment.

use std::time::Duration;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// A lease that hasn't changed for so long is free.
    pub lease: Duration,
    /// A leader whose last accepted write was sent so long ago leads no more. Shorter than `lease`.
    pub renew: Duration,
    /// The pause between two tries.
    pub retry: Duration,
}

impl Timing {
    /// client-go's defaults.
    pub const DEFAULT: Self = Self {
        lease: Duration::from_secs(15),
        renew: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    };
}

/// What stands in a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; none: nobody, it was released.
    pub holder: Option<String>,
    /// The version of the object: differs whenever somebody has written.
    pub version: String,
    /// For how long its holder claims it.
    pub duration: Duration,
}

/// One who may lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    identity: String,
    timing: Timing,
    /// The last record that was seen, and when it was seen first; none: there is no lease.
    seen: Option<(Record, Duration)>,
    /// When the last accepted write was sent, while it leads.
    sent: Option<Duration>,
}

/// What a candidate is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It leads; it renews after this.
    Hold(Duration),
    /// It leads; it is to write the lease again, on the version that it saw.
    Renew,
    /// It doesn't lead; it is to write itself into the lease, on the version that it saw.
    Acquire,
    /// It doesn't lead; it is to read the lease again after this.
    Wait(Duration),
    /// It has led and leads no more: everything that it does as the leader has to end at once.
    Lost,
}

impl Candidate {
    /// A candidate that has just read the lease. `identity` must be its own alone, a restart of it included.
    pub fn new(identity: String, timing: Timing, record: Option<Record>, now: Duration) -> Self {
        let seen = record.map(|record| (record, now));
        Self {
            identity,
            timing,
            seen,
            sent: None,
        }
    }

    /// Takes in what stands in the lease; none: there is none.
    pub fn observe(&mut self, record: Option<Record>, now: Duration) {
        let changed = self.version() != record.as_ref().map(|record| record.version.as_str());
        if changed {
            self.seen = record.map(|record| (record, now));
        }
    }

    /// Takes in that a write of its own, sent at `sent`, was accepted.
    pub fn wrote(&mut self, record: Record, sent: Duration, now: Duration) {
        self.observe(Some(record), now);
        self.sent = Some(sent);
    }

    /// Leads no more: it is about to release the lease, or has lost it.
    pub fn resign(&mut self) {
        self.sent = None;
    }

    /// Whether it leads.
    pub fn leads(&self, now: Duration) -> bool {
        matches!(self.decide(now), Claim::Hold(_) | Claim::Renew)
    }

    /// The version that a write has to be based on; none: the lease has to be made.
    pub fn version(&self) -> Option<&str> {
        self.seen.as_ref().map(|(record, _)| record.version.as_str())
    }

    /// What it is to do.
    pub fn decide(&self, now: Duration) -> Claim {
        match self.sent {
            Some(sent) => self.lead(now.saturating_sub(sent)),
            None => self.follow(now),
        }
    }

    fn lead(&self, since: Duration) -> Claim {
        let Timing { renew, retry, .. } = self.timing;
        if !self.is_holder() || since >= renew {
            return Claim::Lost;
        }
        match retry.checked_sub(since) {
            Some(left) if !left.is_zero() => Claim::Hold(left),
            _ => Claim::Renew,
        }
    }

    fn follow(&self, now: Duration) -> Claim {
        let Some((record, seen)) = &self.seen else {
            return Claim::Acquire;
        };
        if record.holder.is_none() || self.is_holder() {
            return Claim::Acquire;
        }
        let free = record.duration.max(self.timing.lease);
        match free.checked_sub(now.saturating_sub(*seen)) {
            Some(left) if !left.is_zero() => Claim::Wait(left.min(self.timing.retry)),
            _ => Claim::Acquire,
        }
    }

    /// Whether the lease names it. Without leading, that is a write of its own whose answer was lost.
    fn is_holder(&self) -> bool {
        let holder = self
            .seen
            .as_ref()
            .and_then(|(record, _)| record.holder.as_deref());
        holder == Some(&self.identity)
    }
}

/// The fencing epoch after an acquisition: above the one that is stored and above every one that was seen in use, so
/// that it rises even where the stored one was lost.
pub fn raise(stored: Option<i64>, in_use: impl IntoIterator<Item = i64>) -> i64 {
    let highest = in_use.into_iter().chain(stored).max().unwrap_or(0);
    highest.max(0).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn record(holder: &str, version: &str) -> Record {
        Record {
            holder: Some(holder.to_owned()),
            version: version.to_owned(),
            duration: Timing::DEFAULT.lease,
        }
    }

    fn candidate(record: Option<Record>) -> Candidate {
        Candidate::new("me".to_owned(), Timing::DEFAULT, record, at(100))
    }

    #[test]
    fn a_lease_is_free_when_it_was_not_seen_to_change_for_its_duration() {
        let long = Record {
            duration: at(40),
            ..record("other", "1")
        };
        let released = Record {
            holder: None,
            ..record("other", "1")
        };
        for (lease, now, expected) in [
            (None, 100, Claim::Acquire),
            (Some(released), 100, Claim::Acquire),
            (Some(record("other", "1")), 100, Claim::Wait(at(2))),
            (Some(record("other", "1")), 114, Claim::Wait(at(1))),
            (Some(record("other", "1")), 115, Claim::Acquire),
            (Some(long), 115, Claim::Wait(at(2))),
            (Some(record("me", "1")), 100, Claim::Acquire),
        ] {
            assert_eq!(
                candidate(lease.clone()).decide(at(now)),
                expected,
                "{lease:?} at {now}"
            );
        }
    }

    #[test]
    fn every_change_that_is_seen_starts_the_wait_anew() {
        let mut candidate = candidate(Some(record("other", "1")));
        candidate.observe(Some(record("other", "1")), at(110));
        assert_eq!(candidate.decide(at(115)), Claim::Acquire);
        candidate.observe(Some(record("other", "2")), at(115));
        assert_eq!(candidate.decide(at(129)), Claim::Wait(at(1)));
        assert_eq!(candidate.decide(at(130)), Claim::Acquire);
        assert_eq!(candidate.version(), Some("2"));
    }

    #[test]
    fn a_leader_renews_in_time_and_stops_when_it_could_not() {
        let mut leader = candidate(None);
        leader.wrote(record("me", "1"), at(100), at(101));
        for (now, expected) in [
            (101, Claim::Hold(at(1))),
            (102, Claim::Renew),
            (109, Claim::Renew),
            (110, Claim::Lost),
            (1000, Claim::Lost),
        ] {
            assert_eq!(leader.decide(at(now)), expected, "at {now}");
        }
        leader.wrote(record("me", "2"), at(105), at(108));
        assert!(leader.leads(at(114)));
        assert!(!leader.leads(at(115)));
    }

    #[test]
    fn a_write_that_was_accepted_late_makes_no_leader() {
        let mut leader = candidate(None);
        leader.wrote(record("me", "1"), at(100), at(111));
        assert_eq!(leader.decide(at(111)), Claim::Lost);
    }

    #[test]
    fn a_leader_stops_when_it_sees_another_in_the_lease_or_none() {
        for lease in [Some(record("other", "2")), Some(Record::default()), None] {
            let mut leader = candidate(None);
            leader.wrote(record("me", "1"), at(100), at(100));
            leader.observe(lease.clone(), at(101));
            assert_eq!(leader.decide(at(101)), Claim::Lost, "{lease:?}");
        }
    }

    #[test]
    fn who_resigns_leads_no_more() {
        let mut leader = candidate(None);
        leader.wrote(record("me", "1"), at(100), at(100));
        leader.resign();
        assert!(!leader.leads(at(100)));
    }

    #[test]
    fn an_epoch_is_higher_than_every_other() {
        for (stored, in_use, expected) in [
            (None, &[][..], 1),
            (Some(4), &[], 5),
            (Some(4), &[2, 9], 10),
            (None, &[3], 4),
            (Some(-7), &[], 1),
        ] {
            assert_eq!(
                raise(stored, in_use.iter().copied()),
                expected,
                "{stored:?} {in_use:?}"
            );
        }
    }
}
