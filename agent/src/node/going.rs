//! Which pods of the node are being deleted: those are thawed at once, so that they can end in their own way.

use std::collections::HashMap;
use std::pin::pin;

use clusterbackup_api::node_task::PodOrder;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::warn;

/// Pods that are being deleted, by uid; watched as long as this lives.
pub(super) struct Going {
    seen: watch::Receiver<HashMap<String, String>>,
    watching: AbortHandle,
}

impl Going {
    /// Watches the pods of a node. Of them, only the metadata is read.
    pub(super) fn watch(client: Client, node: &str) -> Self {
        let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
        let (sender, seen) = watch::channel(HashMap::new());
        let watching = tokio::spawn(async move {
            let mut events =
                pin!(watcher(Api::<PartialObjectMeta<Pod>>::all(client), config).default_backoff());
            loop {
                match events.try_next().await {
                    Ok(Some(Event::Apply(pod) | Event::InitApply(pod))) => take_in(&pod, &sender),
                    Ok(Some(_)) => {}
                    Ok(None) => return,
                    Err(error) => warn!(%error, "the watch of the node's pods broke, trying again"),
                }
            }
        });
        Self {
            seen,
            watching: watching.abort_handle(),
        }
    }

    /// Returns the name of a pod as soon as one of these is being deleted.
    pub(super) async fn any<'a>(&self, pods: impl Iterator<Item = &'a PodOrder>) -> String {
        let uids: Vec<&str> = pods.map(|pod| pod.uid.as_str()).collect();
        let mut seen = self.seen.clone();
        loop {
            let found = {
                let seen = seen.borrow_and_update();
                uids.iter().find_map(|uid| seen.get(*uid).cloned())
            };
            if let Some(name) = found {
                return name;
            }
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn take_in(pod: &PartialObjectMeta<Pod>, sender: &watch::Sender<HashMap<String, String>>) {
    let (Some(uid), Some(_)) = (&pod.metadata.uid, &pod.metadata.deletion_timestamp) else {
        return;
    };
    let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    sender.send_modify(|seen| {
        seen.insert(uid.clone(), name);
    });
}
