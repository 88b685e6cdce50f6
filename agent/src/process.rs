//! What the processes of a node have in common: flags, means, and how they fail.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clusterbackup_kit::metrics::MetricsError;
use clusterbackup_kit::process::{Process, ProcessError};
use kube::Client;

use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::metrics::Metrics;
use crate::people::People;
use crate::runtime::{Runtime, RuntimeError};
use crate::undo::Means;

/// What is left of a process then hangs.
pub(crate) const END: Duration = Duration::from_secs(5);

/// The way into containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExecThrough {
    /// The container runtime's socket
    Runtime,
    /// The API server: a command that takes too long can't be ended there
    Api,
}

/// Flags of whoever thaws on a node.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeArgs {
    /// The folder on the node's disk where it is written down what is frozen
    #[arg(long, default_value = "/var/lib/clusterbackup/journal")]
    journal: PathBuf,
    /// The socket of the container runtime
    #[arg(long, default_value = "/run/containerd/containerd.sock")]
    runtime_socket: PathBuf,
    /// The way into containers
    #[arg(long, value_enum, default_value_t = ExecThrough::Runtime)]
    exec_through: ExecThrough,
}

/// Why a process could not start, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What every process needs is not to be had, or did not end.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Metrics clash: a mistake of ours.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// There is no journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no way into the containers.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The node's clock can't be read.
    #[error("the node's boot can't be told: {0}")]
    Clock(#[source] io::Error),
}

impl NodeArgs {
    /// The journal.
    pub(crate) fn journal(&self) -> Result<Journal, JournalError> {
        Journal::new(&self.journal)
    }

    /// What to thaw with. `agent` is the client and the node of who talks to the API server, as the watchdog doesn't.
    pub(crate) async fn means(
        &self,
        process: &Process,
        agent: Option<(&Client, &str)>,
    ) -> Result<Means, RunError> {
        let runtime = match (self.exec_through, agent) {
            (ExecThrough::Runtime, _) => Runtime::cri(&self.runtime_socket)?,
            (ExecThrough::Api, Some((client, _))) => Runtime::api(client.clone()),
            (ExecThrough::Api, None) => Runtime::api(process.client().await?),
        };
        Ok(Means {
            runtime,
            clock: Clock::of_node().map_err(RunError::Clock)?,
            metrics: Metrics::register(&process.registry)?,
            people: agent.map(|(client, node)| People::new(client.clone(), node)),
        })
    }
}
