//! The agent of a node: carries out the node's tasks, and thaws what an earlier agent has left.
//!
//! | module | concern |
//! |---|---|
//! | `tasks` | the watch of this node's tasks |
//! | `orders` | what the leader wants of one task |
//! | `task`, `work` | one task, from its first sight to its end; what its parts share |
//! | `resume` | a task that an earlier agent has begun |
//! | `unit`, `signal` | one freeze unit, and the one signal to thaw |
//! | `freeze` | what is written down before anything is frozen |
//! | `pod` | one pod's pre hooks and undo |
//! | `restored`, `containers` | a new pod of a restore and its hooks; when its containers are up |
//! | `going` | which pods are being deleted |
//! | `cut`, `members` | the cuts, and what is seen of them |
//! | `status` | the report |
//! | `metrics` | what is counted |

mod containers;
mod cut;
mod freeze;
mod going;
mod incarnations;
mod members;
mod metrics;
mod orders;
mod pod;
mod restored;
mod resume;
mod signal;
mod status;
mod task;
mod tasks;
mod unit;
mod work;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::NodeTask;
use clusterbackup_kit::logging::LogArgs;
use clusterbackup_kit::process::Process;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

pub use self::metrics::NodeMetrics;
use crate::caretaker::{By, Caretaker};
use crate::journal::Journal;
use crate::process::{END, NodeArgs, RunError};
use crate::undo::Means;

/// What it is called in metrics.
const COMPONENT: &str = "agent";

/// Units under way at once: what a node's runtime does side by side without getting slower.
const UNITS: usize = 64;

/// After SIGTERM: as long as the undos may take before the watchdog and the next agent are left with them.
const DRAIN: Duration = Duration::from_secs(80);

/// The agent of a node: runs hooks and cuts snapshots as the leader's tasks say, and always thaws
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node it runs on
    #[arg(long, env = "NODE_NAME")]
    node_name: String,
    /// The namespace of the tasks
    #[arg(long, default_value = clusterbackup_api::namespaces::AGENTS)]
    namespace: String,
    /// Where /live, /ready and /metrics are served, over HTTP
    #[arg(long, default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// What all tasks of the node share.
struct Node {
    client: Client,
    namespace: String,
    name: String,
    means: Means,
    journal: Journal,
    metrics: Arc<NodeMetrics>,
    room: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Node {
    fn tasks(&self) -> Api<NodeTask> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

impl Args {
    /// The flags of the log.
    pub fn log(&self) -> &LogArgs {
        &self.log
    }

    /// Runs until SIGTERM; what is frozen then is thawed at once.
    pub async fn run(self) -> Result<(), RunError> {
        let process = Process::begin(COMPONENT)?;
        let (replayed, known) = (
            process.readiness.handle("journal"),
            process.readiness.handle("tasks"),
        );
        process.open(self.admin_listen).await?;
        let client = process.client().await?;
        let journal = self.node.journal()?;
        journal.sweep()?;
        let means = self
            .node
            .means(&process, Some((&client, &self.node_name)))
            .await?;
        let stopping = process.shutdown.stopping();
        let node = Arc::new(Node {
            client,
            namespace: self.namespace,
            name: self.node_name,
            means: means.clone(),
            journal: journal.clone(),
            metrics: NodeMetrics::register(&process.registry)?,
            room: Arc::new(Semaphore::new(UNITS)),
            stopping: stopping.clone(),
        });

        let caretaker = Caretaker::new(journal, means, By::Replay);
        let caring = caretaker.run(move || replayed.set_ready(), process.shutdown.stopped());
        process.shutdown.spawn("journal", async move {
            caring.await;
            Ok::<_, Infallible>(())
        });

        let carriers = TaskTracker::new();
        let followed = tasks::follow(node, carriers.clone(), move || known.set_ready());
        let stopped = process.shutdown.stopped();
        process.shutdown.spawn("tasks", async move {
            stopped.run_until_cancelled(followed).await;
            Ok::<_, Infallible>(())
        });

        stopping.cancelled().await;
        carriers.close();
        if timeout(DRAIN, carriers.wait()).await.is_err() {
            warn!(
                tasks = carriers.len(),
                "not everything could be thawed; the watchdog goes on with it"
            );
        }
        Ok(process.finish(END).await?)
    }
}
