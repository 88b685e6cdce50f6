//! The NodeTasks of one backup or restore: under watch, and written under the leader's epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use clusterbackup_api::NodeTask;
use clusterbackup_api::node_task::{NodeTaskStatus, Step, TaskPhase, TaskState};
use futures::StreamExt as _;
use futures::stream;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::error::{Doing as _, DriveError, OrGone as _};

/// Tasks a page: a task may be large.
const PAGE: u32 = 20;
/// What the watch may be ahead of us.
const QUEUE: usize = 16;
/// Writes under way: one after the other, the nodes of a barrier would be told one after the other.
const AT_ONCE: usize = 16;

/// The tasks of one backup or restore.
pub(super) struct Tasks {
    api: Api<NodeTask>,
    selector: String,
    epoch: i64,
    known: BTreeMap<String, Known>,
    /// Opened by the first look: what was removed before is not told.
    events: Option<Events>,
    /// What a listing under way has named so far.
    listed: BTreeSet<String>,
}

/// A task as it was seen last.
pub(super) struct Known {
    /// The task.
    pub(super) task: NodeTask,
    /// When its status last changed, by our own clock.
    pub(super) heard: Instant,
    /// Whether somebody deleted it.
    pub(super) gone: bool,
}

impl Known {
    /// The task's name.
    pub(super) fn name(&self) -> String {
        self.task.name_any()
    }

    /// Whether the node has nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        self.gone || matches!(self.phase(), Some(TaskPhase::Done | TaskPhase::Refused))
    }

    /// Whether it was deleted before its end: what became of it is not known.
    pub(super) fn is_lost(&self) -> bool {
        self.gone && self.phase() != Some(TaskPhase::Done)
    }

    /// How far the node is.
    pub(super) fn phase(&self) -> Option<TaskPhase> {
        self.task.status.as_ref().and_then(|status| status.phase)
    }

    /// Whether the leader does the work itself.
    pub(super) fn is_own(&self) -> bool {
        self.task.spec.node_name.is_empty()
    }
}

impl Tasks {
    /// The tasks with a label, by which they are those of one backup or restore, to be changed under `epoch`. Sees nothing
    /// before [`Self::changed`].
    pub(super) fn of(api: Api<NodeTask>, (label, uid): (&str, &str), epoch: i64) -> Self {
        let selector = format!("{label}={uid}");
        Self {
            events: None,
            api,
            selector,
            epoch,
            known: BTreeMap::new(),
            listed: BTreeSet::new(),
        }
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Known> + Clone {
        self.known.values()
    }

    /// The one of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    /// Waits until something has changed, or all were listed.
    pub(super) async fn changed(&mut self) -> Result<(), DriveError> {
        let events = self
            .events
            .get_or_insert_with(|| watch(self.api.clone(), &self.selector));
        loop {
            match events
                .receiver
                .recv()
                .await
                .ok_or(DriveError::Ended("the watch of NodeTasks"))?
            {
                Ok(Event::Init) => self.listed.clear(),
                Ok(Event::InitApply(task)) => {
                    self.listed.insert(task.name_any());
                    absorb(&mut self.known, task);
                }
                Ok(Event::InitDone) => {
                    for (name, known) in &mut self.known {
                        known.gone = !self.listed.contains(name);
                    }
                    return Ok(());
                }
                Ok(Event::Apply(task)) => {
                    absorb(&mut self.known, task);
                    return Ok(());
                }
                Ok(Event::Delete(task)) => {
                    if let Some(known) = self.known.get_mut(&task.name_any()) {
                        known.gone = true;
                    }
                    return Ok(());
                }
                Err(error) => warn!(%error, "watching NodeTasks"),
            }
        }
    }

    /// Makes a new one.
    pub(super) async fn create(&mut self, task: &NodeTask) -> Result<(), DriveError> {
        let what = format!("create NodeTask {}", task.name_any());
        let created = self.api.create(&PostParams::default(), task).await.doing(what)?;
        absorb(&mut self.known, created);
        Ok(())
    }

    /// Sets how far their nodes may go, and makes the tasks ours; what is so already is left alone.
    pub(super) async fn set_states(
        &mut self,
        wanted: &BTreeMap<String, TaskState>,
    ) -> Result<(), DriveError> {
        let differs = |known: &Known| {
            let state = *wanted.get(&known.name())?;
            let spec = &known.task.spec;
            let differs = !known.gone && (spec.state != state || spec.epoch != self.epoch);
            differs.then(|| (known.name(), vec![("/spec/state".to_owned(), json!(state))]))
        };
        let changes = self.known.values().filter_map(differs).collect();
        self.change(changes).await
    }

    /// Releases a step of the unit to all of its shares, at once.
    pub(super) async fn release(&mut self, unit: &str, step: Step) -> Result<(), DriveError> {
        let share = |known: &Known| {
            let units = &known.task.spec.units;
            let index = units
                .iter()
                .position(|order| order.name == unit && order.released.is_some())?;
            let path = format!("/spec/units/{index}/released");
            (!known.gone).then(|| (known.name(), vec![(path, json!(step))]))
        };
        let changes = self.known.values().filter_map(share).collect();
        self.change(changes).await
    }

    /// Writes fields of specs together with our epoch, unless another leader has raised it meanwhile.
    async fn change(&mut self, changes: Vec<(String, Vec<(String, Value)>)>) -> Result<(), DriveError> {
        let mut writing = Vec::new();
        for (name, fields) in changes {
            let seen = self
                .known
                .get(&name)
                .map_or(self.epoch, |known| known.task.spec.epoch);
            if seen > self.epoch {
                return Err(DriveError::Superseded);
            }
            let mut operations = vec![
                json!({ "op": "test", "path": "/spec/epoch", "value": seen }),
                json!({ "op": "replace", "path": "/spec/epoch", "value": self.epoch }),
            ];
            let fields = fields.into_iter();
            operations
                .extend(fields.map(|(path, value)| json!({ "op": "add", "path": path, "value": value })));
            let api = self.api.clone();
            writing.push(async move {
                let answer = api
                    .patch(&name, &PatchParams::default(), &json_patch(operations))
                    .await;
                answer.or_gone().doing(format!("change NodeTask {name}"))
            });
        }
        let mut answers = stream::iter(writing).buffer_unordered(AT_ONCE);
        let mut written = Vec::new();
        while let Some(answer) = answers.next().await {
            written.extend(answer?);
        }
        drop(answers);
        for task in written {
            absorb(&mut self.known, task);
        }
        Ok(())
    }

    /// Writes the report of a task of our own.
    pub(super) async fn report(&mut self, name: &str, status: &NodeTaskStatus) -> Result<(), DriveError> {
        let patch = Patch::Merge(json!({ "status": status }));
        let answer = self.api.patch_status(name, &PatchParams::default(), &patch).await;
        if let Some(task) = answer.or_gone().doing(format!("report on NodeTask {name}"))? {
            absorb(&mut self.known, task);
        }
        Ok(())
    }

    /// Deletes all of them.
    pub(super) async fn delete_all(&mut self) -> Result<(), DriveError> {
        let selected = ListParams::default().labels(&self.selector);
        let listed = self.api.list(&selected).await.doing("list the NodeTasks")?;
        for task in listed {
            remove(&self.api, &task.name_any()).await?;
        }
        self.known.clear();
        Ok(())
    }
}

/// Deletes the tasks of the backups or restores, by the uid in a label, of which `gone` says that they are.
pub(super) async fn remove_of(
    api: &Api<NodeTask>,
    label: &str,
    gone: impl Fn(&str) -> bool,
) -> Result<(), DriveError> {
    let ours = ListParams::default().labels(label);
    let listed = api.list_metadata(&ours).await.doing("list the NodeTasks")?;
    for task in listed {
        let uid = task.labels().get(label);
        if uid.is_some_and(|uid| gone(uid)) {
            remove(api, &task.name_any()).await?;
        }
    }
    Ok(())
}

async fn remove(api: &Api<NodeTask>, name: &str) -> Result<(), DriveError> {
    let deleted = api.delete(name, &DeleteParams::default()).await;
    deleted
        .or_gone()
        .doing(format!("delete NodeTask {name}"))
        .map(drop)
}

fn absorb(known: &mut BTreeMap<String, Known>, task: NodeTask) {
    let before = known.get(&task.name_any());
    let heard = before
        .filter(|before| before.task.status == task.status)
        .map_or_else(Instant::now, |before| before.heard);
    let seen = Known {
        task,
        heard,
        gone: false,
    };
    known.insert(seen.name(), seen);
}

/// A watch, for as long as somebody listens.
struct Events {
    receiver: mpsc::Receiver<watcher::Result<Event<NodeTask>>>,
    _watch: AbortOnDropHandle<()>,
}

fn watch(api: Api<NodeTask>, selector: &str) -> Events {
    let config = watcher::Config::default().labels(selector).page_size(PAGE);
    let (sender, receiver) = mpsc::channel(QUEUE);
    let watching = tokio::spawn(async move {
        let mut events = pin!(watcher(api, config).default_backoff());
        while let Some(event) = events.next().await {
            if sender.send(event).await.is_err() {
                return;
            }
        }
    });
    Events {
        receiver,
        _watch: AbortOnDropHandle::new(watching),
    }
}

/// A patch by operations.
pub(super) fn json_patch(operations: Vec<Value>) -> Patch<Value> {
    // What is put together here is of the right shape; an empty patch would be refused by the API server.
    Patch::Json(serde_json::from_value(Value::Array(operations)).unwrap_or_default())
}
