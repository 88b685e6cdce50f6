//! The leader's process: its flags, the election, and the work of a term.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use clusterbackup_api::{NodeTask, namespaces};
use clusterbackup_kit::lease::{self, Election, Settings, Standing, Term};
use clusterbackup_kit::logging::LogArgs;
use clusterbackup_kit::process::{Process, ProcessError};
use clusterbackup_kit::readiness::Handle;
use clusterbackup_vault::store::FileStore;
use kube::Api;
use kube::api::ListParams;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::backups;
use super::catalogue;
use super::configuration;
use super::error::DriveError;
use super::events::Events;
use super::instances;
use super::listed;
use super::metrics::{Metrics, Transition};
use super::policies;
use super::restores;
use super::schedules::Schedules;
use super::survey;
use super::vault::Doors;
use super::vaults;
use super::verification;
use super::world::World;

/// What it is called in metrics.
const COMPONENT: &str = "leader";
/// The Lease that candidates compete for.
const LEASE: &str = "clusterbackup-leader";
/// The ConfigMap of the fencing epoch.
const EPOCH: &str = "clusterbackup-leader-epoch";
/// Work that has not ended this long after it was cancelled hangs.
const END: Duration = Duration::from_secs(10);
/// Tasks a page: a task may be large.
const PAGE: u32 = 20;

/// A candidate for the leader: it drives backups while it leads
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The namespace of the nodes' agents and of their tasks
    #[arg(long, env = "AGENTS_NAMESPACE", default_value = namespaces::AGENTS)]
    namespace: String,
    /// The namespace that it runs in, and the webhook with it: that of the Lease, of the fencing epoch, and of the rules
    /// of restores
    #[arg(long, env = "POD_NAMESPACE", default_value = namespaces::OWN)]
    lease_namespace: String,
    /// The pod that it runs in, by which the Lease names its holder
    #[arg(long, env = "POD_NAME", default_value = "clusterbackup-leader")]
    pod_name: String,
    /// The uid of that pod
    #[arg(long, env = "POD_UID", default_value = "no-pod")]
    pod_uid: String,
    /// The folder below which the vaults in file systems are
    #[arg(long, env = "FILE_VAULTS", default_value = "/vaults")]
    file_vaults: PathBuf,
    /// The folder for temporary files: a backup of Velero's is unpacked there, encrypted, while it is restored. What is in it
    /// belongs to this process alone
    #[arg(long, env = "SCRATCH", default_value = "/scratch")]
    scratch: PathBuf,
    /// Where /live, /ready and /metrics are served, over HTTP
    #[arg(long, default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    #[command(flatten)]
    log: LogArgs,
}

impl Args {
    /// How to log.
    pub fn log(&self) -> &LogArgs {
        &self.log
    }

    /// Competes, and leads while it may, until a signal ends it.
    pub async fn run(self) -> Result<(), ProcessError> {
        let process = Process::begin(COMPONENT)?;
        let metrics = Metrics::register(&process.registry)?;
        let client = process.client().await?;
        let ready = process.readiness.handle("lease");
        process.open(self.admin_listen).await?;
        let identity = lease::identity(&format!("{}_{}", self.pod_name, self.pod_uid));
        let settings = Settings {
            namespace: self.lease_namespace.clone(),
            lease: LEASE.to_owned(),
            epoch: EPOCH.to_owned(),
            identity: identity.clone(),
        };
        let (election, standing) = Election::new(&client, settings);
        if let Err(error) = FileStore::remove_temporary(&self.scratch) {
            let folder = self.scratch.display();
            warn!(%error, %folder, "the folder for temporary files is of no use: no backup of Velero's can be restored");
        }
        let world = World {
            events: Events::new(client.clone(), identity),
            own: self.lease_namespace.clone(),
            agents: self.namespace.clone(),
            epoch: 0,
            fence: election.fence(),
            doors: Doors {
                folder: Arc::new(self.file_vaults.clone()),
            },
            scratch: Arc::new(self.scratch.clone()),
            metrics,
            client: client.clone(),
        };
        let leading = Leading {
            world,
            standing,
            ready,
            stopping: process.shutdown.stopping(),
        };
        let leading = leading.run(process.shutdown.stopped());
        process.shutdown.spawn("leading", leading);

        let tasks = Api::<NodeTask>::namespaced(client, &self.namespace);
        election
            .run(async || highest_epoch(&tasks).await, process.shutdown.stopping())
            .await;
        process.finish(END).await
    }
}

/// Does a leader's work in each term.
struct Leading {
    world: World,
    standing: watch::Receiver<Standing>,
    ready: Handle,
    stopping: CancellationToken,
}

impl Leading {
    async fn run(mut self, stopped: CancellationToken) -> Result<(), DriveError> {
        loop {
            let standing = self.standing.borrow_and_update().clone();
            match standing {
                Standing::Unknown => {}
                Standing::Follows => self.ready.set_ready(),
                Standing::Leads(term) => {
                    self.ready.set_ready();
                    Box::pin(self.lead(term)).await?;
                }
            }
            match stopped.run_until_cancelled(self.standing.changed()).await {
                Some(Ok(())) => {}
                // The election is over: nothing changes any more.
                Some(Err(_)) => stopped.cancelled().await,
                None => return Ok(()),
            }
        }
    }

    /// Leads until the term is over; nothing of its work lives longer.
    async fn lead(&self, term: Term) -> Result<(), DriveError> {
        let metrics = &self.world.metrics;
        metrics.leads(term.epoch());
        let world = World {
            epoch: term.epoch(),
            ..self.world.clone()
        };
        let (looking, trying) = (instances::run(world.client.clone()), vaults::run(world.clone()));
        let (judging, scheduling) = (policies::run(world.client.clone()), Schedules::run(world.clone()));
        let showing = catalogue::run(world.clone());
        let (counting, verifying) = (survey::run(world.clone()), verification::run(world.clone()));
        let keeping = configuration::run(world.clone());
        let work = async {
            let (driving, restoring) = (backups::run(world.clone()), restores::run(world));
            tokio::try_join!(
                driving, restoring, looking, trying, showing, judging, scheduling, counting, verifying,
                keeping
            )
            .map(drop)
        };
        let done = term.work(Box::pin(work)).await;
        let released = self.stopping.is_cancelled();
        metrics.leads_no_more(if released {
            Transition::Released
        } else {
            Transition::Lost
        });
        done.unwrap_or(Ok(()))
    }
}

/// The highest epoch that a task carries.
async fn highest_epoch(tasks: &Api<NodeTask>) -> kube::Result<i64> {
    let page = ListParams::default().limit(PAGE);
    let epochs = listed::taken(tasks, page, |task| task.spec.epoch).await?;
    Ok(epochs.into_iter().fold(0, i64::max))
}
