//! The agent's commands in containers, against a container runtime with real processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

#[path = "commands/bench.rs"]
mod bench;
#[path = "commands/ends.rs"]
mod ends;
#[path = "commands/load.rs"]
mod load;
#[path = "commands/results.rs"]
mod results;
