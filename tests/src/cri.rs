//! A container runtime for tests: the interface of containerd (CRI) on a socket, with real processes behind it.
//!
//! Its "containers" are processes of this machine in a working folder of their own, so hundreds of them start in a
//! second and nothing needs root. Commands behave as containerd 1.6 runs them: in a new session, with this program
//! as the runtime that is their parent; the answer waits until nobody holds the output any more; a time-out, or a
//! caller that hangs up, kills the command's first process and leaves its children alone.
//!
//! Where this program may make control groups (as root), each container is one, named by its id: then the agent can
//! tell its processes from others and end them. Elsewhere it can't, and must say so: see
//! [`CriFixture::tells_containers_apart`]. What is missing in both cases are namespaces: an orphan's new parent is
//! the machine's first process, not the container's.

mod cgroup;
mod container;
mod exec;
mod server;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clusterbackup_agent::runtime::Target;
use tokio::sync::watch;

use self::cgroup::Parent;
use self::container::{Container, Processes};
use self::server::Server;
use crate::eventually;
use crate::process::Warden;

const END: Duration = Duration::from_secs(10);

/// A container to run.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Where it is called so.
    pub target: Target,
    /// The folder that its processes run in.
    pub folder: PathBuf,
    /// Their environment, beside `PATH`.
    pub environment: Vec<(String, String)>,
    /// Its first process.
    pub application: Vec<String>,
}

impl ContainerSpec {
    /// A container whose first process only sleeps.
    pub fn new(target: Target, folder: &Path) -> Self {
        Self {
            target,
            folder: folder.to_owned(),
            environment: Vec::new(),
            application: ["sleep", "infinity"].map(str::to_owned).to_vec(),
        }
    }
}

/// How many commands the runtime had to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// Not answered yet.
    pub in_flight: usize,
    /// The most at one time.
    pub most: usize,
    /// All of them.
    pub total: usize,
}

/// A container runtime on a socket. Ends when dropped, with everything that it started.
pub struct CriFixture {
    server: Server,
    node: Arc<Node>,
    warden: Arc<Warden>,
}

/// What the runtime knows and counts.
struct Node {
    containers: Mutex<Vec<Container>>,
    parent: Option<Parent>,
    paused: watch::Sender<bool>,
    calls: Counter,
    warden: Arc<Warden>,
}

#[derive(Default)]
struct Counter {
    in_flight: AtomicUsize,
    most: AtomicUsize,
    total: AtomicUsize,
}

impl CriFixture {
    /// Starts a runtime without containers. Needs a tokio runtime around it.
    pub fn start() -> Result<Self> {
        Self::start_with(Parent::make())
    }

    /// The same without control groups, also where they could be made: the containers' processes can't be told from
    /// others, as if they ran in machines of their own.
    pub fn start_opaque() -> Result<Self> {
        Self::start_with(None)
    }

    fn start_with(parent: Option<Parent>) -> Result<Self> {
        let warden = Warden::new()?;
        let node = Arc::new(Node {
            containers: Mutex::default(),
            parent,
            paused: watch::Sender::default(),
            calls: Counter::default(),
            warden: Arc::clone(&warden),
        });
        let socket = warden.folder().join("cri.sock");
        Ok(Self {
            server: Server::start(&socket, Arc::clone(&node))?,
            node,
            warden,
        })
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.warden.folder().join("cri.sock")
    }

    /// Whether a container's processes can be told from all others. Without that nothing can be killed for certain.
    pub fn tells_containers_apart(&self) -> bool {
        self.node.parent.is_some()
    }

    /// Starts a container; the pod comes into being with its first one.
    pub fn run(&self, spec: ContainerSpec) -> Result<()> {
        let container = Container::start(spec, &self.node)?;
        self.node.containers().push(container);
        Ok(())
    }

    /// Ends a container with all its processes and starts it anew: another container, of the same name.
    pub async fn restart(&self, target: &Target) -> Result<()> {
        let spec = self.taken_out(target).await?;
        self.run(spec)
    }

    /// Ends a container with all its processes. The pod stays.
    pub async fn stop(&self, target: &Target) -> Result<()> {
        self.processes_of(target)?.gone().await
    }

    /// Ends and removes all containers of a pod.
    pub async fn remove_pod(&self, uid: &str) -> Result<()> {
        let removed: Vec<Container> = {
            let mut containers = self.node.containers();
            containers
                .extract_if(.., |container| container.spec.target.uid == uid)
                .collect()
        };
        for container in removed {
            container.processes.gone().await?;
        }
        Ok(())
    }

    /// From now on nothing is answered, and no command is started: like a runtime that hangs.
    pub fn pause(&self) {
        self.node.paused.send_replace(true);
    }

    /// Goes on, also with what was asked meanwhile.
    pub fn resume(&self) {
        self.node.paused.send_replace(false);
    }

    /// Breaks all connections, as a restart of the runtime does. Commands lose their first process, as each caller
    /// seems to have hung up.
    pub fn disconnect(&self) {
        self.server.disconnect();
    }

    /// What runs in a container besides its application, each with its arguments.
    pub fn commands(&self, target: &Target) -> Result<Vec<String>> {
        Ok(self.processes_of(target)?.commands())
    }

    /// Waits until nothing runs in a container besides its application.
    pub async fn only_the_application(&self, target: &Target) -> Result<()> {
        eventually("only the application runs", END, || async {
            let commands = self.commands(target)?;
            anyhow::ensure!(commands.is_empty(), "{commands:?}");
            Ok(())
        })
        .await
    }

    /// How many commands it had to run.
    pub fn calls(&self) -> Calls {
        self.node.calls.now()
    }

    fn processes_of(&self, target: &Target) -> Result<Arc<Processes>> {
        let containers = self.node.containers();
        let container = containers
            .iter()
            .find(|container| container.spec.target == *target);
        Ok(Arc::clone(
            &container.context("there is no such container")?.processes,
        ))
    }

    async fn taken_out(&self, target: &Target) -> Result<ContainerSpec> {
        let container = {
            let mut containers = self.node.containers();
            let place = containers
                .iter()
                .position(|container| container.spec.target == *target);
            containers.remove(place.context("there is no such container")?)
        };
        container.processes.gone().await?;
        Ok(container.spec.clone())
    }
}

impl Node {
    /// A thread that panicked while it held the lock left the list as it was.
    fn containers(&self) -> MutexGuard<'_, Vec<Container>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as the runtime hangs.
    async fn awake(&self) {
        // Fails only if nobody could resume it any more.
        let _ = self.paused.subscribe().wait_for(|paused| !paused).await;
    }
}

impl Counter {
    /// Counts a call as long as the result lives.
    fn begin(&self) -> impl Drop + use<'_> {
        self.total.fetch_add(1, Ordering::Relaxed);
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        InFlight(self)
    }

    fn now(&self) -> Calls {
        Calls {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            most: self.most.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }
}

struct InFlight<'a>(&'a Counter);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
