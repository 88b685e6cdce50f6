//! The built program, run as people and scripts run it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod apply;
mod check;
mod explain;
mod hooks;
mod live;
mod points;
mod previews;
mod running;
mod vaults;
