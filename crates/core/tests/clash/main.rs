//! What a restored object makes of the one in the cluster. What the API server says to the table is tried in the
//! scenarios; here is what it can't tell: what comes back, what belongs together, what is the cluster's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod given;
mod kinds;
mod merging;
mod properties;
mod proposals;
mod table;
