//! Runs the scenarios side by side on one shared cluster, started when the first of them needs it.
//!
//! A scenario that disturbs others (stops the webhook, rotates certificates) takes a cluster of its own.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, TestNamespace, Webhook};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Semaphore};

/// They mostly wait for the API server, so more of them than processors.
const THREADS: usize = 4;
/// Each takes half a gigabyte and a processor while it starts.
const OWN_CLUSTERS: usize = 2;
const LIMIT: Duration = Duration::from_mins(3);

/// One scenario.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

/// What a scenario needs.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// The shared cluster.
    Cluster(for<'a> fn(&'a Cluster) -> LocalBoxFuture<'a, Result<()>>),
    /// The shared cluster with the webhook running, which it leaves as it found it.
    Webhook(for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Result<()>>),
    /// A cluster of its own, without the webhook.
    Own(fn(Cluster) -> LocalBoxFuture<'static, Result<()>>),
}

/// What a scenario with the shared webhook is given.
pub(crate) struct Context {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) webhook: Arc<Installed>,
    /// Its own namespace.
    pub(crate) namespace: TestNamespace,
}

/// The shared webhook, with every door and one replica.
pub(crate) struct Installed {
    pub(crate) replica: Replica,
    pub(crate) service: Webhook,
}

/// Declares the scenarios of a file by what they need: `scenarios! { Webhook: [one, two], Own: [three] }`.
macro_rules! scenarios {
    ($($needs:ident: [$($scenario:ident),* $(,)?]),* $(,)?) => {
        pub(crate) const SCENARIOS: &[$crate::runner::Scenario] = &[$($($crate::runner::Scenario {
            name: concat!(module_path!(), "::", stringify!($scenario)),
            run: $crate::runner::Run::$needs(|given| Box::pin($scenario(given))),
        },)*)*];
    };
}
pub(crate) use scenarios;

/// Runs what the command line asks for and prints libtest's summary.
pub(crate) fn run(files: &[&[Scenario]]) -> ExitCode {
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
    let name = scenario.name.trim_start_matches("scenarios::");
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
    own: Semaphore,
}

impl Stage {
    fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            cluster: Shared::default(),
            webhook: Shared::default(),
            own: Semaphore::new(OWN_CLUSTERS),
        }
    }

    fn run(&self, run: Run) -> Result<()> {
        self.runtime.block_on(async {
            match run {
                Run::Cluster(scenario) => {
                    let cluster = self.cluster().await?;
                    bounded(scenario(&cluster)).await.with_context(|| logs(&cluster))
                }
                Run::Webhook(scenario) => {
                    let cluster = self.cluster().await?;
                    let webhook = shared(&self.webhook, "webhook", Box::pin(install(&cluster))).await?;
                    let namespace = cluster.namespace("scenario").await?;
                    let context = Context {
                        cluster,
                        webhook,
                        namespace,
                    };
                    bounded(scenario(&context))
                        .await
                        .with_context(|| logs(&context.cluster))
                }
                Run::Own(scenario) => {
                    let _turn = self.own.acquire().await?;
                    let cluster = Cluster::start().await.context("failed to start a cluster")?;
                    let logs = logs(&cluster);
                    bounded(scenario(cluster)).await.context(logs)
                }
            }
        })
    }

    async fn cluster(&self) -> Result<Arc<Cluster>> {
        shared(&self.cluster, "cluster", Cluster::start()).await
    }

    /// Ends what was shared, also when scenarios failed.
    fn clear(&self) {
        let _in_runtime = self.runtime.enter();
        drop(self.runtime.block_on(self.webhook.lock()).take());
        drop(self.runtime.block_on(self.cluster.lock()).take());
    }
}

async fn install(cluster: &Cluster) -> Result<Installed> {
    let service = Webhook::install(cluster, &["velero-door"]).await?;
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

async fn bounded(scenario: LocalBoxFuture<'_, Result<()>>) -> Result<()> {
    tokio::time::timeout(LIMIT, scenario)
        .await
        .unwrap_or_else(|_| Err(anyhow!("not done after {LIMIT:?}")))
}

/// The chain of causes, one a line. (Debug would add a backtrace through the runtime where one is asked for.)
fn told(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join("\n  because: ")
}

fn logs(cluster: &Cluster) -> String {
    format!("logs of the cluster: {}", cluster.logs_dir().display())
}
