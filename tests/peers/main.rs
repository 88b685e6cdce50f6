//! Against Velero itself: its rule engine on the same rules and objects, and its server restoring with and without the
//! webhook. Run by `cargo xtask test --peers`.

mod application;
mod engine;
mod guide;
mod restores;
mod update;

use std::process::ExitCode;

use clusterbackup_tests::runner;

fn main() -> ExitCode {
    runner::run(&[
        engine::SCENARIOS,
        guide::SCENARIOS,
        restores::SCENARIOS,
        update::SCENARIOS,
    ])
}
