//! What the API server tells of the interceptions and of the ConfigMaps they name.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use clusterbackup_api::RestoreInterception;
use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watch_object, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::mpsc::Sender;
use tracing::warn;

use super::contents::{ConfigMapName, Contents};
use crate::identity::Identity;

/// Between attempts to watch a ConfigMap: how long a new RoleBinding may take to show.
const RETRY: Duration = Duration::from_secs(3);

/// One thing a watch has seen.
#[derive(Debug)]
pub(super) enum Seen {
    /// All interceptions, by name.
    Interceptions(BTreeMap<String, RestoreInterception>),
    /// A new or changed one.
    Interception(Box<RestoreInterception>),
    /// One is no more.
    Gone(String),
    /// The contents of a ConfigMap.
    Contents(ConfigMapName, Contents),
}

/// Watches the interceptions for as long as somebody listens.
pub(super) async fn interceptions(client: Client, seen: Sender<Seen>) {
    let api = Api::<RestoreInterception>::all(client);
    let mut events = pin!(watcher(api, watcher::Config::default()).default_backoff());
    let mut listed = BTreeMap::new();
    while let Some(event) = events.next().await {
        let news = match event {
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitApply(object)) => {
                listed.insert(object.name_any(), object);
                continue;
            }
            Ok(Event::InitDone) => Seen::Interceptions(std::mem::take(&mut listed)),
            Ok(Event::Apply(object)) => Seen::Interception(Box::new(object)),
            Ok(Event::Delete(object)) => Seen::Gone(object.name_any()),
            Err(error) => {
                warn!(%error, "watching RestoreInterceptions");
                continue;
            }
        };
        if seen.send(news).await.is_err() {
            return;
        }
    }
}

/// Watches one ConfigMap for as long as somebody listens.
pub(super) async fn config_map(client: Client, name: ConfigMapName, reader: Identity, seen: Sender<Seen>) {
    let mut events = pin!(watch_object(name.api(&client), &name.name));
    while let Some(event) = events.next().await {
        let contents = match &event {
            Ok(config_map) => name.contents(config_map.as_ref()),
            Err(error) => Err(name.unread(error, is_forbidden(error), &reader)),
        };
        if seen.send(Seen::Contents(name.clone(), contents)).await.is_err() {
            return;
        }
        if let Err(error) = event {
            warn!(%error, configmap = %name, "watching rules");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Whether the API server answered a watch that we lack the right.
fn is_forbidden(error: &watcher::Error) -> bool {
    use kube::Error::Api;
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(Api(status))
        | WatchStartFailed(Api(status))
        | WatchFailed(Api(status))
        | WatchError(status) => status.is_forbidden(),
        _ => false,
    }
}
