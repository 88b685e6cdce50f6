//! How long certificates live. Only their ratio to each other is a matter of correctness.

use jiff::{SignedDuration, Timestamp};

/// Lifetimes that fit together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    authority: SignedDuration,
    leaf: SignedDuration,
    settling: SignedDuration,
}

/// Lifetimes that don't fit together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LifetimesError {
    /// Nothing can live for no time at all.
    #[error("a lifetime has to be longer than zero")]
    Zero,
    /// A leaf would outlive its authority's last third, in which the next authority takes over.
    #[error(
        "the leaf's lifetime ({leaf:#}) is more than a third of the authority's ({authority:#}); shorten it"
    )]
    Leaf {
        /// The leaf's.
        leaf: SignedDuration,
        /// The authority's.
        authority: SignedDuration,
    },
    /// The next authority would settle for longer than the old one has left.
    #[error(
        "the settling time ({settling:#}) is more than a sixth of the authority's lifetime ({authority:#})"
    )]
    Settling {
        /// The settling time.
        settling: SignedDuration,
        /// The authority's lifetime.
        authority: SignedDuration,
    },
}

impl Lifetimes {
    /// How long an API server may take to notice another `caBundle`, generously.
    pub const SETTLING: SignedDuration = SignedDuration::from_secs(60);

    /// Lifetimes of an authority and a leaf; `settling` is how long every configuration has to carry a new authority
    /// before anything signed by it is served.
    pub fn new(
        authority: SignedDuration,
        leaf: SignedDuration,
        settling: SignedDuration,
    ) -> Result<Self, LifetimesError> {
        if !(authority.is_positive() && leaf.is_positive()) || settling.is_negative() {
            return Err(LifetimesError::Zero);
        }
        if leaf > authority / 3 {
            return Err(LifetimesError::Leaf { leaf, authority });
        }
        if settling > authority / 6 {
            return Err(LifetimesError::Settling { settling, authority });
        }
        Ok(Self {
            authority,
            leaf,
            settling,
        })
    }

    /// An authority's whole life.
    pub fn authority(&self) -> SignedDuration {
        self.authority
    }

    /// A leaf's whole life.
    pub fn leaf(&self) -> SignedDuration {
        self.leaf
    }

    /// How long a new authority is published before it is used.
    pub fn settling(&self) -> SignedDuration {
        self.settling
    }

    /// When an authority that expires then is due for its successor: at two thirds of its life.
    pub(crate) fn authority_due(&self, not_after: Timestamp) -> Timestamp {
        before(not_after, self.authority / 3)
    }

    /// When a leaf that expires then is due: at two thirds of its life.
    pub(crate) fn leaf_due(&self, not_after: Timestamp) -> Timestamp {
        before(not_after, self.leaf / 3)
    }
}

impl Default for Lifetimes {
    /// A year, thirty days, a minute.
    fn default() -> Self {
        Self {
            authority: SignedDuration::from_hours(365 * 24),
            leaf: SignedDuration::from_hours(30 * 24),
            settling: Self::SETTLING,
        }
    }
}

fn before(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.checked_sub(span).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lifetimes_that_fit_together_are_accepted() {
        let seconds = SignedDuration::from_secs;
        let try_new = |a, l, s| Lifetimes::new(seconds(a), seconds(l), seconds(s)).is_ok();
        assert!(try_new(60, 20, 2));
        assert!(!try_new(60, 21, 2), "leaf too long");
        assert!(!try_new(60, 20, 11), "settling too long");
        assert!(!try_new(60, 0, 2), "no leaf at all");
        assert!(!try_new(-60, -60, 0), "negative");
        let default = Lifetimes::default();
        assert_eq!(
            Lifetimes::new(default.authority, default.leaf, default.settling),
            Ok(default)
        );
    }
}
