//! Failure drills: something breaks while objects are created and restored over, and others have nothing to do with us.
//!
//! Whatever it is: no opted-in object is ever stored unmodified, nobody else waits, and once the cause is gone
//! everything works again without help.
//!
//! - `ordinary`: objects that never opted in
//! - `restored`: an object that exists, and is restored again

pub(crate) mod cluster;
pub(crate) mod flood;
mod ordinary;
pub(crate) mod replica;
mod restored;
pub(crate) mod rules;
pub(crate) mod trust;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook, eventually};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, Client};

use serde_json::json;

use self::ordinary::Ordinary;
use self::restored::Restored;
use crate::load::{self, Load, Tally, marking};
use crate::steps::{Intercepted, Plan, holds, mark, refusal};

const LIMIT: Duration = Duration::from_secs(30);
const INTERCEPTION: &str = "shop";
const NAMESPACE: &str = "default";
/// So many objects show that a stream flows.
const FLOWS: usize = 20;

/// The door for Velero's updates is open as well.
async fn install(cluster: &Cluster) -> Result<Webhook> {
    Webhook::install(cluster, &["velero-door"]).await
}

/// A replica that may have so many bytes of memory; two threads, for on a machine of many processors their stacks alone
/// would take more.
fn limited(bytes: u64) -> ReplicaOptions {
    ReplicaOptions {
        environment: vec![("TOKIO_WORKER_THREADS".to_owned(), "2".to_owned())],
        memory: Some(bytes),
        ..ReplicaOptions::default()
    }
}

/// The streams of objects while something breaks.
struct Drill {
    client: Client,
    interception: Intercepted,
    opted_in: Load,
    restored: Restored,
    ordinary: Ordinary,
}

impl Drill {
    /// All streams flow, through a webhook that works.
    async fn start(client: Client) -> Result<Self> {
        let rules = marking("a");
        let mut plan = Plan::new(INTERCEPTION, &rules);
        plan.spec = json!({
            "match": { "interceptLabels": [INTERCEPTION], "veleroRestores": ["nightly-*"] },
            "conflictPolicy": "Patch",
        });
        let drill = Self {
            interception: plan.in_force(client.clone()).await?,
            opted_in: Load::start(&client, NAMESPACE, INTERCEPTION),
            restored: Restored::start(&client, NAMESPACE).await?,
            ordinary: Ordinary::start(&client, NAMESPACE),
            client,
        };
        drill.until_opted_in_flow().await?;
        Ok(drill)
    }

    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn until_opted_in_flow(&self) -> Result<()> {
        self.opted_in.until_stored(FLOWS).await?;
        self.restored.until_stored(FLOWS).await
    }

    /// Waits until opted-in objects are refused with these words.
    async fn until_refused(&self, words: &str) -> Result<()> {
        let what = format!("an object is refused: {words}");
        eventually(&what, LIMIT, || async {
            let message = refusal(load::create(&self.config_maps(), INTERCEPTION).await)?;
            ensure!(message.contains(words), "{message}");
            Ok(())
        })
        .await
    }

    /// The cause is gone: waits until everything works again, and judges what was stored meanwhile, where the rules
    /// wrote one of these values.
    async fn end_by(self, values: &[&str]) -> Result<Tally> {
        self.until_opted_in_flow()
            .await
            .context("it does not work again by itself")?;
        self.ordinary.stop().await?.never_waited()?;
        self.restored.stop().await?;
        let tally = self.opted_in.stop().await?;
        tally.has_only(values)?;
        let stored = all_are_modified(&self.client, values).await?;
        let told: usize = tally.stored.values().sum();
        ensure!(
            stored >= told,
            "{stored} objects are stored, {told} were said to be"
        );
        Ok(tally)
    }

    /// [`Drill::end_by`] rules that stayed the same.
    async fn end(self) -> Result<Tally> {
        self.end_by(&["a"]).await
    }
}

/// Looks at every opted-in object in the store, whatever its creator was told; how many there are.
async fn all_are_modified(client: &Client, values: &[&str]) -> Result<usize> {
    let opted_in = ListParams::default().labels(&format!("{}={INTERCEPTION}", labels::INTERCEPT));
    let stored = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE)
        .list(&opted_in)
        .await?
        .items;
    for object in &stored {
        let object = serde_json::to_value(object)?;
        ensure!(
            mark(&object)? == [(INTERCEPTION.to_owned(), vec![0, 1])],
            "{object:#}"
        );
        let value = &object["data"]["first"];
        ensure!(
            value.as_str().is_some_and(|value| values.contains(&value)),
            "{object:#}"
        );
        holds(&object, &[("/data/second", value.clone())])?;
    }
    Ok(stored.len())
}
