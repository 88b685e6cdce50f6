//! What the webhook's being installed costs the creates of those who never asked for it: the same creates on the same
//! API server, in turn with and without our webhook configurations.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_tests::{TestNamespace, eventually};
use clusterbackup_webhook::door;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::task::JoinSet;

use super::installed::Installed;

const IN_FLIGHT: u32 = 32;
const EACH: u32 = 125;
/// Each is one run without and one with, in alternating order.
const PAIRS: u32 = 6;
const LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn run(installed: &Installed) -> Result<()> {
    let cluster = &installed.cluster;
    let doors = Doors::of(cluster.admin()).await?;
    let namespace = cluster.namespace("bench").await?;
    create(&namespace).await?;
    println!(
        "\ncreates of ConfigMaps without a label, {IN_FLIGHT} in flight, {} in each run, per second",
        IN_FLIGHT * EACH
    );
    println!("{:>10} {:>10} {:>10}", "without", "with", "ratio");
    let (mut ratios, mut reviews) = (Vec::new(), 0.0);
    for pair in 0..PAIRS {
        let (without, with);
        if pair % 2 == 0 {
            without = doors.without(create(&namespace)).await?;
            (with, reviews) = counted(installed, reviews, create(&namespace)).await?;
        } else {
            (with, reviews) = counted(installed, reviews, create(&namespace)).await?;
            without = doors.without(create(&namespace)).await?;
        }
        let ratio = with / without;
        println!("{without:>10.0} {with:>10.0} {ratio:>10.3}");
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let middle = ratios.len() / 2;
    println!(
        "median ratio {:.3}; reviews asked of the webhook meanwhile: {reviews}",
        ratios[middle]
    );
    Ok(())
}

/// Adds the reviews that were asked for during `work` to `before`.
async fn counted(
    installed: &Installed,
    before: f64,
    work: impl Future<Output = Result<f64>>,
) -> Result<(f64, f64)> {
    let start = installed.reviews().await?;
    let rate = work.await?;
    Ok((rate, before + installed.reviews().await? - start))
}

/// Creates ConfigMaps of 1 KB and deletes them; how many it created a second.
async fn create(namespace: &TestNamespace) -> Result<f64> {
    let api = namespace.api::<ConfigMap>();
    let object: ConfigMap = serde_json::from_value(json!({
        "metadata": { "generateName": "bench-" }, "data": { "some": "x".repeat(1000) },
    }))?;
    let object = Arc::new(object);
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (api, object) = (api.clone(), Arc::clone(&object));
        workers.spawn(async move {
            for _ in 0..EACH {
                api.create(&PostParams::default(), &object).await?;
            }
            Ok::<_, kube::Error>(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done??;
    }
    let rate = f64::from(IN_FLIGHT * EACH) / start.elapsed().as_secs_f64();
    empty(&api).await?;
    Ok(rate)
}

async fn empty<K>(api: &Api<K>) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
{
    api.delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    eventually("the objects are gone", LIMIT, || async {
        let left = api.list_metadata(&ListParams::default().limit(10)).await?.items;
        // The control plane puts its own ConfigMap into every namespace.
        ensure!(left.len() <= 1, "some are left");
        Ok(())
    })
    .await
}

/// Our webhook configurations, as they are in force.
struct Doors {
    client: Client,
    mutating: Vec<MutatingWebhookConfiguration>,
    validating: Vec<ValidatingWebhookConfiguration>,
}

impl Doors {
    async fn of(client: Client) -> Result<Self> {
        Ok(Self {
            mutating: configurations(&client).await?,
            validating: configurations(&client).await?,
            client,
        })
    }

    /// Carries `work` out while they are not there.
    async fn without<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        delete(&self.client, &self.mutating).await?;
        delete(&self.client, &self.validating).await?;
        self.until(false).await?;
        let done = work.await?;
        restore(&self.client, &self.mutating).await?;
        restore(&self.client, &self.validating).await?;
        self.until(true).await?;
        Ok(done)
    }

    /// Until the API server has taken notice: an object that names an interception which isn't there is refused, or not.
    async fn until(&self, in_force: bool) -> Result<()> {
        let probe: ConfigMap = serde_json::from_value(json!({
            "metadata": { "name": "probe", "labels": { "clusterbackup.io/intercept": "nobody" } },
        }))?;
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), "default");
        eventually(
            "the API server has taken notice of the webhook configurations",
            LIMIT,
            || async {
                match api.create(&dry_run, &probe).await {
                    Ok(_) if !in_force => Ok(()),
                    Err(kube::Error::Api(status))
                        if in_force && status.message.contains("denied the request") =>
                    {
                        Ok(())
                    }
                    Ok(_) => bail!("reviews are not asked for yet"),
                    Err(error) => Err(error.into()),
                }
            },
        )
        .await
    }
}

/// Ours, stripped of what the API server gives to an object.
async fn configurations<K>(client: &Client) -> Result<Vec<K>>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let mut found = Api::<K>::all(client.clone())
        .list(&ListParams::default())
        .await?
        .items;
    found.retain(|configuration| {
        let name = configuration.meta().name.as_deref();
        door::ENTRIES
            .iter()
            .any(|entry| Some(entry.configuration) == name)
    });
    for configuration in &mut found {
        let ObjectMeta { name, labels, .. } = configuration.meta().clone();
        *configuration.meta_mut() = ObjectMeta {
            name,
            labels,
            ..ObjectMeta::default()
        };
    }
    Ok(found)
}

async fn delete<K>(client: &Client, configurations: &[K]) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    for configuration in configurations {
        let name = configuration
            .meta()
            .name
            .as_deref()
            .context("a configuration has no name")?;
        Api::<K>::all(client.clone())
            .delete(name, &DeleteParams::default())
            .await?;
    }
    Ok(())
}

async fn restore<K>(client: &Client, configurations: &[K]) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    for configuration in configurations {
        Api::<K>::all(client.clone())
            .create(&PostParams::default(), configuration)
            .await?;
    }
    Ok(())
}
