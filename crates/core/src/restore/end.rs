//! What a restore comes to: sums that add up, and its phase.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a restore stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum RestorePhase {
    /// It is found out what is to be done; nothing is written.
    Planning,
    /// Objects are created.
    Running,
    /// Every object that was taken is in the cluster, or left as it was there, as asked for.
    Completed,
    /// Something that was taken is not in the cluster, or not as it should be.
    CompletedWithWarnings,
    /// Nothing that was taken could be restored.
    Failed,
    /// A person ended it; what was created stays.
    Cancelled,
}

impl RestorePhase {
    /// Whether it is the last one.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Planning | Self::Running)
    }
}

/// What became of one object, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Outcome {
    /// It could not be created, or not be changed.
    Failed,
    /// Another one of its name was there; it was deleted, and this one created.
    Replaced,
    /// Another one of its name was there, and was changed.
    Patched,
    /// It was created.
    Created,
    /// Another one of its name was there, and stays.
    Skipped,
    /// It is not created, for a reason that the plan gives.
    LeftOut,
    /// It was there, just as it would have been created.
    Unchanged,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Replaced,
        Self::Patched,
        Self::Created,
        Self::Skipped,
        Self::LeftOut,
        Self::Unchanged,
    ];
}

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with every object tried.
    Done,
    /// Before its end, by something that trying again doesn't help.
    Stopped,
    /// By a person.
    Cancelled,
}

/// How many objects met which outcome. Each object counts once, so the sums add up, also while the restore runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    total: u64,
    met: [u64; Outcome::ALL.len()],
}

impl Tally {
    /// Of that many objects, none of which has had its turn.
    pub const fn new(total: u64) -> Self {
        Self {
            total,
            met: [0; Outcome::ALL.len()],
        }
    }

    /// One of the objects met that outcome.
    pub const fn add(&mut self, outcome: Outcome) {
        self.met[outcome as usize] += 1;
    }

    /// How many met that outcome.
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.met[outcome as usize]
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.total.max(self.met.iter().sum())
    }

    /// How many have not had their turn.
    pub fn pending(&self) -> u64 {
        self.total() - self.met.iter().sum::<u64>()
    }

    /// The phase at the end, with how much else was to be warned of.
    pub fn phase(&self, end: End, warnings: u64) -> RestorePhase {
        let failed = self.of(Outcome::Failed);
        let missing = failed + self.of(Outcome::LeftOut);
        let restored = self.met.iter().sum::<u64>() - missing;
        match end {
            End::Cancelled => RestorePhase::Cancelled,
            End::Stopped => RestorePhase::Failed,
            End::Done if failed > 0 && restored == 0 => RestorePhase::Failed,
            End::Done if failed > 0 || warnings > 0 || self.pending() > 0 => {
                RestorePhase::CompletedWithWarnings
            }
            End::Done => RestorePhase::Completed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(total: u64, outcomes: &[(Outcome, u64)]) -> Tally {
        let mut tally = Tally::new(total);
        for &(outcome, times) in outcomes {
            (0..times).for_each(|_| tally.add(outcome));
        }
        tally
    }

    #[test]
    fn counts_add_up_at_any_time() {
        use Outcome::{Created, Failed, LeftOut, Patched, Replaced, Skipped, Unchanged};
        let some = [
            (Patched, 2),
            (Replaced, 1),
            (Created, 3),
            (Unchanged, 1),
            (Skipped, 2),
            (LeftOut, 4),
            (Failed, 1),
        ];
        for (total, pending) in [(23, 9), (14, 0), (0, 0)] {
            let tally = tally(total, &some);
            let sum: u64 = Outcome::ALL.iter().map(|outcome| tally.of(*outcome)).sum();
            assert_eq!(sum + tally.pending(), tally.total(), "{total}");
            assert_eq!(tally.pending(), pending, "{total}");
        }
    }

    #[test]
    fn the_phase_says_whether_everything_that_was_asked_for_is_there() {
        use Outcome::{Created, Failed, LeftOut, Skipped, Unchanged};
        for (end, outcomes, warnings, expected) in [
            (
                End::Done,
                &[(Created, 2), (LeftOut, 1)][..],
                0,
                RestorePhase::Completed,
            ),
            (
                End::Done,
                &[(Unchanged, 1), (Skipped, 1)],
                0,
                RestorePhase::Completed,
            ),
            (End::Done, &[(LeftOut, 1)], 0, RestorePhase::Completed),
            (End::Done, &[(Created, 2)], 1, RestorePhase::CompletedWithWarnings),
            (
                End::Done,
                &[(Created, 2), (Failed, 1)],
                0,
                RestorePhase::CompletedWithWarnings,
            ),
            (
                End::Done,
                &[(Skipped, 1), (Failed, 1)],
                0,
                RestorePhase::CompletedWithWarnings,
            ),
            (End::Done, &[(LeftOut, 1), (Failed, 1)], 0, RestorePhase::Failed),
            (End::Stopped, &[(Created, 2)], 0, RestorePhase::Failed),
            (
                End::Cancelled,
                &[(Created, 2), (Failed, 1)],
                1,
                RestorePhase::Cancelled,
            ),
        ] {
            let total = outcomes.iter().map(|(_, times)| times).sum();
            let phase = tally(total, outcomes).phase(end, warnings);
            assert_eq!(phase, expected, "{end:?} {outcomes:?} {warnings}");
        }
        assert_eq!(
            tally(2, &[(Created, 1)]).phase(End::Done, 0),
            RestorePhase::CompletedWithWarnings
        );
    }
}
