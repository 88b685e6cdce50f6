//! `cargo xtask cluster`: a cluster with the webhook installed, in the foreground, for people to try things in.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use clusterbackup_tests::{Cluster, Nodes, Replica, ReplicaOptions, Webhook};

use crate::foreground::{self, Kubeconfig};

#[derive(Args)]
pub(crate) struct Arguments {
    /// With so many real nodes, on which the whole system runs as pods. Needs root.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: Option<u8>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let ended = match arguments.nodes {
        None => foreground::run(serve()),
        Some(count) => foreground::run(serve_nodes(count)),
    };
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

/// The same, with nodes.
async fn serve_nodes(count: u8) -> Result<()> {
    if let Some(obstacle) = Nodes::obstacle() {
        bail!(obstacle);
    }
    let nodes = Nodes::start(count).await?;
    nodes.install("system", &["hook-kinds"]).await?;
    let kubeconfig = Kubeconfig::publish(nodes.cluster(), "cluster")?;
    println!("{}", usage_of_nodes(kubeconfig.path(), nodes.cluster()));
    std::future::pending().await
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

fn usage_of_nodes(kubeconfig: &Path, cluster: &Cluster) -> String {
    format!(
        "\
A cluster with nodes is running, with the whole system as pods. In another terminal:

  export KUBECONFIG={kubeconfig}
  alias kubectl={kubectl}
  kubectl get nodes,pods --all-namespaces
  kubectl run shell --image=busybox:1 --restart=Never --rm --stdin --tty -- sh

Logs: {logs}
Ctrl-C ends it and leaves nothing behind.",
        kubeconfig = kubeconfig.display(),
        kubectl = cluster.tools().kubectl.display(),
        logs = cluster.logs_dir().display(),
    )
}
