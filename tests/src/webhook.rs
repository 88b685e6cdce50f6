//! The webhook, installed by its shipped manifests and run as processes outside the cluster.
//!
//! Without nodes there is no pod network: the Service points to localhost, where a [`Relay`] listens that spreads
//! connections over the replicas that are ready, as a Service does. All else is as shipped: names, RBAC, certificates.

mod relay;
mod replica;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::relay::Relay;
pub use self::replica::{Replica, ReplicaOptions};
use crate::process::Warden;
use crate::{Cluster, eventually, manifests, program};

/// The namespace of the shipped manifests.
pub const NAMESPACE: &str = "clusterbackup-system";
/// The name of the Service, the Deployment and the `ServiceAccount`.
pub const NAME: &str = "clusterbackup-webhook";

const INSTALL_LIMIT: Duration = Duration::from_secs(30);
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The installed webhook of one cluster; its replicas are started and stopped on their own.
pub struct Webhook {
    admin: Client,
    kubeconfig: PathBuf,
    logs: PathBuf,
    relay: Relay,
    started: AtomicU32,
    warden: Arc<Warden>,
}

impl Webhook {
    /// Applies `manifests/webhook-only` by kubectl, with those of the `components` named (folders of
    /// `manifests/components`). No replica runs afterwards.
    pub async fn install(cluster: &Cluster, components: &[&str]) -> Result<Self> {
        manifests::apply(cluster, "webhook-only", components).await?;
        let relay = Relay::start().await?;
        let admin = cluster.admin();
        lead_service_here(&admin).await?;
        // An `ExternalName` Service maps no ports.
        let port = json!(relay.port());
        set_in_entries::<MutatingWebhookConfiguration>(&admin, "service/port", &port).await?;
        set_in_entries::<ValidatingWebhookConfiguration>(&admin, "service/port", &port).await?;
        Ok(Self {
            admin,
            kubeconfig: cluster.kubeconfig_for(NAMESPACE, NAME).await?,
            logs: cluster.logs_dir().to_path_buf(),
            relay,
            started: AtomicU32::new(0),
            warden: Arc::clone(cluster.warden()),
        })
    }

    /// Starts a replica of the built webhook under its shipped `ServiceAccount`, and waits until reviews reach it.
    pub async fn start(&self, options: ReplicaOptions) -> Result<Replica> {
        let replica = self.launch(options).await?;
        replica.until_ready(READY_LIMIT).await?;
        replica.while_running(until_in_force(&self.admin)).await?;
        Ok(replica)
    }

    /// Starts a replica without waiting for it. It gets connections once it says that it is ready.
    pub async fn launch(&self, options: ReplicaOptions) -> Result<Replica> {
        let program = program::WEBHOOK.built().await?;
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let name = format!("webhook-{number}");
        Replica::launch(
            &program,
            &name,
            options,
            &self.kubeconfig,
            &self.logs,
            &self.warden,
            &self.relay,
        )
    }

    /// The Service's port on loopback, behind which the ready replicas are.
    pub fn port(&self) -> u16 {
        self.relay.port()
    }

    /// The authority's certificates that the API server trusts for the webhook now: what it was given by the webhook.
    pub async fn ca_bundle(&self) -> Result<String> {
        let mutating = entries::<MutatingWebhookConfiguration>(&self.admin).await?;
        let bundle = mutating
            .into_iter()
            .find_map(|entry| entry.client.ca_bundle)
            .context("no entry has a caBundle")?;
        Ok(String::from_utf8(bundle.0)?)
    }

    /// Has the API server trust another authority for the webhook, as cert-manager's injector does.
    pub async fn set_ca_bundle(&self, pem: &str) -> Result<()> {
        let bundle = serde_json::to_value(ByteString(pem.as_bytes().to_vec()))?;
        set_in_entries::<MutatingWebhookConfiguration>(&self.admin, "caBundle", &bundle).await?;
        set_in_entries::<ValidatingWebhookConfiguration>(&self.admin, "caBundle", &bundle).await
    }

    /// From now on each piece of an answer is so long under way to the API server.
    pub fn delay_answers(&self, by: Duration) {
        self.relay.delay(by);
    }

    /// Cuts the API server's connections to the replicas; it may make new ones.
    pub fn cut_connections(&self) {
        self.relay.cut();
    }
}

/// Waits until every entry has its caBundle, and the API server has taken notice of it.
pub(crate) async fn until_in_force(admin: &Client) -> Result<()> {
    eventually("every webhook entry has its caBundle", READY_LIMIT, || async {
        let mut all = entries::<MutatingWebhookConfiguration>(admin).await?;
        all.extend(entries::<ValidatingWebhookConfiguration>(admin).await?);
        for entry in all {
            ensure!(
                entry.client.ca_bundle.is_some_and(|bundle| !bundle.0.is_empty()),
                "{} has none",
                entry.name
            );
        }
        Ok(())
    })
    .await?;
    eventually("the API server asks the webhook", READY_LIMIT, || probe(admin)).await
}

/// An object that opts in to an interception that doesn't exist: only a webhook that is asked refuses it.
async fn probe(admin: &Client) -> Result<()> {
    let probe: ConfigMap = serde_json::from_value(json!({
        "metadata": { "name": "probe", "labels": { "clusterbackup.io/intercept": "harness-probe" } },
    }))?;
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match Api::<ConfigMap>::namespaced(admin.clone(), "default")
        .create(&dry_run, &probe)
        .await
    {
        Err(kube::Error::Api(status)) if status.message.contains("denied the request") => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("an opted-in object was let in without a review"),
    }
}

/// There are no nodes and no pod network here: no pods are wanted, and the Service's name leads to loopback.
async fn lead_service_here(admin: &Client) -> Result<()> {
    let service = json!({
        "spec": { "type": "ExternalName", "externalName": "localhost", "clusterIP": null, "clusterIPs": null },
    });
    let merge = PatchParams::default();
    Api::<Service>::namespaced(admin.clone(), NAMESPACE)
        .patch(NAME, &merge, &Patch::Merge(service))
        .await
        .context("failed to point the Service to localhost")?;
    Api::<Deployment>::namespaced(admin.clone(), NAMESPACE)
        .patch(NAME, &merge, &Patch::Merge(json!({ "spec": { "replicas": 0 } })))
        .await
        .context("failed to scale the Deployment down")?;
    Ok(())
}

/// Sets a field of the `clientConfig` in each entry that calls our Service.
async fn set_in_entries<K: Configuration>(admin: &Client, field: &str, value: &Value) -> Result<()> {
    for entry in entries::<K>(admin).await? {
        let operation = json!([{
            "op": "add",
            "path": format!("/webhooks/{}/clientConfig/{field}", entry.index),
            "value": value,
        }]);
        let patch = Patch::<Value>::Json(serde_json::from_value(operation)?);
        // The webhook may run already and set its caBundle: the index stays, for nobody moves entries.
        eventually("the entry takes the field", INSTALL_LIMIT, || async {
            Ok(Api::<K>::all(admin.clone())
                .patch(&entry.configuration, &PatchParams::default(), &patch)
                .await?)
        })
        .await?;
    }
    Ok(())
}

/// An entry of a webhook configuration that calls our Service.
struct Entry {
    configuration: String,
    index: usize,
    name: String,
    client: WebhookClientConfig,
}

async fn entries<K: Configuration>(admin: &Client) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    for configuration in Api::<K>::all(admin.clone()).list(&ListParams::default()).await? {
        let owner = configuration.meta().name.clone().unwrap_or_default();
        for (index, (name, client)) in configuration.clients().into_iter().enumerate() {
            if client
                .service
                .as_ref()
                .is_some_and(|service| service.namespace == NAMESPACE && service.name == NAME)
            {
                found.push(Entry {
                    configuration: owner.clone(),
                    index,
                    name,
                    client,
                });
            }
        }
    }
    Ok(found)
}

/// The two kinds of webhook configuration, as far as they are alike.
trait Configuration: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Serialize {
    /// Each entry's name and whom it calls.
    fn clients(self) -> Vec<(String, WebhookClientConfig)>;
}

/// Their entries are of two types with the same fields.
macro_rules! configurations {
    ($($kind:ty),*) => {$(
        impl Configuration for $kind {
            fn clients(self) -> Vec<(String, WebhookClientConfig)> {
                let webhooks = self.webhooks.into_iter().flatten();
                webhooks.map(|entry| (entry.name, entry.client_config)).collect()
            }
        }
    )*};
}
configurations!(MutatingWebhookConfiguration, ValidatingWebhookConfiguration);
