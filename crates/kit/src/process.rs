//! A process from its start to its end: signals, readiness, metrics, the admin port, and the client that says which process
//! asks. What it does in between is its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use kube::Client;
use tokio::net::TcpListener;

use crate::admin;
use crate::client::{self, ClientError};
use crate::metrics::{MetricsError, Registry};
use crate::readiness::Readiness;
use crate::shutdown::{Shutdown, ShutdownError};

/// All crates of the workspace have one version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A process that has begun.
#[derive(Debug)]
pub struct Process {
    component: &'static str,
    /// Who stops when.
    pub shutdown: Shutdown,
    /// What has to hold before it may be called.
    pub readiness: Readiness,
    /// Its metrics.
    pub registry: Registry,
}

/// Why a process could not start, or ended badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// Signals can't be received.
    #[error("failed to listen for signals: {0}")]
    Signals(#[source] io::Error),
    /// Metrics clash: a mistake of ours.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// No client for the cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A port could not be opened.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Something did not end as it should.
    #[error(transparent)]
    Shutdown(#[from] ShutdownError),
}

impl Process {
    /// Begins, inside a runtime: from here on a signal stops it. `component` is what it is called in metrics.
    pub fn begin(component: &'static str) -> Result<Self, ProcessError> {
        let shutdown = Shutdown::on_signals().map_err(ProcessError::Signals)?;
        let readiness = Readiness::new(shutdown.stopping());
        let registry = Registry::new(component, VERSION)?;
        readiness.show(component, &registry)?;
        Ok(Self {
            component,
            shutdown,
            readiness,
            registry,
        })
    }

    /// A client for the cluster that the environment names.
    pub async fn client(&self) -> Result<Client, ProcessError> {
        let agent = format!("clusterbackup-{}/{VERSION}", self.component);
        Ok(client::connect(&agent).await?)
    }

    /// Opens the admin port: when each part has its handle of the readiness, or it is called ready too soon.
    pub async fn open(&self, address: SocketAddr) -> Result<(), ProcessError> {
        let admin = admin::serve(
            listen(address).await?,
            self.registry.clone(),
            self.readiness.clone(),
            self.shutdown.stopped(),
        );
        self.shutdown.spawn("admin", admin);
        Ok(())
    }

    /// The last line of a process: nothing is served any more. What is left then has so long to end.
    pub async fn finish(self, deadline: Duration) -> Result<(), ProcessError> {
        Ok(self.shutdown.finish(deadline).await?)
    }
}

/// Opens a port.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ProcessError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ProcessError::Listen { address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }

    #[tokio::test]
    async fn it_is_not_ready_before_its_parts_are_and_serves_until_its_end() {
        let process = Process::begin("test").unwrap();
        let part = process.readiness.handle("part");
        process.open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        assert_eq!(process.readiness.awaited(), ["part"]);
        part.set_ready();
        assert!(process.readiness.is_ready());
        process.finish(Duration::from_secs(5)).await.unwrap();
    }
}
