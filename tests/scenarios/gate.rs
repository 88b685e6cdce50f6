//! A replica's way to the API server, which can be barred: what is sent then waits, as with a server that hangs.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clusterbackup_tests::{Cluster, ReplicaOptions, kubeconfig, webhook};
use kube::config::Kubeconfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Open when it is made; dropped, it is a server that is gone.
pub(crate) struct Gate {
    open: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    kubeconfig: PathBuf,
}

impl Gate {
    /// A gate before the API server of `cluster`, in which the webhook is installed.
    pub(crate) async fn before(cluster: &Cluster) -> Result<Self> {
        let shipped = cluster.kubeconfig_for(webhook::NAMESPACE, webhook::NAME).await?;
        let mut config = Kubeconfig::read_from(shipped)?;
        let named = config.clusters.first_mut().context("no cluster")?;
        let entry = named.cluster.as_mut().context("an empty cluster")?;
        let server = entry.server.as_deref().context("no server")?;
        let server: SocketAddr = server.trim_start_matches("https://").parse()?;

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        entry.server = Some(format!("https://{address}"));
        let file = cluster
            .folder()
            .join(format!("gate-{}.kubeconfig", address.port()));
        kubeconfig::write(&config, &file)?;
        let (open, is_open) = watch::channel(true);
        Ok(Self {
            open,
            accepting: tokio::spawn(accept(listener, server, is_open)),
            kubeconfig: file,
        })
    }

    /// Options of a replica that goes through the gate.
    pub(crate) fn replica(&self, arguments: &[String]) -> ReplicaOptions {
        ReplicaOptions {
            arguments: arguments.to_vec(),
            environment: vec![("KUBECONFIG".to_owned(), self.kubeconfig.display().to_string())],
            ..ReplicaOptions::default()
        }
    }

    /// From now on nothing gets through.
    pub(crate) fn bar(&self) {
        self.open.send_replace(false);
    }

    /// From now on everything gets through, also what has waited.
    pub(crate) fn unbar(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
        self.bar();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, open: watch::Receiver<bool>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let Ok(server) = TcpStream::connect(server).await else {
            continue;
        };
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::spawn(pass(from_client, to_server, open.clone()));
        tokio::spawn(pass(from_server, to_client, open.clone()));
    }
}

/// Ends with the connection, and with the gate.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let is_gone = open.wait_for(|open| *open).await.is_err();
        if is_gone || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
