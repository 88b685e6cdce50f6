//! A stream of opted-in objects while something else happens, and what became of each of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::eventually;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use tokio::task::JoinHandle;

/// Several at a time, so that whatever happens meets some of them under way.
const CREATORS: usize = 4;
/// Between two objects of one creator: a steady stream, not a benchmark.
const PAUSE: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_mins(1);

/// Rules of two halves that write `value` each, so that a set applied by halves would show.
pub(crate) fn marking(value: &str) -> String {
    let half = |key: &str| {
        format!(
            "- conditions: {{groupResource: configmaps}}\n  \
             patches: [{{operation: add, path: /data/{key}, value: {value}}}]\n"
        )
    };
    format!(
        "version: v1\nresourceModifierRules:\n{}{}",
        half("first"),
        half("second")
    )
}

/// Objects being created until [`Load::stop`]. Their interception has rules made by [`marking`].
pub(crate) struct Load {
    going: Arc<AtomicBool>,
    created: Arc<AtomicUsize>,
    creators: Vec<JoinHandle<Tally>>,
}

/// What became of the objects.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What the two halves of the rules wrote, as in `a a`, and into how many stored objects; `- -` is none of them.
    pub(crate) stored: BTreeMap<String, usize>,
    /// The attempts that failed: when each began, and what it was told.
    pub(crate) failed: Vec<(Instant, String)>,
}

impl Load {
    /// Creates ConfigMaps in `namespace` that opt in to `interception`.
    pub(crate) fn start(client: &Client, namespace: &str, interception: &str) -> Self {
        let (going, created) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicUsize>::default());
        let creators = (0..CREATORS).map(|_| {
            let (going, created) = (Arc::clone(&going), Arc::clone(&created));
            let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
            tokio::spawn(create_all(api, interception.to_owned(), going, created))
        });
        Self {
            creators: creators.collect(),
            going,
            created,
        }
    }

    /// Waits until that many more objects are stored, which shows that the stream flows.
    pub(crate) async fn until_stored(&self, more: usize) -> Result<()> {
        let wanted = self.created.load(Ordering::Relaxed) + more;
        eventually(&format!("{more} more objects are stored"), LIMIT, || async {
            let created = self.created.load(Ordering::Relaxed);
            ensure!(created >= wanted, "{created} of {wanted}");
            Ok(())
        })
        .await
    }

    /// Waits until nothing flows any more: whatever is under way stays there.
    pub(crate) async fn until_stuck(&self) -> Result<()> {
        const STUCK: Duration = Duration::from_millis(500);
        eventually("the stream is stuck", LIMIT, || async {
            let before = self.created.load(Ordering::Relaxed);
            tokio::time::sleep(STUCK).await;
            let more = self.created.load(Ordering::Relaxed) - before;
            ensure!(more == 0, "{more} more objects were stored in {STUCK:?}");
            Ok(())
        })
        .await
    }

    /// Ends the stream.
    pub(crate) async fn stop(mut self) -> Result<Tally> {
        self.going.store(false, Ordering::Relaxed);
        let mut all = Tally::default();
        for creator in std::mem::take(&mut self.creators) {
            let tally = creator.await?;
            for (halves, count) in tally.stored {
                *all.stored.entry(halves).or_default() += count;
            }
            all.failed.extend(tally.failed);
        }
        Ok(all)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.going.store(false, Ordering::Relaxed);
    }
}

impl Tally {
    /// Whether every attempt stored an object with one of these values in both halves.
    pub(crate) fn is_all(&self, values: &[&str]) -> Result<()> {
        ensure!(self.failed.is_empty(), "creates failed: {self:#?}");
        self.has_only(values)
    }

    /// Whether every stored object has one of these values in both halves.
    pub(crate) fn has_only(&self, values: &[&str]) -> Result<()> {
        for halves in self.stored.keys() {
            ensure!(
                values.iter().any(|value| *halves == format!("{value} {value}")),
                "an object got {halves:?}, not {values:?}: {:#?}",
                self.stored
            );
        }
        Ok(())
    }
}

async fn create_all(
    api: Api<ConfigMap>,
    interception: String,
    going: Arc<AtomicBool>,
    created: Arc<AtomicUsize>,
) -> Tally {
    let mut tally = Tally::default();
    while going.load(Ordering::Relaxed) {
        let began = Instant::now();
        match create(&api, &interception).await {
            Ok(stored) => {
                let data = stored.data.unwrap_or_default();
                let half = |key: &str| data.get(key).map_or("-", String::as_str);
                let halves = format!("{} {}", half("first"), half("second"));
                *tally.stored.entry(halves).or_default() += 1;
                created.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => tally.failed.push((began, error.to_string())),
        }
        tokio::time::sleep(PAUSE).await;
    }
    tally
}

/// Creates one object of the stream's kind.
pub(crate) async fn create(api: &Api<ConfigMap>, interception: &str) -> kube::Result<ConfigMap> {
    let object = json!({
        "metadata": { "generateName": "load-", "labels": { labels::INTERCEPT: interception } },
        "data": { "given": "by the client" },
    });
    let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    api.create(&PostParams::default(), &object).await
}
