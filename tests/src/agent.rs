//! A node's agent and its watchdog as processes of this machine, under their shipped ServiceAccount: with the token of a
//! pod on that node, as kubelet would give it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::process::Warden;
use crate::{Cluster, Daemon, eventually, manifests, ports, program};

/// The namespace of the shipped manifests, and of the tasks.
pub const NAMESPACE: &str = clusterbackup_api::namespaces::AGENTS;
/// The name of the DaemonSet and of the ServiceAccount.
pub const NAME: &str = "clusterbackup-agent";

const READY_LIMIT: Duration = Duration::from_secs(30);

/// One node without a kubelet, on which agent and watchdog can be started.
pub struct AgentNode {
    name: String,
    journal: PathBuf,
    socket: PathBuf,
    kubeconfig: PathBuf,
    logs: PathBuf,
    warden: Arc<Warden>,
    started: AtomicU32,
}

/// Applies the shipped manifests that agents need: the kinds, their namespace and rights.
pub async fn install(cluster: &Cluster) -> Result<()> {
    manifests::apply(cluster, "crds", &[]).await?;
    manifests::apply(cluster, "base/agent", &[]).await
}

impl AgentNode {
    /// A node of this name, with a container runtime that listens at `socket`.
    pub async fn new(cluster: &Cluster, name: &str, socket: &Path) -> Result<Self> {
        let node: Node = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
        let nodes = Api::<Node>::all(cluster.admin());
        nodes.create(&PostParams::default(), &node).await?;
        let pod_name = format!("{NAME}-{name}");
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": pod_name },
            "spec": {
                "nodeName": name,
                "serviceAccountName": NAME,
                "containers": [{ "name": "agent", "image": "clusterbackup-agent" }],
            },
        }))?;
        let pods = Api::<Pod>::namespaced(cluster.admin(), NAMESPACE);
        let pod = eventually("the agent's pod is admitted", READY_LIMIT, || async {
            Ok(pods.create(&PostParams::default(), &pod).await?)
        })
        .await?;
        let uid = pod.metadata.uid.context("the pod has no uid")?;
        Ok(Self {
            name: name.to_owned(),
            journal: cluster.folder().join(format!("journal-{name}")),
            socket: socket.to_owned(),
            kubeconfig: cluster
                .kubeconfig_for_pod(NAMESPACE, NAME, (&pod_name, &uid))
                .await?,
            logs: cluster.logs_dir().to_owned(),
            warden: Arc::clone(cluster.warden()),
            started: AtomicU32::new(0),
        })
    }

    /// The same node with its journal elsewhere.
    #[must_use]
    pub fn with_journal(self, journal: &Path) -> Self {
        Self {
            journal: journal.to_owned(),
            ..self
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of its journal.
    pub fn journal(&self) -> &Path {
        &self.journal
    }

    /// The kubeconfig of its agent's pod.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Starts the agent, and waits until it is ready.
    pub async fn agent(&self) -> Result<Daemon> {
        let name = format!("--node-name={}", self.name);
        self.start("node", &[name], Some(&self.kubeconfig)).await
    }

    /// Starts the watchdog, which can't reach any API server, and waits until it is ready.
    pub async fn watchdog(&self) -> Result<Daemon> {
        self.start("watchdog", &[], None).await
    }

    async fn start(&self, role: &str, arguments: &[String], kubeconfig: Option<&Path>) -> Result<Daemon> {
        let program = program::AGENT.built().await?;
        let admin = ports::free()?;
        let mut command = Command::new(program);
        command
            .arg(role)
            .args(arguments)
            .arg(format!("--admin-listen={admin}"))
            .arg("--journal")
            .arg(&self.journal)
            .arg("--runtime-socket")
            .arg(&self.socket)
            .env("KUBECONFIG", kubeconfig.unwrap_or_else(|| Path::new("/nowhere")));
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = format!("{}-{role}-{number}", self.name);
        let daemon = Daemon::start(&self.warden, &self.logs, &log, command, admin)?;
        daemon.until_ready(READY_LIMIT).await?;
        Ok(daemon)
    }
}
