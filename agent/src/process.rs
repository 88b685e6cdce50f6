//! What the processes of a node have in common: flags, admin port, end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clusterbackup_kit::admin;
use clusterbackup_kit::client::{self, ClientError};
use clusterbackup_kit::metrics::{MetricsError, Registry};
use clusterbackup_kit::readiness::Readiness;
use clusterbackup_kit::shutdown::{Shutdown, ShutdownError};
use kube::Client;
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::metrics::Metrics;
use crate::people::People;
use crate::runtime::{Runtime, RuntimeError};
use crate::undo::Means;

/// What is left then hangs.
const END: Duration = Duration::from_secs(5);

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
    /// No client for the cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
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
    /// A port could not be opened.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The signals can't be had.
    #[error("failed to wait for signals: {0}")]
    Signals(#[source] io::Error),
    /// Something ended early, or not in time.
    #[error(transparent)]
    Shutdown(#[from] ShutdownError),
}

/// A process with its admin port.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) shutdown: Shutdown,
    pub(crate) readiness: Readiness,
    pub(crate) registry: Registry,
}

impl Process {
    /// Opens the admin port.
    pub(crate) async fn start(component: &str, address: SocketAddr) -> Result<Self, RunError> {
        let shutdown = Shutdown::on_signals().map_err(RunError::Signals)?;
        let readiness = Readiness::new(shutdown.stopping());
        let registry = Registry::new(component, env!("CARGO_PKG_VERSION"))?;
        readiness.show(component, &registry)?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| RunError::Listen { address, source })?;
        let admin = admin::serve(listener, registry.clone(), readiness.clone(), shutdown.stopped());
        shutdown.spawn("admin", admin);
        Ok(Self {
            shutdown,
            readiness,
            registry,
        })
    }

    /// Waits for what is left.
    pub(crate) async fn finish(self) -> Result<(), RunError> {
        Ok(self.shutdown.finish(END).await?)
    }
}

impl NodeArgs {
    /// The journal.
    pub(crate) fn journal(&self) -> Result<Journal, JournalError> {
        Journal::new(&self.journal)
    }

    /// What to thaw with. `agent` is the client and the node of who talks to the API server, as the watchdog doesn't.
    pub(crate) async fn means(
        &self,
        registry: &Registry,
        agent: Option<(&Client, &str)>,
    ) -> Result<Means, RunError> {
        let runtime = match (self.exec_through, agent) {
            (ExecThrough::Runtime, _) => Runtime::cri(&self.runtime_socket)?,
            (ExecThrough::Api, Some((client, _))) => Runtime::api(client.clone()),
            (ExecThrough::Api, None) => Runtime::api(connect().await?),
        };
        Ok(Means {
            runtime,
            clock: Clock::of_node().map_err(RunError::Clock)?,
            metrics: Metrics::register(registry)?,
            people: agent.map(|(client, node)| People::new(client.clone(), node)),
        })
    }
}

/// The client of the node's processes.
pub(crate) async fn connect() -> Result<Client, RunError> {
    Ok(client::connect(concat!("clusterbackup-agent/", env!("CARGO_PKG_VERSION"))).await?)
}
