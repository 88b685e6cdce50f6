//! How much is read of an archive at most. Velero's largest known ones have a tenth of this.

use crate::point::segment;

/// The limits of one archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of an object.
    pub(super) object: u64,
    /// Objects of an archive: their names are remembered.
    pub(super) objects: usize,
    /// Kinds of objects: they are remembered as well.
    pub(super) kinds: usize,
    /// Bytes of an archive without its compression.
    pub(super) opened: u64,
    /// How many times larger it may become without its compression. Objects of a cluster become 10 times larger, thousands of
    /// nearly equal ones 150 times, and zeros a thousand times.
    pub(super) ratio: u64,
    /// How many bytes may come before the ratio counts.
    pub(super) slack: u64,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self {
        object: segment::LARGEST_OBJECT as u64,
        objects: 1 << 20,
        kinds: 10_000,
        opened: 64 << 30,
        ratio: 500,
        slack: 64 << 20,
    };
}
