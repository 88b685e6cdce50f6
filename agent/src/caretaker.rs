//! Thaws what the journal says and nobody undoes: the whole work of the watchdog, and of an agent that finds what its
//! predecessor has left. What it did stays in the journal until the agent has reported it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clusterbackup_api::node_task::Thaw;
use clusterbackup_core::freeze::thaw::Ending;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::journal::{Journal, JournalError, Opened, Outcome};
use crate::people::News;
use crate::undo::{Means, Undo, end_leftovers};

/// A dead owner is noticed this soon.
const LOOK: Duration = Duration::from_millis(200);
/// People are asked about overdue entries of others this often.
const ASK: Duration = Duration::from_secs(2);

/// Who cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The watchdog: steps in for owners that are late, too.
    Watchdog,
    /// An agent: for what its predecessor has left.
    Replay,
}

/// Undoes what has no owner.
#[derive(Debug)]
pub struct Caretaker {
    journal: Journal,
    means: Means,
    by: By,
    in_hand: Mutex<HashSet<String>>,
}

/// What one look into the journal found.
#[derive(Debug, Default)]
struct Found {
    /// To be undone here.
    ownerless: Vec<Opened>,
    /// Overdue, but somebody else is at it.
    overdue: Vec<Opened>,
}

impl Caretaker {
    /// Over a journal, with these means.
    pub fn new(journal: Journal, means: Means, by: By) -> Arc<Self> {
        Arc::new(Self {
            journal,
            means,
            by,
            in_hand: Mutex::default(),
        })
    }

    /// Cares until `stopped`; then until nothing is open any more, which whoever runs it may cut short. Calls `looked`
    /// after the first look.
    pub async fn run(self: Arc<Self>, looked: impl FnOnce(), stopped: CancellationToken) {
        let mut looked = Some(looked);
        let undos = TaskTracker::new();
        loop {
            self.pass(&undos).await;
            if let Some(looked) = looked.take() {
                looked();
            }
            let open = self.journal.open().is_ok_and(|open| !open.is_empty());
            if stopped.is_cancelled() && (!open || self.by == By::Replay) {
                return;
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = stopped.cancelled(), if !stopped.is_cancelled() => {}
            }
        }
    }

    /// One look: undoes begin for what has no owner.
    async fn pass(self: &Arc<Self>, undos: &TaskTracker) {
        let caretaker = Arc::clone(self);
        let found = match spawn_blocking(move || caretaker.find()).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return self.failed(&error),
            Err(panic) => return error!(%panic, "a look into the journal failed"),
        };
        for opened in found.ownerless {
            self.take_in_hand(undos, opened, Self::thaw);
        }
        if self.means.people.is_some() {
            for opened in found.overdue {
                self.take_in_hand(undos, opened, Self::ask);
            }
        }
    }

    fn take_in_hand<F, Fut>(self: &Arc<Self>, undos: &TaskTracker, opened: Opened, work: F)
    where
        F: FnOnce(Arc<Self>, Opened) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let uid = opened.entry().pod.uid.clone();
        self.in_hand().insert(uid.clone());
        let (caretaker, working) = (Arc::clone(self), work(Arc::clone(self), opened));
        undos.spawn(async move {
            working.await;
            caretaker.in_hand().remove(&uid);
        });
    }

    fn find(&self) -> Result<Found, JournalError> {
        let open = self.journal.open()?;
        let mut found = Found::default();
        let mut overdue = 0;
        for uid in &open {
            let opened = match self.journal.look(uid) {
                Ok(Some(opened)) => opened,
                Ok(None) => continue,
                Err(error) => {
                    self.set_aside(uid, &error);
                    continue;
                }
            };
            let entry = opened.entry();
            let beyond = entry
                .frozen_for(&self.means.clock)
                .is_none_or(|frozen| frozen > entry.max_freeze.duration());
            overdue += i64::from(beyond);
            if self.in_hand().contains(uid) {
                continue;
            }
            let late = self.by == By::Watchdog && entry.is_late(opened.undoing(), &self.means.clock);
            if opened.lock() || late {
                found.ownerless.push(opened);
            } else if beyond {
                found.overdue.push(opened);
            }
        }
        let metrics = &self.means.metrics;
        metrics.overdue.set(overdue);
        metrics.frozen.set(count(open.len()));
        metrics.quarantined.set(count(self.journal.quarantined()?));
        Ok(found)
    }

    fn set_aside(&self, uid: &str, error: &JournalError) {
        match self.journal.quarantine(uid) {
            Ok(true) => {
                self.means.metrics.journal_failures.inc();
                error!(%error, pod_uid = uid, "an entry of the journal was set aside: check by hand whether its pod is frozen");
            }
            Ok(false) => {}
            Err(error) => self.failed(&error),
        }
    }

    async fn thaw(self: Arc<Self>, opened: Opened) {
        let entry = opened.entry();
        let (namespace, pod) = (entry.pod.namespace.clone(), entry.pod.name.clone());
        warn!(namespace, pod, backup = entry.backup.name, by = ?self.by, "thawing for an owner that is gone or late");
        if let Err(error) = opened.note_undoing(self.means.clock.uptime()) {
            warn!(%error, "the journal can't be written");
        }
        let left = end_leftovers(&self.means, entry).await;
        let undo = Undo {
            means: &self.means,
            entry: &opened,
            keep_output: false,
            repeat_until: left.then(|| self.means.clock.uptime() + entry.max_freeze.duration()),
        };
        let thaw = match (undo.run(|_| {}).await, self.by) {
            (Ending::Undone, By::Watchdog) => Thaw::ByWatchdog,
            (Ending::Undone, By::Replay) => Thaw::ByReplay,
            (Ending::PodGone, _) => Thaw::PodGone,
            (Ending::Acknowledged, _) => Thaw::Acknowledged,
        };
        if opened.is_open() {
            self.means.metrics.thaw(thaw);
            info!(namespace, pod, ?thaw, "thawed");
        }
        self.hand_over(opened, thaw);
    }

    /// Tells people of what another is late with, and hears them for it: the watchdog can do neither.
    async fn ask(self: Arc<Self>, opened: Opened) {
        let Some(people) = &self.means.people else { return };
        people.tell(opened.entry(), News::ThawPending);
        while opened.is_open() {
            if opened.lock() {
                return Arc::clone(&self).thaw(opened).await;
            }
            if people.acknowledged(opened.entry()).await {
                info!(
                    namespace = opened.entry().pod.namespace,
                    pod = opened.entry().pod.name,
                    "taken over by a person"
                );
                return self.hand_over(opened, Thaw::Acknowledged);
            }
            sleep(ASK).await;
        }
    }

    fn hand_over(&self, opened: Opened, thaw: Thaw) {
        let frozen = opened.entry().frozen_for(&self.means.clock);
        let outcome = Outcome {
            thaw,
            frozen_millis: frozen.and_then(|frozen| u64::try_from(frozen.as_millis()).ok()),
        };
        if let Err(error) = opened.hand_over(outcome) {
            self.failed(&error);
        }
    }

    fn failed(&self, error: &JournalError) {
        self.means.metrics.journal_failures.inc();
        error!(%error, "the journal doesn't do what it should");
    }

    fn in_hand(&self) -> MutexGuard<'_, HashSet<String>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
