//! Scenarios on real nodes, with the shipped manifests installed unchanged: the system as its users have it.

mod backups;
mod commands;
mod drills;
mod harness;
mod held;
mod leftovers;
mod outages;
mod pods_exec;
mod power;
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
        leftovers::SCENARIOS,
        outages::SCENARIOS,
        pods_exec::SCENARIOS,
        power::SCENARIOS,
        volumes::SCENARIOS,
        webhook::SCENARIOS,
    ])
}
