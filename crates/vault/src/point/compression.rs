//! How parts are compressed, and what decompressing one may take.

/// More brings little on JSON, and costs much.
pub(super) const LEVEL: i32 = 3;

/// What reading needs at most: more than `LEVEL` takes, and far less than a forged part could ask for.
pub(super) const WINDOW_LOG: u32 = 23;
