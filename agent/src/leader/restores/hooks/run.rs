//! From the first new pod to the last command. Each pod is handed to the agent of its node as soon as it is bound to one, and
//! everything that is waited for has an end.

mod pods;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::node_task::TaskState;
use clusterbackup_api::restore::HookCounts;
use clusterbackup_api::{Restore, labels};
use clusterbackup_core::hook::lineage::Lineage;
use clusterbackup_core::hook::restore::RestoreCommand;
use clusterbackup_core::restore::Outcome;
use clusterbackup_core::selection::Pod;
use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1 as core;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::pods::worst;
use super::asked::Asked;
use super::controllers::Controllers;
use super::expected::Expected;
use super::order;
use super::outcome::PodOutcome;
use super::{News, QUEUE, Teller};
use crate::leader::error::DriveError;
use crate::leader::restores::progress::Progress;
use crate::leader::tasks::Tasks;
use crate::leader::world::World;

/// More namespaces than this are watched by one watch over all.
const SINGLY: usize = 20;
/// What an agent may need besides what the commands may.
const GRACE: Duration = Duration::from_mins(1);
/// Between two looks at controllers whose pods are still to come.
const LOOK: Duration = Duration::from_secs(2);
/// What a node may need to end what runs when the restore is stopped.
const ENDING: Duration = Duration::from_millis(400);

/// A hook has failed whose `onError` is Fail.
#[derive(Debug, thiserror::Error)]
#[error("{0}; its onError is Fail. What was restored stays")]
pub(in crate::leader::restores) struct Broken(String);

/// The hooks of a restore, as they are run.
pub(in crate::leader::restores) struct Run<'a> {
    world: &'a World,
    restore: &'a Restore,
    asked: Arc<Asked>,
    progress: &'a Progress,
    news: mpsc::Receiver<News>,
    pods: SelectAll<BoxStream<'static, watcher::Result<Event<core::Pod>>>>,
    tasks: Tasks,
    controllers: Controllers,
    lineage: Lineage,
    seen: BTreeMap<String, Seen>,
    expected: Vec<Expected>,
    /// When the restore had created everything.
    all: Option<Instant>,
    /// When controllers are looked at again.
    look: Instant,
    fatal: Option<String>,
    told: usize,
}

/// A pod that was made since the restore was asked for.
struct Seen {
    pod: Pod,
    stage: Stage,
}

/// How far a pod is.
enum Stage {
    /// As far as is known, it is not new by this restore.
    Foreign,
    /// It is not bound to a node yet.
    Unbound {
        commands: Vec<RestoreCommand>,
        until: Instant,
    },
    /// Its node is at it.
    Handed { until: Instant },
    /// Nothing more comes.
    Ended(HookCounts),
}

impl<'a> Run<'a> {
    /// Begins to look for new pods.
    pub(in crate::leader::restores) fn begin(
        world: &'a World,
        restore: &'a Restore,
        asked: Arc<Asked>,
        progress: &'a Progress,
    ) -> (Teller, Self) {
        let uid = restore.uid().unwrap_or_default();
        let (sender, news) = mpsc::channel(QUEUE);
        let teller = Teller {
            sender,
            asked: Arc::clone(&asked),
        };
        let run = Self {
            world,
            restore,
            progress,
            news,
            pods: watched(&world.client, &asked),
            asked,
            tasks: Tasks::of(world.tasks(), (labels::RESTORE_UID, &uid), world.epoch),
            controllers: Controllers::new(world.client.clone()),
            lineage: Lineage::default(),
            seen: BTreeMap::new(),
            expected: Vec::new(),
            all: None,
            look: Instant::now(),
            fatal: None,
            told: 0,
        };
        (teller, run)
    }

    /// Runs until all have ended, or somebody stops it.
    pub(in crate::leader::restores) async fn run(
        mut self,
        stop: &CancellationToken,
    ) -> Result<Option<Broken>, DriveError> {
        let done = stop.run_until_cancelled(Box::pin(self.work())).await;
        match done {
            Some(done) => done?,
            None => self.cancel().await,
        }
        self.show();
        Ok(self.fatal.map(Broken))
    }

    async fn work(&mut self) -> Result<(), DriveError> {
        // What an earlier leader has handed over is known before anything is.
        self.tasks.changed().await?;
        self.adopt().await?;
        while !self.is_done() {
            let wake = self.wake();
            tokio::select! {
                Some(news) = self.news.recv() => self.hear(news).await?,
                Some(event) = self.pods.next() => match event {
                    Ok(Event::Apply(pod) | Event::InitApply(pod)) => self.see(pod).await?,
                    Ok(Event::Delete(pod)) => self.lose(&pod.uid().unwrap_or_default()).await,
                    Ok(Event::Init | Event::InitDone) => {}
                    Err(error) => warn!(%error, "watching pods of a restore"),
                },
                changed = self.tasks.changed() => changed?,
                () = sleep_until(wake) => self.expire().await?,
            }
            self.collect().await;
            self.look().await?;
            self.show();
        }
        Ok(())
    }

    /// Takes the tasks over that are there.
    async fn adopt(&mut self) -> Result<(), DriveError> {
        let living = self.tasks.iter().filter(|known| !known.is_over());
        let states = living.map(|known| (known.name(), known.task.spec.state));
        self.tasks.set_states(&states.collect()).await
    }

    async fn hear(&mut self, news: News) -> Result<(), DriveError> {
        match news {
            News::All => self.all = Some(Instant::now()),
            News::Created(uid, expected) => {
                self.expected.extend(expected.map(|expected| *expected));
                for pod in self.lineage.create(&uid) {
                    self.take(&pod).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes in what nodes have ended.
    async fn collect(&mut self) {
        let handed = self
            .seen
            .iter()
            .filter(|(_, seen)| matches!(seen.stage, Stage::Handed { .. }));
        let over = handed.filter_map(|(uid, _)| {
            let known = self.tasks.get(&order::name(self.restore, uid))?;
            known
                .is_over()
                .then(|| (uid.clone(), PodOutcome::of(known, true)))
        });
        let over: Vec<_> = over.collect();
        for (uid, outcome) in over {
            self.end(&uid, outcome).await;
        }
    }

    /// Ends what took too long.
    async fn expire(&mut self) -> Result<(), DriveError> {
        let now = Instant::now();
        let mut silent = BTreeMap::new();
        let mut ended = Vec::new();
        for (uid, seen) in &self.seen {
            match &seen.stage {
                Stage::Unbound { commands, until } if *until <= now => {
                    let problem =
                        "its restore hooks did not run: it was not bound to a node in time".to_owned();
                    let outcome = PodOutcome::not_run(commands.len() as u64, problem, worst(commands));
                    ended.push((uid.clone(), outcome));
                }
                Stage::Handed { until } if *until <= now => {
                    let name = order::name(self.restore, uid);
                    let outcome = self
                        .tasks
                        .get(&name)
                        .map_or_else(PodOutcome::unknown, |known| PodOutcome::of(known, true));
                    ended.push((uid.clone(), outcome));
                    silent.insert(name, TaskState::Cancelled);
                }
                _ => {}
            }
        }
        self.tasks.set_states(&silent).await?;
        for (uid, outcome) in ended {
            self.end(&uid, outcome).await;
        }
        Ok(())
    }

    /// Looks whose pods are still to come.
    async fn look(&mut self) -> Result<(), DriveError> {
        let Some(all) = self.all.filter(|_| self.look <= Instant::now()) else {
            return Ok(());
        };
        self.look = Instant::now() + LOOK;
        let late = all + self.patience() <= Instant::now();
        let mut missing = Vec::new();
        for expected in std::mem::take(&mut self.expected) {
            let there = self.lineage.pods(&expected.uid) as u64;
            match expected.pods(&self.world.client).await? {
                Some(wanted) if there >= wanted => {}
                wanted if late => self.miss(&expected, there, wanted),
                _ => missing.push(expected),
            }
        }
        self.expected = missing;
        Ok(())
    }

    fn miss(&self, expected: &Expected, there: u64, wanted: Option<u64>) {
        let of = wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
        let message = format!("restore hooks ran in {there}{of} of its pods: no others came in time");
        self.progress.warn(&expected.target, Outcome::Created, &message);
    }

    /// Stops what waits and what runs.
    async fn cancel(&mut self) {
        let living = self.tasks.iter().filter(|known| !known.is_over());
        let states: BTreeMap<_, _> = living.map(|known| (known.name(), TaskState::Cancelled)).collect();
        if states.is_empty() {
            return;
        }
        let ended = async {
            self.tasks.set_states(&states).await?;
            while self.tasks.iter().any(|known| !known.is_over()) {
                self.tasks.changed().await?;
            }
            Ok::<_, DriveError>(())
        };
        if let Ok(Err(error)) = timeout(ENDING, ended).await {
            warn!(%error, "stopping restore hooks; they end with their tasks");
        }
    }

    fn is_done(&self) -> bool {
        let open = |seen: &Seen| matches!(seen.stage, Stage::Unbound { .. } | Stage::Handed { .. });
        self.all.is_some() && self.expected.is_empty() && !self.seen.values().any(open)
    }

    /// When something is to be done although nothing happens.
    fn wake(&self) -> Instant {
        let due = self.seen.values().filter_map(|seen| match &seen.stage {
            Stage::Unbound { until, .. } | Stage::Handed { until } => Some(*until),
            Stage::Foreign | Stage::Ended(_) => None,
        });
        let look = (self.all.is_some() && !self.expected.is_empty()).then_some(self.look);
        let later = Instant::now() + GRACE;
        due.chain(look).min().unwrap_or(later)
    }

    /// How long pods may take to come after their controllers.
    fn patience(&self) -> Duration {
        let execs = self.asked.hooks.iter().flat_map(|hook| &hook.post);
        execs.map(|exec| exec.wait.duration()).max().unwrap_or_default()
    }

    /// Says how far they are.
    fn show(&self) {
        let counts = self.seen.iter().map(|(uid, seen)| match &seen.stage {
            Stage::Foreign => HookCounts::default(),
            Stage::Ended(counts) => *counts,
            Stage::Unbound { commands, .. } => HookCounts {
                total: commands.len() as u64,
                ..HookCounts::default()
            },
            Stage::Handed { .. } => {
                let known = self.tasks.get(&order::name(self.restore, uid));
                known.map_or_else(HookCounts::default, |known| PodOutcome::of(known, false).counts)
            }
        });
        let sum = counts.fold(HookCounts::default(), PodOutcome::sum);
        self.progress.hooks(sum);
    }
}

/// The pods of the namespaces that hooks are for.
fn watched(
    client: &Client,
    asked: &Asked,
) -> SelectAll<BoxStream<'static, watcher::Result<Event<core::Pod>>>> {
    let one = |api: Api<core::Pod>| watcher(api, watcher::Config::default()).default_backoff().boxed();
    if asked.namespaces.len() <= SINGLY {
        let each = asked.namespaces.iter();
        return stream::select_all(each.map(|name| one(Api::namespaced(client.clone(), name))));
    }
    stream::select_all([one(Api::all(client.clone()))])
}
