//! What Velero does to an object that exists already: its restored state, by one restore after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::eventually;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const NAME: &str = "restored";
const PAUSE: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_mins(1);
/// What no stored object may have.
const UNMODIFIED: &str = "as it was backed up";

/// The object being restored until [`Restored::stop`].
pub(super) struct Restored {
    going: Arc<AtomicBool>,
    updated: Arc<AtomicUsize>,
    velero: JoinHandle<Result<()>>,
}

impl Restored {
    /// Creates the object by the first of the restores, which are called `nightly-<number>`.
    pub(super) async fn start(client: &Client, namespace: &str) -> Result<Self> {
        let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
        let mut object = restored_by(0);
        object["metadata"]["name"] = json!(NAME);
        api.create(&PostParams::default(), &serde_json::from_value(object)?)
            .await?;
        let (going, updated) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicUsize>::default());
        Ok(Self {
            velero: tokio::spawn(restore(api, Arc::clone(&going), Arc::clone(&updated))),
            going,
            updated,
        })
    }

    /// Waits until that many more updates are stored.
    pub(super) async fn until_stored(&self, more: usize) -> Result<()> {
        let wanted = self.updated.load(Ordering::Relaxed) + more;
        eventually(&format!("{more} more updates are stored"), LIMIT, || async {
            let updated = self.updated.load(Ordering::Relaxed);
            ensure!(
                updated >= wanted || self.velero.is_finished(),
                "{updated} of {wanted}"
            );
            Ok(())
        })
        .await
    }

    /// Ends the stream; an error if a state was ever stored that the rules had not been applied to.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.going.store(false, Ordering::Relaxed);
        (&mut self.velero).await?
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        self.going.store(false, Ordering::Relaxed);
    }
}

fn restored_by(number: usize) -> Value {
    json!({
        "metadata": { "labels": { labels::VELERO_RESTORE: format!("nightly-{number}") } },
        "data": { "first": UNMODIFIED, "second": UNMODIFIED },
    })
}

async fn restore(api: Api<ConfigMap>, going: Arc<AtomicBool>, updated: Arc<AtomicUsize>) -> Result<()> {
    for number in 1.. {
        if !going.load(Ordering::Relaxed) {
            break;
        }
        let patch = Patch::Merge(restored_by(number));
        let answer = api.patch(NAME, &PatchParams::default(), &patch).await;
        // Also what was stored without anybody being told shows here, sooner or later.
        if let Ok(stored) = api.get(NAME).await {
            let data = stored.data.context("the object is empty")?;
            ensure!(
                data.values().all(|value| value != UNMODIFIED),
                "stored unmodified: {data:?}"
            );
        }
        updated.fetch_add(usize::from(answer.is_ok()), Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
