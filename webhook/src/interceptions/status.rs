//! Tells users what became of their interceptions. Every replica computes the same status, so whoever is first
//! writes it and the others find nothing left to say; beside it, each says for itself which rules it has, where a restore waits
//! for that.

use std::collections::BTreeMap;
use std::time::Duration;

use clusterbackup_api::{ReplicaReport, RestoreInterception, RestoreInterceptionStatus};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

/// The field manager of what the webhook writes of its own accord.
const FIELD_MANAGER: &str = "clusterbackup-webhook";

/// The longest name that the API server takes for a field manager.
const LONGEST_MANAGER: usize = 128;

/// Between attempts to write what could not be written.
const RETRY: Duration = Duration::from_secs(2);

/// What is to be written, by interception.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Wanted {
    /// The statuses that differ from those in the cluster.
    pub(super) statuses: BTreeMap<String, RestoreInterceptionStatus>,
    /// What this replica says for itself.
    pub(super) reports: BTreeMap<String, ReplicaReport>,
}

/// Writes statuses, the newest wish only.
#[derive(Debug)]
pub(super) struct StatusWriter {
    wanted: watch::Sender<Wanted>,
    _task: AbortOnDropHandle<()>,
}

impl StatusWriter {
    /// Starts writing what [`Self::want`] says, as the replica in `pod`.
    pub(super) fn start(client: Client, pod: &str) -> Self {
        let (wanted, receiver) = watch::channel(Wanted::default());
        let writer = Writer {
            api: Api::all(client),
            own_manager: format!("{FIELD_MANAGER}-{pod}")
                .chars()
                .take(LONGEST_MANAGER)
                .collect(),
        };
        let task = tokio::spawn(async move { writer.run(receiver).await });
        Self {
            wanted,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Has this written, and nothing else.
    pub(super) fn want(&self, news: Wanted) {
        self.wanted.send_if_modified(|wanted| {
            let differs = *wanted != news;
            *wanted = news;
            differs
        });
    }
}

struct Writer {
    api: Api<RestoreInterception>,
    /// The field manager of what this replica says for itself.
    own_manager: String,
}

impl Writer {
    async fn run(&self, mut wanted: watch::Receiver<Wanted>) {
        while wanted.changed().await.is_ok() {
            loop {
                let Wanted { statuses, reports } = wanted.borrow_and_update().clone();
                let mut failed = false;
                for (name, status) in statuses {
                    failed |= !self.write(&name, FIELD_MANAGER, json!(status)).await;
                }
                for (name, report) in reports {
                    let status = json!({ "replicas": [report] });
                    failed |= !self.write(&name, &self.own_manager, status).await;
                }
                if !failed {
                    break;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Whether there is nothing left to do for it.
    async fn write(&self, name: &str, manager: &str, status: Value) -> bool {
        let patch = json!({
            "apiVersion": RestoreInterception::api_version(&()),
            "kind": RestoreInterception::kind(&()),
            "status": status,
        });
        let params = PatchParams::apply(manager).force();
        match self.api.patch_status(name, &params, &Patch::Apply(patch)).await {
            Ok(_) => {
                debug!(interception = name, "status written");
                true
            }
            Err(kube::Error::Api(answer)) if answer.is_not_found() => true,
            Err(error) => {
                warn!(%error, interception = name, "writing status");
                false
            }
        }
    }
}
