//! `kubectl clusterbackup`: tries rules without a cluster, and looks at interceptions in one.

use std::process::ExitCode;

fn main() -> ExitCode {
    clusterbackup_cli::main()
}
