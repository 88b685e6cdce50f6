//! Scenarios on real nodes, with the shipped manifests installed unchanged: the system as its users have it.

mod backups;
mod commands;
mod drills;
mod harness;
mod outages;
mod shop;
mod volumes;
mod webhook;

use std::process::ExitCode;

use clusterbackup_tests::runner;

fn main() -> ExitCode {
    runner::run(&[
        backups::SCENARIOS,
        commands::SCENARIOS,
        drills::SCENARIOS,
        harness::SCENARIOS,
        outages::SCENARIOS,
        volumes::SCENARIOS,
        webhook::SCENARIOS,
    ])
}
