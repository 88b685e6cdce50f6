//! `cargo xtask cluster`: a cluster with the webhook installed, in the foreground, for people to try things in.

use std::path::Path;

use anyhow::Result;
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook};

use crate::foreground::{self, Kubeconfig};

pub(crate) fn run() -> Result<()> {
    let ended = foreground::run(serve());
    println!("stopped; nothing is left running");
    ended.map(drop)
}

/// Never ends by itself, unless something fails.
async fn serve() -> Result<()> {
    let cluster = Cluster::start().await?;
    let webhook = Webhook::install(&cluster, &["velero-door"]).await?;
    let replica = webhook.start(ReplicaOptions::default()).await?;
    let kubeconfig = Kubeconfig::publish(&cluster, "cluster")?;
    println!("{}", usage(kubeconfig.path(), &cluster, &replica));
    replica.while_running(std::future::pending()).await
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
