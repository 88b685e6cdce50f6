//! The watchdog: thaws by the journal alone what the agent beside it can't thaw any more. It asks no API server, and
//! stays until nothing is open.

use std::net::SocketAddr;

use clusterbackup_kit::logging::LogArgs;
use clusterbackup_kit::process::Process;

use crate::caretaker::{By, Caretaker};
use crate::process::{END, NodeArgs, RunError};

/// What it is called in metrics.
const COMPONENT: &str = "watchdog";

/// The watchdog beside a node's agent: thaws whatever the agent leaves frozen
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where /live, /ready and /metrics are served, over HTTP
    #[arg(long, default_value = "0.0.0.0:9091")]
    admin_listen: SocketAddr,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    log: LogArgs,
}

impl Args {
    /// The flags of the log.
    pub fn log(&self) -> &LogArgs {
        &self.log
    }

    /// Runs until SIGTERM, and then until nothing is frozen any more.
    pub async fn run(self) -> Result<(), RunError> {
        let process = Process::begin(COMPONENT)?;
        let looked = process.readiness.handle("journal");
        process.open(self.admin_listen).await?;
        let journal = self.node.journal()?;
        let means = self.node.means(&process, None).await?;
        let caretaker = Caretaker::new(journal, means, By::Watchdog);
        caretaker
            .run(move || looked.set_ready(), process.shutdown.stopping())
            .await;
        Ok(process.finish(END).await?)
    }
}
