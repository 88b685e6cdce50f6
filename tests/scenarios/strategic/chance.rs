//! Numbers that look random and are the same for the same seed.

/// SplitMix64.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn of(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// So many times out of a hundred.
    pub(super) const fn percent(&mut self, share: u64) -> bool {
        self.next() % 100 < share
    }

    /// One of these.
    pub(super) fn one<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        let number = usize::try_from(self.next() >> 1).ok()?;
        of.get(number.checked_rem(of.len())?)
    }

    /// Each of these so many times out of a hundred.
    pub(super) fn some<T>(&mut self, of: impl IntoIterator<Item = T>, share: u64) -> Vec<T> {
        of.into_iter().filter(|_| self.percent(share)).collect()
    }
}
