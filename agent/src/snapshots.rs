//! What is known of a task's snapshots: one watch for each namespace and kind, opened before anything is frozen.

pub(crate) mod request;

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use clusterbackup_api::labels::TASK;
use clusterbackup_api::snapshots::{SnapshotError, VolumeGroupSnapshot, VolumeSnapshot};
use futures::TryStreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::core::Resource;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::warn;

/// Beyond this there is no API server, and nothing is frozen for it.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How far a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Whether the driver has cut.
    pub(crate) taken: bool,
    /// What it last complained about.
    pub(crate) error: Option<String>,
}

/// A snapshot or a group of them.
pub(crate) trait Snapshot:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// What it is called.
    const KIND: &'static str;

    /// How far it is.
    fn seen(&self) -> Seen;
}

impl Snapshot for VolumeSnapshot {
    const KIND: &'static str = "VolumeSnapshot";

    fn seen(&self) -> Seen {
        let status = self.status.as_ref();
        Seen {
            taken: status.is_some_and(|status| status.creation_time.is_some()),
            error: status.and_then(|status| complaint(status.error.as_ref())),
        }
    }
}

impl Snapshot for VolumeGroupSnapshot {
    const KIND: &'static str = "VolumeGroupSnapshot";

    fn seen(&self) -> Seen {
        let status = self.status.as_ref();
        Seen {
            taken: status.is_some_and(|status| status.creation_time.is_some()),
            error: status.and_then(|status| complaint(status.error.as_ref())),
        }
    }
}

fn complaint(error: Option<&SnapshotError>) -> Option<String> {
    error.map(|error| {
        error
            .message
            .clone()
            .unwrap_or_else(|| "unknown error".to_owned())
    })
}

/// The snapshots of one namespace and kind, by name; none until the first list is in.
pub(crate) type View = watch::Receiver<Option<HashMap<String, Seen>>>;

/// Kind and namespace; none: all of them.
type Place = (&'static str, Option<String>);

/// The watches of one task.
pub(crate) struct Snapshots {
    client: Client,
    task: String,
    open: Mutex<HashMap<Place, (View, AbortHandle)>>,
}

/// The snapshots can't be watched.
#[derive(Debug, thiserror::Error)]
#[error("the {kind}s {place} can't be watched; is the API server there, and the CRD installed?")]
pub(crate) struct NotWatched {
    kind: &'static str,
    place: String,
}

impl Snapshots {
    pub(crate) fn new(client: Client, task: &str) -> Self {
        Self {
            client,
            task: task.to_owned(),
            open: Mutex::default(),
        }
    }

    /// The view of a namespace, or of all of them, once it is complete.
    pub(crate) async fn view<K: Snapshot>(&self, namespace: Option<&str>) -> Result<View, NotWatched> {
        let mut view = {
            let mut open = self.open.lock().await;
            let (view, _) = open
                .entry((K::KIND, namespace.map(str::to_owned)))
                .or_insert_with(|| self.watch::<K>(namespace));
            view.clone()
        };
        let complete = timeout(OPEN_LIMIT, view.wait_for(Option::is_some)).await;
        if complete.is_ok_and(|seen| seen.is_ok()) {
            return Ok(view);
        }
        Err(NotWatched {
            kind: K::KIND,
            place: namespace.map_or_else(
                || "in any namespace".to_owned(),
                |name| format!("in the namespace {name}"),
            ),
        })
    }

    fn watch<K: Snapshot>(&self, namespace: Option<&str>) -> (View, AbortHandle) {
        let client = self.client.clone();
        let api = match namespace {
            Some(namespace) => Api::<K>::namespaced(client, namespace),
            None => Api::<K>::all(client),
        };
        let config = watcher::Config::default().labels(&format!("{TASK}={}", self.task));
        let (sender, view) = watch::channel(None);
        let watching = tokio::spawn(async move {
            let mut events = Box::pin(watcher(api, config).default_backoff());
            let mut listed = HashMap::new();
            loop {
                match events.try_next().await {
                    Ok(Some(event)) => take_in(event, &mut listed, &sender),
                    Ok(None) => return,
                    Err(error) => warn!(%error, "the watch of snapshots broke, trying again"),
                }
            }
        });
        (view, watching.abort_handle())
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        for (_, watching) in self.open.get_mut().values() {
            watching.abort();
        }
    }
}

fn take_in<K: Snapshot>(
    event: Event<K>,
    listed: &mut HashMap<String, Seen>,
    sender: &watch::Sender<Option<HashMap<String, Seen>>>,
) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            listed.insert(object.name_any(), object.seen());
        }
        Event::InitDone => {
            sender.send_replace(Some(std::mem::take(listed)));
        }
        Event::Apply(object) => sender.send_modify(|seen| {
            seen.get_or_insert_default()
                .insert(object.name_any(), object.seen());
        }),
        Event::Delete(object) => sender.send_modify(|seen| {
            seen.get_or_insert_default().remove(&object.name_any());
        }),
    }
}
