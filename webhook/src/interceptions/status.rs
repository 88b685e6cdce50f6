//! Tells users what became of their interceptions. Every replica computes the same status, so whoever is first
//! writes it and the others find nothing left to say.

use std::collections::BTreeMap;
use std::time::Duration;

use clusterbackup_api::{RestoreInterception, RestoreInterceptionStatus};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

/// The field manager of what the webhook writes of its own accord.
const FIELD_MANAGER: &str = "clusterbackup-webhook";

/// Between attempts to write what could not be written.
const RETRY: Duration = Duration::from_secs(2);

type Wanted = BTreeMap<String, RestoreInterceptionStatus>;

/// Writes statuses, the newest wish only.
#[derive(Debug)]
pub(super) struct StatusWriter {
    wanted: watch::Sender<Wanted>,
    _task: AbortOnDropHandle<()>,
}

impl StatusWriter {
    /// Starts writing what [`Self::want`] says.
    pub(super) fn start(client: Client) -> Self {
        let (wanted, receiver) = watch::channel(Wanted::new());
        let task = tokio::spawn(write(Api::all(client), receiver));
        Self {
            wanted,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The statuses that differ from those in the cluster, by interception.
    pub(super) fn want(&self, statuses: Wanted) {
        self.wanted.send_if_modified(|wanted| {
            let differs = *wanted != statuses;
            *wanted = statuses;
            differs
        });
    }
}

async fn write(api: Api<RestoreInterception>, mut wanted: watch::Receiver<Wanted>) {
    while wanted.changed().await.is_ok() {
        loop {
            let statuses = wanted.borrow_and_update().clone();
            let mut failed = false;
            for (name, status) in statuses {
                failed |= !write_one(&api, &name, &status).await;
            }
            if !failed {
                break;
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Whether there is nothing left to do for it.
async fn write_one(api: &Api<RestoreInterception>, name: &str, status: &RestoreInterceptionStatus) -> bool {
    let patch = json!({
        "apiVersion": RestoreInterception::api_version(&()),
        "kind": RestoreInterception::kind(&()),
        "status": status,
    });
    match api
        .patch_status(
            name,
            &PatchParams::apply(FIELD_MANAGER).force(),
            &Patch::Apply(patch),
        )
        .await
    {
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
