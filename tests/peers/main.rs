//! Against Velero itself: its rule engine on the same rules and objects, and its server restoring with and without the
//! webhook, the archives that it writes, which we restore, and those that it is given. Run by `cargo xtask test --peers`.

mod application;
mod archive;
mod engine;
mod export;
mod guide;
mod restored;
mod restores;
mod update;

use std::process::ExitCode;

use clusterbackup_tests::runner;

fn main() -> ExitCode {
    runner::run(&[
        archive::SCENARIOS,
        engine::SCENARIOS,
        export::SCENARIOS,
        guide::SCENARIOS,
        restored::SCENARIOS,
        restores::SCENARIOS,
        update::SCENARIOS,
    ])
}
