//! The tasks of this node: one watch, and one carrier for each task that isn't at its end.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use clusterbackup_api::node_task::{NodeTask, NodeTaskSpec, TaskPhase};
use futures::TryStreamExt as _;
use kube::ResourceExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::Node;
use super::orders::Orders;
use super::task;

/// A task may be as large as its report; all of them are read when the watch begins.
const PAGE: u32 = 20;

/// What is known of the tasks.
struct Tasks {
    node: Arc<Node>,
    carried: HashMap<String, watch::Sender<Option<Arc<NodeTaskSpec>>>>,
    epoch: watch::Sender<i64>,
    carriers: TaskTracker,
    /// Seen since the watch began anew.
    listed: HashSet<String>,
}

/// Follows the tasks for ever. Calls `listed` when all that were there are known.
pub(super) async fn follow(node: Arc<Node>, carriers: TaskTracker, listed: impl Fn()) {
    let config = watcher::Config::default()
        .fields(&format!("spec.nodeName={}", node.name))
        .page_size(PAGE);
    let mut events = pin!(watcher(node.tasks(), config).default_backoff());
    let mut tasks = Tasks {
        node,
        carried: HashMap::new(),
        epoch: watch::Sender::new(0),
        carriers,
        listed: HashSet::new(),
    };
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => tasks.listed.clear(),
            Ok(Some(Event::InitApply(task))) => {
                tasks.listed.insert(task.uid().unwrap_or_default());
                tasks.see(task);
            }
            Ok(Some(Event::InitDone)) => {
                tasks.forget_unlisted();
                listed();
            }
            Ok(Some(Event::Apply(task))) => tasks.see(task),
            Ok(Some(Event::Delete(task))) => tasks.forget(&task.uid().unwrap_or_default()),
            Ok(None) => return,
            Err(error) => warn!(%error, "the watch of tasks broke, trying again"),
        }
    }
}

impl Tasks {
    fn see(&mut self, task: NodeTask) {
        self.epoch.send_if_modified(|highest| {
            let higher = task.spec.epoch > *highest;
            *highest = task.spec.epoch.max(*highest);
            higher
        });
        self.node.metrics.epoch.set(*self.epoch.borrow());
        let uid = task.uid().unwrap_or_default();
        if let Some(carried) = self.carried.get(&uid) {
            let spec = Some(Arc::new(task.spec));
            carried.send_if_modified(|known| {
                let changed = *known != spec;
                *known = spec;
                changed
            });
            return;
        }
        if matches!(task::phase(&task), Some(TaskPhase::Done | TaskPhase::Refused)) {
            return;
        }
        let (sender, spec) = watch::channel(Some(Arc::new(task.spec.clone())));
        let orders = Orders {
            spec,
            epoch: self.epoch.subscribe(),
            stopping: self.node.stopping.clone(),
        };
        // Kept until the task is deleted: an event that was under way must not begin it again.
        self.carried.insert(uid, sender);
        self.carriers
            .spawn(task::run(Arc::clone(&self.node), task, orders));
    }

    fn forget(&mut self, uid: &str) {
        if let Some(carried) = self.carried.remove(uid) {
            carried.send_replace(None);
        }
    }

    /// What was deleted while nobody watched.
    fn forget_unlisted(&mut self) {
        let gone: Vec<_> = self
            .carried
            .keys()
            .filter(|uid| !self.listed.contains(*uid))
            .cloned()
            .collect();
        for uid in gone {
            self.forget(&uid);
        }
    }
}
