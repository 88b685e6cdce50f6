//! A cluster with real nodes: scheduler, kube-proxy, and for each node containerd and a kubelet in namespaces of their
//! own. Needs root and a few packages of Debian.
//!
//! What it takes of the machine: one pair of network interfaces, control groups, a temporary folder. All else (bridges,
//! addresses, rules of iptables, mounts, processes) is in namespaces and ends with them, however this program ends.

mod application;
mod cgroup;
mod containerd;
mod installed;
mod node;
mod proxy;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;
use kube::api::ListParams;
use serde::{Deserialize, Serialize};

pub use self::application::{Application, Running};
pub use self::node::Node;
use crate::image::{self, Image};
use crate::packages::OF_NODES;
use crate::process::Process;
use crate::tools::NodeTools;
use crate::{Cluster, eventually};

/// Containers are made with a gap of seconds where a machine builds at the same time.
const LIMIT: Duration = Duration::from_mins(2);

/// Nodes and their cluster. Dropped in this order: kubelets before what they talk to.
pub struct Nodes {
    all: Vec<Node>,
    proxy: Process,
    scheduler: Process,
    cluster: Cluster,
}

impl Nodes {
    /// What keeps nodes from being started here, as what to do about it.
    pub fn obstacle() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("nodes need root: run as root, or leave them out by --no-nodes".to_owned());
        }
        OF_NODES
            .obstacle()
            .or_else(cgroup::obstacle)
            .or_else(NodeTools::obstacle)
    }

    /// Starts a cluster with so many nodes and waits until pods can run on them. The first call on a machine installs
    /// the packages and builds the programs.
    pub async fn start(count: u8) -> Result<Self> {
        let tools = tokio::task::spawn_blocking(|| {
            OF_NODES.install()?;
            NodeTools::locate()
        })
        .await??;
        let cluster = Cluster::start_for_nodes().await?;
        let scheduler = start_scheduler(&cluster, &tools.scheduler)?;
        let proxy = proxy::start(&cluster, &tools.proxy)?;
        let nodes = (1..=count).map(|number| Node::start(&cluster, &tools.kubelet, number));
        let nodes = futures::future::try_join_all(nodes).await?;
        let nodes = Self {
            all: nodes,
            proxy,
            scheduler,
            cluster,
        };
        nodes.load(&[image::pause()?, image::busybox()?]).await?;
        nodes.until_ready().await?;
        Ok(nodes)
    }

    /// The control plane, and the ways into it.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The same, to stop parts of it.
    pub fn cluster_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// All nodes: `node-1`, `node-2`, ….
    pub fn all(&self) -> &[Node] {
        &self.all
    }

    /// A node by its name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        let found = self.all.iter().find(|node| node.name() == name);
        found.with_context(|| format!("there is no node {name}"))
    }

    /// The same, to stop parts of it.
    pub fn node_mut(&mut self, name: &str) -> Result<&mut Node> {
        let found = self.all.iter_mut().find(|node| node.name() == name);
        found.with_context(|| format!("there is no node {name}"))
    }

    /// Puts images onto every node.
    pub async fn load(&self, images: &[Image]) -> Result<()> {
        for image in images {
            let loads = self.all.iter().map(|node| node.load(image));
            futures::future::try_join_all(loads).await?;
        }
        Ok(())
    }

    /// What of them is to be seen from outside of their namespaces.
    pub fn traces(&self) -> Result<Traces> {
        let of_node = |node: &Node| [node.process_id(), node.containerd.id(), node.kubelet.id()];
        let parts = [self.proxy.id(), self.scheduler.id()];
        let nodes = self.all.iter().flat_map(of_node);
        Ok(Traces {
            processes: self
                .cluster
                .process_ids()
                .into_iter()
                .chain(parts)
                .chain(nodes)
                .collect(),
            folder: self.cluster.folder().to_path_buf(),
            interface: self.cluster.network()?.interface(),
            cgroups: self
                .all
                .iter()
                .flat_map(|node| cgroup::folders(&node.group))
                .collect(),
        })
    }

    async fn until_ready(&self) -> Result<()> {
        let objects = Api::<NodeObject>::all(self.cluster.admin());
        eventually("every node is ready", LIMIT, || async {
            let found = objects.list(&ListParams::default()).await?.items;
            let ready = found.iter().filter(|node| is_ready(node)).count();
            ensure!(ready == self.all.len(), "{ready} of {} are", self.all.len());
            Ok(())
        })
        .await
        .with_context(|| format!("see the logs in {}", self.cluster.logs_dir().display()))
    }
}

/// What nodes take of the machine, and must not leave behind.
#[derive(Debug, Serialize, Deserialize)]
pub struct Traces {
    processes: Vec<u32>,
    folder: PathBuf,
    interface: String,
    cgroups: Vec<PathBuf>,
}

impl Traces {
    /// The working folder, in which other things may lie as well.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is there of it.
    pub fn present(&self) -> Vec<String> {
        let interface = Path::new("/sys/class/net").join(&self.interface);
        let paths = [&self.folder, &interface];
        let paths = paths
            .into_iter()
            .chain(&self.cgroups)
            .filter(|path| path.exists());
        // One that is dead, but that nobody has asked after, has no command line.
        let runs = |id: &&u32| fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty());
        let processes = self.processes.iter().filter(runs);
        processes
            .map(|id| format!("process {id}"))
            .chain(paths.map(|path| path.display().to_string()))
            .collect()
    }

    /// How many there are at the most.
    pub fn count(&self) -> usize {
        self.processes.len() + self.cgroups.len() + 2
    }
}

fn is_ready(node: &NodeObject) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn start_scheduler(cluster: &Cluster, program: &Path) -> Result<Process> {
    let kubeconfig = cluster.kubeconfig_of("system:kube-scheduler", None)?;
    let mut command = cluster.network()?.command(program);
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        // Nobody calls it, so it listens nowhere.
        .arg("--secure-port=0")
        .arg("--leader-elect=false");
    Process::start(cluster.warden(), cluster.logs_dir(), "kube-scheduler", command)
}
