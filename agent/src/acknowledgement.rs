//! A person takes an open thaw over: by an annotation on the pod.

use std::time::Duration;

use clusterbackup_api::labels::THAW_ACKNOWLEDGED;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::time::timeout;

use crate::journal::Entry;

/// An undo doesn't wait for an API server.
const LIMIT: Duration = Duration::from_secs(2);

/// Where people acknowledge.
#[derive(Clone)]
pub struct Acknowledgements {
    client: Client,
}

impl Acknowledgements {
    /// By annotations in the cluster of `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Whether a person has taken over what this entry says. An API server that doesn't answer says no.
    pub async fn given(&self, entry: &Entry) -> bool {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &entry.pod.namespace);
        let Ok(Ok(Some(pod))) = timeout(LIMIT, pods.get_metadata_opt(&entry.pod.name)).await else {
            return false;
        };
        let annotations = pod.metadata.annotations.unwrap_or_default();
        pod.metadata.uid.as_ref() == Some(&entry.pod.uid)
            && annotations.get(THAW_ACKNOWLEDGED) == Some(&entry.backup.uid)
    }
}

impl std::fmt::Debug for Acknowledgements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acknowledgements").finish_non_exhaustive()
    }
}
