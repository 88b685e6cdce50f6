//! Runs the scenarios side by side on one shared cluster, started when the first of them needs it.
//!
//! A scenario that disturbs others (stops the webhook, rotates certificates) takes a cluster of its own.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clusterbackup_tests::Cluster;
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
    /// A cluster of its own, without the webhook.
    Own(fn(Cluster) -> LocalBoxFuture<'static, Result<()>>),
}

/// Declares the scenarios of a file by what they need: `scenarios! { Cluster: [one, two], Own: [three] }`.
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
    let stage = Arc::new(Stage {
        runtime,
        shared: Mutex::new(None),
        own: Semaphore::new(OWN_CLUSTERS),
    });
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
            .map_err(|error| Failed::from(format!("{error:?}")))
    })
}

/// What the scenarios share.
struct Stage {
    runtime: Runtime,
    /// Started once; a failed start is everybody's failure, not tried again by each.
    shared: Mutex<Option<Result<Arc<Cluster>, String>>>,
    own: Semaphore,
}

impl Stage {
    fn run(&self, run: Run) -> Result<()> {
        self.runtime.block_on(async {
            match run {
                Run::Cluster(scenario) => {
                    let cluster = self.cluster().await?;
                    bounded(scenario(&cluster)).await.with_context(|| logs(&cluster))
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
        let mut shared = self.shared.lock().await;
        if shared.is_none() {
            *shared = Some(
                Cluster::start()
                    .await
                    .map(Arc::new)
                    .map_err(|error| format!("{error:?}")),
            );
        }
        match shared.as_ref() {
            Some(Ok(cluster)) => Ok(Arc::clone(cluster)),
            Some(Err(error)) => Err(anyhow!("failed to start the shared cluster: {error}")),
            None => Err(anyhow!("the shared cluster has been stopped")),
        }
    }

    fn clear(&self) {
        let shared = self.runtime.block_on(async { self.shared.lock().await.take() });
        let _in_runtime = self.runtime.enter();
        drop(shared);
    }
}

async fn bounded(scenario: LocalBoxFuture<'_, Result<()>>) -> Result<()> {
    tokio::time::timeout(LIMIT, scenario)
        .await
        .unwrap_or_else(|_| Err(anyhow!("not done after {LIMIT:?}")))
}

fn logs(cluster: &Cluster) -> String {
    format!("logs of the cluster: {}", cluster.logs_dir().display())
}
