//! Objects of somebody who never asked for us, created and changed while something is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::steps::{holds, mark};

/// What the API server would wait for us; all below it is the machine's business.
const AT_ONCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// Objects being created and changed until [`Ordinary::stop`].
pub(super) struct Ordinary {
    going: Arc<AtomicBool>,
    author: JoinHandle<Result<Waits>>,
}

/// How long each request took.
#[derive(Debug, Default)]
pub(super) struct Waits {
    requests: usize,
    longest: Duration,
}

impl Ordinary {
    pub(super) fn start(client: &Client, namespace: &str) -> Self {
        let going = Arc::new(AtomicBool::new(true));
        let api = Api::namespaced(client.clone(), namespace);
        Self {
            author: tokio::spawn(write(api, Arc::clone(&going))),
            going,
        }
    }

    /// Ends the stream. A single request that failed, or an object that somebody changed, is an error.
    pub(super) async fn stop(mut self) -> Result<Waits> {
        self.going.store(false, Ordering::Relaxed);
        (&mut self.author).await?
    }
}

impl Drop for Ordinary {
    fn drop(&mut self) {
        self.going.store(false, Ordering::Relaxed);
    }
}

impl Waits {
    /// Whether none of the requests took so long that it may have waited for us.
    pub(super) fn never_waited(&self) -> Result<()> {
        ensure!(
            self.requests > 0 && self.longest < AT_ONCE,
            "objects that did not opt in waited: {self:?}"
        );
        Ok(())
    }

    async fn measure<T>(&mut self, request: impl Future<Output = kube::Result<T>>) -> Result<T> {
        let began = Instant::now();
        let answer = request.await;
        self.longest = self.longest.max(began.elapsed());
        self.requests += 1;
        Ok(answer?)
    }
}

async fn write(api: Api<ConfigMap>, going: Arc<AtomicBool>) -> Result<Waits> {
    let object: ConfigMap = serde_json::from_value(json!({
        "metadata": { "generateName": "ordinary-" }, "data": { "given": "by the client" },
    }))?;
    let change = Patch::Merge(json!({ "data": { "given": "another time" } }));
    let mut waits = Waits::default();
    while going.load(Ordering::Relaxed) {
        let created = waits.measure(api.create(&PostParams::default(), &object)).await?;
        let name = created.metadata.name.unwrap_or_default();
        let changed = waits
            .measure(api.patch(&name, &PatchParams::default(), &change))
            .await?;
        let stored = serde_json::to_value(changed)?;
        holds(&stored, &[("/data", json!({ "given": "another time" }))])?;
        ensure!(mark(&stored).is_err(), "somebody changed it: {stored:#}");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(waits)
}
