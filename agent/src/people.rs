//! What people are told of a pod's thaw, and what they say to it: by Events and an annotation on the pod.

use std::fmt;
use std::time::Duration;

use clusterbackup_api::labels::THAW_ACKNOWLEDGED;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::timeout;
use tracing::warn;

use crate::journal::Entry;

/// An undo doesn't wait for an API server.
const LIMIT: Duration = Duration::from_secs(2);

const CONTROLLER: &str = "clusterbackup-agent";

/// The people around a cluster.
#[derive(Clone)]
pub struct People {
    client: Client,
    node: String,
}

/// What a person wants to know of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The watchdog had to thaw it.
    ThawedByWatchdog,
    /// An agent that started had to.
    ThawedByReplay,
    /// Its undo has failed.
    ThawPending,
}

impl News {
    /// Reason, action, note.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ThawedByWatchdog => (
                "ThawedByWatchdog",
                "Thawed",
                "the watchdog ran its post hooks, since the node's agent had died or was late",
            ),
            Self::ThawedByReplay => (
                "ThawedByReplay",
                "Thawed",
                "an agent that started ran its post hooks, since the one before had died",
            ),
            Self::ThawPending => (
                "ThawPending",
                "Thawing",
                "it may be frozen: its post hooks fail and are tried again; to take it over by hand, thaw it and annotate \
                 it with clusterbackup.io/thaw-acknowledged and the uid of the backup",
            ),
        }
    }
}

impl People {
    /// Those of the cluster of `client`; what they are told comes from this node.
    pub fn new(client: Client, node: &str) -> Self {
        Self {
            client,
            node: node.to_owned(),
        }
    }

    /// Whether a person has taken over what this entry says. An API server that doesn't answer says no.
    pub async fn acknowledged(&self, entry: &Entry) -> bool {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &entry.pod.namespace);
        let Ok(Ok(Some(pod))) = timeout(LIMIT, pods.get_metadata_opt(&entry.pod.name)).await else {
            return false;
        };
        let annotations = pod.metadata.annotations.unwrap_or_default();
        pod.metadata.uid.as_ref() == Some(&entry.pod.uid)
            && annotations.get(THAW_ACKNOWLEDGED) == Some(&entry.backup.uid)
    }

    /// Tells people of a pod. Nobody waits for it, and it is not tried twice: metrics and reports say the same.
    pub fn tell(&self, entry: &Entry, news: News) {
        let api = Api::<Event>::namespaced(self.client.clone(), &entry.pod.namespace);
        let event = self.event(entry, news);
        tokio::spawn(async move {
            let told = timeout(LIMIT, api.create(&PostParams::default(), &event)).await;
            if !matches!(told, Ok(Ok(_))) {
                warn!(?news, "an Event could not be written");
            }
        });
    }

    fn event(&self, entry: &Entry, news: News) -> Event {
        let (reason, action, note) = news.words();
        let (pod, backup) = (&entry.pod, &entry.backup);
        Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{CONTROLLER}-")),
                namespace: Some(pod.namespace.clone()),
                ..ObjectMeta::default()
            },
            action: Some(action.to_owned()),
            event_time: Some(MicroTime(Timestamp::now())),
            note: Some(format!(
                "frozen for Backup {}/{} (uid {}): {note}",
                backup.namespace, backup.name, backup.uid
            )),
            reason: Some(reason.to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(pod.name.clone()),
                namespace: Some(pod.namespace.clone()),
                uid: Some(pod.uid.clone()),
                ..ObjectReference::default()
            }),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.node.clone()),
            type_: Some("Warning".to_owned()),
            ..Event::default()
        }
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("People")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
