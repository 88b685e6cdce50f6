//! `cargo xtask cluster`: a cluster with the webhook installed, in the foreground, for people to try things in.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, workspace};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) fn run() -> Result<()> {
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(until_stopped());
    // Not waiting for a build that is under way.
    runtime.shutdown_background();
    println!("stopped; nothing is left running");
    ended
}

async fn until_stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        ended = serve() => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// Never ends by itself, unless something fails.
async fn serve() -> Result<()> {
    let cluster = Cluster::start().await?;
    let webhook = Webhook::install(&cluster, &["velero-door"]).await?;
    let replica = webhook.start(ReplicaOptions::default()).await?;
    let kubeconfig = Kubeconfig::publish(&cluster)?;
    println!("{}", usage(&kubeconfig.0, &cluster, &replica));
    replica.while_running(std::future::pending()).await
}

/// `target/cluster/kubeconfig`, there as long as the cluster is.
struct Kubeconfig(PathBuf);

impl Kubeconfig {
    fn publish(cluster: &Cluster) -> Result<Self> {
        let folder = workspace::target()?.join("cluster");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("kubeconfig");
        std::fs::copy(cluster.admin_kubeconfig(), &file)
            .with_context(|| format!("failed to write {}", file.display()))?;
        Ok(Self(file))
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        // If it is gone already, that is what was wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn usage(kubeconfig: &Path, cluster: &Cluster, replica: &Replica) -> String {
    format!(
        "\
A cluster is running, with the webhook and its doors. In another terminal:

  export KUBECONFIG={kubeconfig}
  alias kubectl={kubectl}
  kubectl get restoreinterceptions
  kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations
  curl http://{admin}/metrics

Logs: {logs}
Ctrl-C ends it and leaves nothing behind.",
        kubeconfig = kubeconfig.display(),
        kubectl = cluster.tools().kubectl.display(),
        admin = replica.admin_address(),
        logs = cluster.logs_dir().display(),
    )
}
