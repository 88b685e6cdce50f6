//! How parts are compressed, and what decompressing one may take.

/// JSON of an API server repeats itself so much that more brings a tenth at best, and costs much.
pub(super) const LEVEL: i32 = 1;

/// What reading needs at most: more than `LEVEL` takes, and far less than a forged part could ask for.
pub(super) const WINDOW_LOG: u32 = 23;
