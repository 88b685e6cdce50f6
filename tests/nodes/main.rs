//! Scenarios on real nodes, with the shipped manifests installed unchanged: the system as its users have it.

mod commands;
mod harness;
mod volumes;
mod webhook;

use std::process::ExitCode;

use clusterbackup_tests::runner;

fn main() -> ExitCode {
    runner::run(&[
        commands::SCENARIOS,
        harness::SCENARIOS,
        volumes::SCENARIOS,
        webhook::SCENARIOS,
    ])
}
