//! Runs the scenarios side by side on one shared cluster, started when the first of them needs it.
//!
//! A scenario that disturbs others (stops the webhook, rotates certificates) takes a cluster of its own.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, RwLock, Semaphore};

use crate::velero::{RuleEngine, Velero};
use crate::{Cluster, Csi, Nodes, Promtool, Replica, ReplicaOptions, Stores, TestNamespace, Webhook};

/// They mostly wait for the API server, so more of them than processors.
const THREADS: usize = 4;
/// Each takes half a gigabyte and a processor while it starts.
const OWN_CLUSTERS: usize = 2;
const LIMIT: Duration = Duration::from_mins(3);
/// How many rounds a drill has where nothing else is asked for, and how many more seconds for each.
const ROUNDS: u32 = 3;
const ROUND: Duration = Duration::from_secs(30);
/// As many as it takes to move from one to the other.
const NODES: u8 = 2;
/// A drill waits for what a kubelet or a controller does every minute only.
const NODES_LIMIT: Duration = Duration::from_mins(6);
/// Velero does one restore after the other, whoever asks, and is started in this time.
const VELERO_LIMIT: Duration = Duration::from_mins(15);

/// The variable that says how many rounds drills have.
pub const ROUNDS_VARIABLE: &str = "CLUSTERBACKUP_ROUNDS";

/// One scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The path of its function.
    pub name: &'static str,
    /// What it needs, and the function.
    pub run: Run,
}

/// What becomes of a scenario.
type Done<'a> = LocalBoxFuture<'a, Result<()>>;

/// What a scenario needs.
#[derive(Clone, Copy)]
pub enum Run {
    /// The shared cluster.
    Cluster(for<'a> fn(&'a Cluster) -> LocalBoxFuture<'a, Result<()>>),
    /// The shared cluster with the webhook running, which it leaves as it found it.
    Webhook(for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Result<()>>),
    /// The shared cluster with a CSI driver, of which it leaves the knobs for all volumes alone.
    Csi(for<'a> fn(&'a CsiContext) -> LocalBoxFuture<'a, Result<()>>),
    /// The shared cluster with the webhook and Velero running.
    Velero(for<'a> fn(&'a VeleroContext) -> LocalBoxFuture<'a, Result<()>>),
    /// No cluster, but Velero's rule engine.
    RuleEngine(for<'a> fn(&'a RuleEngine) -> LocalBoxFuture<'a, Result<()>>),
    /// A cluster of its own, without the webhook.
    Own(fn(Cluster) -> LocalBoxFuture<'static, Result<()>>),
    /// The same, but the API server forgets soon what was.
    OwnForgetful(fn(Cluster) -> LocalBoxFuture<'static, Result<()>>),
    /// A cluster of its own, and how many rounds the drill has.
    OwnRounds(fn((Cluster, u32)) -> LocalBoxFuture<'static, Result<()>>),
    /// A cluster of its own, and promtool.
    OwnWatched(fn((Cluster, Promtool)) -> LocalBoxFuture<'static, Result<()>>),
    /// The shared cluster of two nodes with the shipped manifests installed, which it leaves as it found it.
    Nodes(for<'a> fn(&'a NodesContext) -> LocalBoxFuture<'a, Result<()>>),
    /// The same, while no other scenario uses it: what dies has to come back before this one ends.
    NodesAlone(for<'a> fn(&'a NodesContext) -> LocalBoxFuture<'a, Result<()>>),
    /// A cluster of its own, and servers of blobs.
    OwnStores(for<'a> fn((Cluster, &'a Stores)) -> LocalBoxFuture<'a, Result<()>>),
    /// The same, and how many rounds the drill has.
    OwnStoresRounds(for<'a> fn((Cluster, &'a Stores, u32)) -> Done<'a>),
    /// A cluster of two nodes of its own, with nothing installed.
    OwnNodes(fn(Nodes) -> LocalBoxFuture<'static, Result<()>>),
    /// Promtool alone.
    Promtool(fn(Promtool) -> LocalBoxFuture<'static, Result<()>>),
    /// No cluster, but servers of blobs.
    Stores(for<'a> fn(&'a Stores) -> LocalBoxFuture<'a, Result<()>>),
}

/// What a scenario with the shared webhook is given.
pub struct Context {
    /// The shared cluster.
    pub cluster: Arc<Cluster>,
    /// What is installed in it.
    pub webhook: Arc<Installed>,
    /// Its own namespace.
    pub namespace: TestNamespace,
}

/// What a scenario with volumes is given.
pub struct CsiContext {
    /// The shared cluster.
    pub cluster: Arc<Cluster>,
    /// The driver and its sidecars.
    pub csi: Arc<Csi>,
    /// Its own namespace.
    pub namespace: TestNamespace,
}

/// What a scenario on nodes is given.
pub struct NodesContext {
    /// The shared cluster, with `node-1` and `node-2`.
    pub nodes: Arc<Nodes>,
    /// A CSI driver for its pods, of which it leaves the knobs for all volumes alone.
    pub csi: Arc<Csi>,
    /// Its own namespace.
    pub namespace: TestNamespace,
}

/// What a scenario with Velero is given.
pub struct VeleroContext {
    /// What any scenario with the webhook is given.
    pub context: Context,
    /// Velero, in the same cluster.
    pub velero: Arc<Velero>,
}

/// The shared webhook, with every door and one replica.
pub struct Installed {
    /// The one that runs.
    pub replica: Replica,
    /// What it is behind.
    pub service: Webhook,
}

/// Declares the scenarios of a file by what they need: `scenarios! { Webhook: [one, two], Own: [three] }`.
#[macro_export]
macro_rules! scenarios {
    ($($needs:ident: [$($scenario:ident),* $(,)?]),* $(,)?) => {
        pub(crate) const SCENARIOS: &[$crate::runner::Scenario] = &[$($($crate::runner::Scenario {
            name: concat!(module_path!(), "::", stringify!($scenario)),
            run: $crate::runner::Run::$needs(|given| Box::pin($scenario(given))),
        },)*)*];
    };
}
#[doc(inline)]
pub use scenarios;

/// Runs what the command line asks for and prints libtest's summary.
pub fn run(files: &[&[Scenario]]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("failed to start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stage = Arc::new(Stage::new(runtime));
    let trials = files
        .iter()
        .copied()
        .flatten()
        .map(|scenario| trial(*scenario, Arc::clone(&stage)))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    stage.clear();
    conclusion.exit_code()
}

fn trial(scenario: Scenario, stage: Arc<Stage>) -> Trial {
    let name = scenario
        .name
        .split_once("::")
        .map_or(scenario.name, |(_, path)| path);
    Trial::test(name, move || {
        stage
            .run(scenario.run)
            .map_err(|error| Failed::from(told(&error)))
    })
}

/// Something that scenarios share: started once; a failed start is everybody's failure, not tried again by each.
type Shared<T> = Mutex<Option<Result<Arc<T>, String>>>;

/// What the scenarios share.
struct Stage {
    runtime: Runtime,
    cluster: Shared<Cluster>,
    webhook: Shared<Installed>,
    csi: Shared<Csi>,
    velero: Shared<Velero>,
    rule_engine: Shared<RuleEngine>,
    nodes: Shared<Nodes>,
    csi_on_nodes: Shared<Csi>,
    stores: Shared<Stores>,
    own: Semaphore,
    alone_on_nodes: RwLock<()>,
}

impl Stage {
    fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            cluster: Shared::default(),
            webhook: Shared::default(),
            csi: Shared::default(),
            velero: Shared::default(),
            rule_engine: Shared::default(),
            nodes: Shared::default(),
            csi_on_nodes: Shared::default(),
            stores: Shared::default(),
            own: Semaphore::new(OWN_CLUSTERS),
            alone_on_nodes: RwLock::default(),
        }
    }

    fn run(&self, run: Run) -> Result<()> {
        self.runtime.block_on(async {
            match run {
                Run::Cluster(scenario) => {
                    let cluster = self.cluster().await?;
                    bounded(LIMIT, scenario(&cluster))
                        .await
                        .with_context(|| logs(&cluster))
                }
                Run::Webhook(scenario) => {
                    let context = self.context().await?;
                    let done = bounded(LIMIT, scenario(&context)).await;
                    done.with_context(|| logs(&context.cluster))
                }
                Run::Csi(scenario) => {
                    let cluster = self.cluster().await?;
                    let csi = shared(&self.csi, "CSI driver", Csi::start(&cluster)).await?;
                    let namespace = cluster.namespace("volumes").await?;
                    let context = CsiContext {
                        cluster,
                        csi,
                        namespace,
                    };
                    let done = bounded(LIMIT, scenario(&context)).await;
                    done.with_context(|| logs(&context.cluster))
                }
                Run::Velero(scenario) => {
                    let context = self.context().await?;
                    let velero = shared(&self.velero, "Velero", Velero::install(&context.cluster)).await?;
                    let context = VeleroContext { context, velero };
                    let done = bounded(VELERO_LIMIT, scenario(&context)).await;
                    done.with_context(|| logs(&context.context.cluster))
                }
                Run::RuleEngine(scenario) => {
                    let start = async { tokio::task::spawn_blocking(RuleEngine::start).await? };
                    let engine = shared(&self.rule_engine, "rule engine of Velero", start).await?;
                    scenario(&engine).await
                }
                Run::Own(scenario) => self.own(Cluster::start(), LIMIT, scenario).await,
                Run::OwnForgetful(scenario) => self.own(Cluster::start_forgetful(), LIMIT, scenario).await,
                Run::OwnRounds(scenario) => {
                    let rounds = rounds()?;
                    let scenario = |cluster| scenario((cluster, rounds));
                    self.own(Cluster::start(), LIMIT + ROUND * rounds, scenario).await
                }
                Run::OwnWatched(scenario) => {
                    let promtool = Promtool::locate().await?;
                    let scenario = |cluster| scenario((cluster, promtool));
                    self.own(Cluster::start(), LIMIT, scenario).await
                }
                Run::OwnStores(scenario) => {
                    let stores = self.stores().await?;
                    let scenario = |cluster| scenario((cluster, &stores));
                    self.own(Cluster::start(), LIMIT, scenario).await
                }
                Run::OwnStoresRounds(scenario) => {
                    let (stores, rounds) = (self.stores().await?, rounds()?);
                    let scenario = |cluster| scenario((cluster, &stores, rounds));
                    self.own(Cluster::start(), LIMIT + ROUND * rounds, scenario).await
                }
                Run::Nodes(scenario) => {
                    let _beside_others = self.alone_on_nodes.read().await;
                    self.nodes(scenario).await
                }
                Run::NodesAlone(scenario) => {
                    let _alone = self.alone_on_nodes.write().await;
                    self.nodes(scenario).await
                }
                Run::OwnNodes(scenario) => {
                    let _turn = self.own.acquire().await?;
                    let nodes = Nodes::start(NODES).await.context("failed to start nodes")?;
                    let logs = logs(nodes.cluster());
                    bounded(NODES_LIMIT, scenario(nodes)).await.context(logs)
                }
                Run::Promtool(scenario) => bounded(LIMIT, scenario(Promtool::locate().await?)).await,
                Run::Stores(scenario) => {
                    let stores = self.stores().await?;
                    let done = bounded(LIMIT, scenario(&stores)).await;
                    done.with_context(|| format!("logs of the servers: {}", stores.logs().display()))
                }
            }
        })
    }

    async fn stores(&self) -> Result<Arc<Stores>> {
        shared(&self.stores, "servers of blobs", Stores::start()).await
    }

    async fn own<'a>(
        &self,
        cluster: impl Future<Output = Result<Cluster>>,
        limit: Duration,
        scenario: impl FnOnce(Cluster) -> LocalBoxFuture<'a, Result<()>>,
    ) -> Result<()> {
        let _turn = self.own.acquire().await?;
        let cluster = cluster.await.context("failed to start a cluster")?;
        let logs = logs(&cluster);
        bounded(limit, scenario(cluster)).await.context(logs)
    }

    async fn nodes(
        &self,
        scenario: for<'a> fn(&'a NodesContext) -> LocalBoxFuture<'a, Result<()>>,
    ) -> Result<()> {
        let nodes = shared(&self.nodes, "cluster of nodes", Box::pin(installed())).await?;
        let csi = shared(&self.csi_on_nodes, "CSI driver on nodes", Csi::start_on(&nodes)).await?;
        let namespace = nodes.cluster().namespace("nodes").await?;
        let context = NodesContext {
            nodes,
            csi,
            namespace,
        };
        let done = bounded(NODES_LIMIT, scenario(&context)).await;
        done.with_context(|| logs(context.nodes.cluster()))
    }

    async fn cluster(&self) -> Result<Arc<Cluster>> {
        shared(&self.cluster, "cluster", Cluster::start()).await
    }

    async fn context(&self) -> Result<Context> {
        let cluster = self.cluster().await?;
        let webhook = shared(&self.webhook, "webhook", Box::pin(install(&cluster))).await?;
        let namespace = cluster.namespace("scenario").await?;
        Ok(Context {
            cluster,
            webhook,
            namespace,
        })
    }

    /// Ends what was shared, also when scenarios failed.
    fn clear(&self) {
        let _in_runtime = self.runtime.enter();
        drop(self.runtime.block_on(self.stores.lock()).take());
        drop(self.runtime.block_on(self.csi_on_nodes.lock()).take());
        drop(self.runtime.block_on(self.nodes.lock()).take());
        drop(self.runtime.block_on(self.velero.lock()).take());
        drop(self.runtime.block_on(self.csi.lock()).take());
        drop(self.runtime.block_on(self.webhook.lock()).take());
        drop(self.runtime.block_on(self.cluster.lock()).take());
    }
}

/// How many rounds a drill has.
fn rounds() -> Result<u32> {
    match std::env::var(ROUNDS_VARIABLE) {
        Ok(rounds) => rounds
            .parse()
            .with_context(|| format!("{ROUNDS_VARIABLE} is no number")),
        Err(_) => Ok(ROUNDS),
    }
}

async fn installed() -> Result<Nodes> {
    let nodes = Nodes::start(NODES).await?;
    nodes.install("system", &["hook-kinds"]).await?;
    Ok(nodes)
}

async fn install(cluster: &Cluster) -> Result<Installed> {
    let service = Webhook::install(cluster, &["velero-door", "hook-kinds", "requester"]).await?;
    let replica = service.start(ReplicaOptions::default()).await?;
    Ok(Installed { replica, service })
}

async fn shared<T>(place: &Shared<T>, what: &str, start: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
    let mut place = place.lock().await;
    let started = match place.take() {
        Some(started) => started,
        None => start.await.map(Arc::new).map_err(|error| told(&error)),
    };
    let answer = started
        .as_ref()
        .map(Arc::clone)
        .map_err(|error| anyhow!("failed to start the shared {what}: {error}"));
    *place = Some(started);
    answer
}

async fn bounded(limit: Duration, scenario: LocalBoxFuture<'_, Result<()>>) -> Result<()> {
    tokio::time::timeout(limit, scenario)
        .await
        .unwrap_or_else(|_| Err(anyhow!("not done after {limit:?}")))
}

/// The chain of causes, one a line. (Debug would add a backtrace through the runtime where one is asked for.)
fn told(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join("\n  because: ")
}

fn logs(cluster: &Cluster) -> String {
    format!("logs of the cluster: {}", cluster.logs_dir().display())
}
