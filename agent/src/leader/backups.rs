//! Sees to it that every Backup that is not at its end is driven, by one task each.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::Backup;
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::labels::NODE_TASKS;
use clusterbackup_core::cut::Group;
use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::drive::{Key, Orders, drive};
use super::error::DriveError;
use super::groups;
use super::tasks;
use super::world::World;

/// More backups than this wait for their turn.
const AT_ONCE: usize = 32;
/// Backups a page: one that ended may be large.
const PAGE: u32 = 20;
/// Between two attempts at a backup that could not be driven: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Nothing is due for longer than this without a look.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The backups that there is something to do for.
pub(super) struct Backups {
    world: Arc<World>,
    known: BTreeMap<Key, Known>,
    drives: JoinSet<(Key, Result<(), DriveError>)>,
    /// What a listing under way has named so far.
    listed: Vec<Key>,
}

/// A backup that is not at its end, or is to be deleted.
struct Known {
    phase: Option<BackupPhase>,
    orders: watch::Sender<Orders>,
    driven: bool,
    /// When it may be driven again, and the pause after the next failure.
    due: Instant,
    pause: Duration,
}

impl Backups {
    /// Drives what there is to drive for as long as it is polled. It ends only by a failure of its own.
    pub(super) async fn run(world: World) -> Result<(), DriveError> {
        let mut backups = Self {
            world: Arc::new(world),
            known: BTreeMap::new(),
            drives: JoinSet::new(),
            listed: Vec::new(),
        };
        let api = Api::<Backup>::all(backups.world.client.clone());
        let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
        loop {
            let wake = backups.drive();
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => backups.absorb(event).await,
                    Some(Err(error)) => warn!(%error, "watching Backups"),
                    None => return Err(DriveError::Ended("the watch of Backups")),
                },
                Some(done) = backups.drives.join_next() => match done {
                    Ok((key, result)) => backups.note(&key, result).await,
                    Err(_) => return Err(DriveError::Ended("the work on a backup")),
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    async fn absorb(&mut self, event: Event<Backup>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(backup) => {
                self.listed.extend(key(&backup));
                self.see(&backup);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                self.known.retain(|key, _| listed.contains(key));
                self.sweep(&listed).await;
            }
            Event::Apply(backup) => self.see(&backup),
            Event::Delete(backup) => {
                if let Some(key) = key(&backup) {
                    self.known.remove(&key);
                }
            }
        }
    }

    fn see(&mut self, backup: &Backup) {
        let Some(key) = key(backup) else { return };
        let phase = backup.phase();
        let deleting = backup.metadata.deletion_timestamp.is_some();
        let ours = backup
            .finalizers()
            .iter()
            .any(|finalizer| finalizer == NODE_TASKS);
        let wanted = match (deleting, backup.spec.cancel) {
            (true, _) => Orders::Delete,
            (false, true) => Orders::Cancel,
            (false, false) => Orders::Run,
        };
        let idle = (phase.is_some_and(BackupPhase::is_end) && !deleting) || (deleting && !ours);
        match self.known.get_mut(&key) {
            Some(known) => {
                known.phase = phase;
                known
                    .orders
                    .send_if_modified(|orders| std::mem::replace(orders, wanted) != wanted);
                if idle && !known.driven {
                    self.known.remove(&key);
                }
            }
            None if !idle => {
                let known = Known {
                    phase,
                    orders: watch::channel(wanted).0,
                    driven: false,
                    due: Instant::now(),
                    pause: FIRST_PAUSE,
                };
                self.known.insert(key, known);
            }
            None => {}
        }
        self.count();
    }

    /// Clears what belongs to no backup: its leader died, or somebody removed it by force, before it was cleared.
    async fn sweep(&self, listed: &[Key]) {
        let unneeded = |value: &str| {
            let mut known = self.known.keys();
            !known.any(|key| Group::is_temporary_of(value, &key.uid))
        };
        let orphaned = |uid: &str| listed.iter().all(|key| key.uid != uid);
        self.clear(unneeded, orphaned).await;
    }

    /// Takes such labels off, and removes the tasks of such backups; an agent thaws what it has frozen for one.
    async fn clear(&self, unneeded: impl Fn(&str) -> bool, orphaned: impl Fn(&str) -> bool) {
        if let Err(error) = groups::take_off(&self.world.client, unneeded).await {
            warn!(%error, "sweeping temporary labels");
        }
        if let Err(error) = tasks::remove_of(&self.world.tasks(), orphaned).await {
            warn!(%error, "sweeping NodeTasks");
        }
    }

    /// Begins what is due, those that run already first, and says when something is due again.
    fn drive(&mut self) -> Instant {
        let now = Instant::now();
        let mut waiting: Vec<_> = self.known.iter().filter(|(_, known)| !known.driven).collect();
        waiting.sort_by_key(|(_, known)| known.phase != Some(BackupPhase::Running));
        let wake = waiting
            .iter()
            .map(|(_, known)| known.due)
            .filter(|due| *due > now)
            .min();
        let due = waiting.into_iter().filter(|(_, known)| known.due <= now);
        let room = AT_ONCE.saturating_sub(self.drives.len());
        let begin: Vec<Key> = due.take(room).map(|(key, _)| key.clone()).collect();
        for key in begin {
            if let Some(known) = self.known.get_mut(&key) {
                known.driven = true;
                info!(namespace = key.namespace, backup = key.name, "driving a backup");
                let (world, orders) = (self.world.clone(), known.orders.subscribe());
                self.drives.spawn(async move {
                    let done = drive(world, key.clone(), orders).await;
                    (key, done)
                });
            }
        }
        wake.unwrap_or(now + LONGEST_WAIT)
    }

    /// A drive has ended: by itself, then the watch says what is left to do; or by a failure, then it begins again.
    async fn note(&mut self, key: &Key, done: Result<(), DriveError>) {
        let Some(known) = self.known.get_mut(key) else {
            // It is gone, by our own hand or by force.
            let of_it = |value: &str| Group::is_temporary_of(value, &key.uid);
            return self.clear(of_it, |uid| uid == key.uid).await;
        };
        known.driven = false;
        match done {
            Ok(()) => {
                // What a watch has not told yet would be driven again, and find nothing to do.
                let deleted = *known.orders.borrow() == Orders::Delete;
                if known.phase.is_some_and(BackupPhase::is_end) || deleted {
                    self.known.remove(key);
                } else {
                    known.due = Instant::now() + FIRST_PAUSE;
                }
            }
            Err(error) => {
                warn!(%error, namespace = key.namespace, backup = key.name, "driving a backup; trying again");
                known.due = Instant::now() + known.pause;
                known.pause = (known.pause * 2).min(LONGEST_PAUSE);
            }
        }
        self.count();
    }

    fn count(&self) {
        let count = |phase| {
            let known = self.known.values().filter(|known| known.phase == Some(phase));
            i64::try_from(known.count()).unwrap_or(i64::MAX)
        };
        let (planning, running) = (count(BackupPhase::Planning), count(BackupPhase::Running));
        self.world.metrics.under_way(planning, running);
    }
}

fn key(backup: &Backup) -> Option<Key> {
    Some(Key {
        namespace: backup.namespace()?,
        name: backup.name_any(),
        uid: backup.uid()?,
    })
}
