//! What the pre hooks of a freeze unit that have ended mean for its cuts.

use super::OnError;

/// How quiet the applications of a freeze unit are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quiescence {
    /// Every pre hook succeeded: the cuts are application consistent.
    Held,
    /// There is no pre hook, or one failed that may: the cuts are crash consistent.
    Open,
    /// A pre hook failed that may not: nothing is cut.
    Failed,
}

impl Quiescence {
    /// Of the unit whose pre hooks ended so; of a failed one, what its failure means.
    pub fn of(pre: impl IntoIterator<Item = Result<(), OnError>>) -> Self {
        let worst = pre.into_iter().map(|ended| match ended {
            Ok(()) => Self::Held,
            Err(OnError::Continue) => Self::Open,
            Err(OnError::Fail) => Self::Failed,
        });
        worst.max().unwrap_or(Self::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_pre_hook_decides_what_the_cuts_are_worth() {
        let (good, tolerated, bad) = (Ok(()), Err(OnError::Continue), Err(OnError::Fail));
        for (ended, expected) in [
            (&[][..], Quiescence::Open),
            (&[good], Quiescence::Held),
            (&[good, good], Quiescence::Held),
            (&[good, tolerated], Quiescence::Open),
            (&[tolerated], Quiescence::Open),
            (&[good, bad, tolerated], Quiescence::Failed),
        ] {
            assert_eq!(Quiescence::of(ended.iter().copied()), expected, "{ended:?}");
        }
    }
}
