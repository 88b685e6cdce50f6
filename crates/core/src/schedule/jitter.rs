//! How long after its slot an instance starts.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

/// An instance's share of the delay that is allowed: always the same for the same instance, and evenly spread over
/// many. From the first four bytes of the SHA-256 of its UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(u32);

impl Jitter {
    /// The longest delay.
    pub const MAX: SignedDuration = SignedDuration::from_mins(10);

    /// No delay.
    #[cfg(test)]
    pub(super) const NONE: Self = Self(0);

    /// The jitter of the instance with this UID.
    pub fn of(uid: &str) -> Self {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(uid).into();
        Self(u32::from_be_bytes([a, b, c, d]))
    }

    /// Its share of a span, in whole seconds: less than the span, unless that is zero.
    pub(super) fn within(self, span: SignedDuration) -> SignedDuration {
        let seconds = i128::from(span.as_secs()) * i128::from(self.0);
        SignedDuration::from_secs(i64::try_from(seconds >> 32).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_instance_always_has_the_same_share() {
        let share = Jitter::of("0b2a7e9c-5f0e-4d0e-9a63-6a2a2c6f1a11").within(Jitter::MAX);
        assert_eq!(share, SignedDuration::from_secs(373));
    }

    #[test]
    fn shares_are_bounded_and_spread() {
        let mut tenths = [0; 10];
        for instance in 0..10_000 {
            let share = Jitter::of(&instance.to_string()).within(SignedDuration::from_secs(1000));
            let tenth = usize::try_from(share.as_secs() / 100).unwrap();
            tenths[tenth] += 1;
        }
        assert!(
            tenths.iter().all(|count| (850..1150).contains(count)),
            "{tenths:?}"
        );
        assert_eq!(
            Jitter(u32::MAX).within(SignedDuration::ZERO),
            SignedDuration::ZERO
        );
    }
}
