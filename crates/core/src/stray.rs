//! Snapshots that a backup has kept for a recovery point, and that no point names: leaders die between the two, points are
//! removed by hand. What becomes of them is decided here.
//!
//! One look may be wrong. So they are told of at once, and removed when two looks a day apart agree, each of them at
//! everything that could name them.

use jiff::{SignedDuration, Timestamp};

/// Between two looks that have to agree.
const APART: SignedDuration = SignedDuration::from_hours(24);

/// What a look finds of the snapshots of one backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Whether a point of any vault names one of them, or somebody else has use of it.
    pub named: bool,
    /// Whether the backup was at work when the vaults were read.
    pub at_work: bool,
    /// How much of what could name them was read.
    pub reach: Reach,
    /// Since when looks agree that they are strays.
    pub since: Option<Timestamp>,
}

/// How much of what could name snapshots was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The vault that they were kept for, and every other one.
    All,
    /// Not everything.
    Part,
    /// Everything that there is, but the vault that they were kept for is not in the cluster any more, or is
    /// only read there.
    WithoutTheirVault,
}

/// What is to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: they are no strays, or nobody can say.
    Leave,
    /// They are no strays, although a look said so.
    Clear,
    /// They are strays, since now.
    Note,
    /// They are strays, and wait for the look that agrees.
    Wait,
    /// They are strays, and nobody can say when they may go.
    Tell,
    /// They go.
    Remove,
}

impl Step {
    /// Whether they are strays.
    pub const fn is_stray(self) -> bool {
        !matches!(self, Self::Leave | Self::Clear)
    }
}

/// What is to be done with the snapshots of one backup.
pub fn decide(sight: Sight, now: Timestamp) -> Step {
    let Sight {
        named,
        at_work,
        reach,
        since,
    } = sight;
    if named || at_work {
        return if since.is_some() { Step::Clear } else { Step::Leave };
    }
    match (reach, since) {
        (Reach::Part, _) => Step::Leave,
        (Reach::WithoutTheirVault, _) => Step::Tell,
        (Reach::All, None) => Step::Note,
        (Reach::All, Some(since)) if now.duration_since(since) < APART => Step::Wait,
        (Reach::All, Some(_)) => Step::Remove,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_two_looks_a_day_apart_agree_about_goes() {
        use Reach::{All, Part, WithoutTheirVault};
        let hours = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        // Named, at work, what was read, first seen so many hours ago.
        for (named, at_work, reach, since, step) in [
            (true, false, All, None, Step::Leave),
            (true, false, Part, None, Step::Leave),
            (true, false, All, Some(48), Step::Clear),
            (true, false, WithoutTheirVault, Some(48), Step::Clear),
            (false, true, All, None, Step::Leave),
            (false, true, All, Some(48), Step::Clear),
            (false, false, All, None, Step::Note),
            (false, false, All, Some(0), Step::Wait),
            (false, false, All, Some(23), Step::Wait),
            (false, false, All, Some(24), Step::Remove),
            // A clock that was put back.
            (false, false, All, Some(-48), Step::Wait),
            (false, false, Part, None, Step::Leave),
            (false, false, Part, Some(48), Step::Leave),
            (false, false, WithoutTheirVault, None, Step::Tell),
            (false, false, WithoutTheirVault, Some(48), Step::Tell),
        ] {
            let sight = Sight {
                named,
                at_work,
                reach,
                since: since.map(|ago| hours(100 - ago)),
            };
            let found = decide(sight, hours(100));
            assert_eq!(found, step, "{sight:?}");
            assert_eq!(found.is_stray(), !named && !at_work && reach != Part, "{sight:?}");
        }
    }
}
