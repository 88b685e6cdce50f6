//! A real cluster with the webhook installed, one replica, and the interceptions by which the load is reviewed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::RestoreInterception;
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::webhook::NAMESPACE;
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, eventually, workspace};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

const READY_LIMIT: Duration = Duration::from_secs(30);

/// Rules of which three hold on the object of the load.
pub(super) const CHANGING: &str = "bench";
/// Rules for other kinds of objects.
pub(super) const IDLE: &str = "bench-idle";

/// All of it; ends when dropped, the replica first.
pub(super) struct Installed {
    pub(super) replica: Replica,
    pub(super) webhook: Webhook,
    pub(super) cluster: Cluster,
}

impl Installed {
    pub(super) async fn start() -> Result<Self> {
        let cluster = Cluster::start().await?;
        let webhook = Webhook::install(&cluster, &["velero-door"]).await?;
        let replica = webhook.start(ReplicaOptions::default()).await?;
        for (name, file) in [(CHANGING, "rules.yaml"), (IDLE, "rules-for-others.yaml")] {
            intercept(&cluster, name, &fixture(file)?).await?;
        }
        Ok(Self {
            replica,
            webhook,
            cluster,
        })
    }

    /// How many reviews the replica has answered.
    pub(super) async fn reviews(&self) -> Result<f64> {
        let metrics = self.replica.metrics().await?;
        let counts = metrics
            .lines()
            .filter(|line| line.starts_with("clusterbackup_reviews_total{"))
            .map(|line| {
                Ok(line
                    .rsplit(' ')
                    .next()
                    .context("a metric without a value")?
                    .parse::<f64>()?)
            });
        counts.sum()
    }

    /// How many pages the kernel has given to the replica so far, at first touch.
    pub(super) fn page_faults(&self) -> Result<u64> {
        let file = format!("/proc/{}/stat", self.replica.process_id());
        let stat = std::fs::read_to_string(&file).with_context(|| format!("failed to read {file}"))?;
        // The name before them may have anything in it, a closing parenthesis too.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let faults = fields.split_whitespace().nth(7);
        Ok(faults
            .with_context(|| format!("{file} has no page faults"))?
            .parse()?)
    }

    /// What the replica has in memory at this moment.
    pub(super) fn memory(&self) -> Result<Memory> {
        Memory::of(self.replica.process_id())
    }
}

/// A file that the webhook's benchmarks read too.
pub(super) fn fixture(name: &str) -> Result<String> {
    let file = workspace::root().join("webhook/fixtures").join(name);
    std::fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))
}

/// Creates an interception with its rules, and waits until they are in force.
async fn intercept(cluster: &Cluster, name: &str, rules: &str) -> Result<()> {
    let config_map: ConfigMap =
        serde_json::from_value(json!({ "metadata": { "name": name }, "data": { "rules.yaml": rules } }))?;
    Api::namespaced(cluster.admin(), NAMESPACE)
        .create(&PostParams::default(), &config_map)
        .await?;
    let interception: RestoreInterception = serde_json::from_value(json!({
        "apiVersion": "clusterbackup.io/v1alpha1", "kind": "RestoreInterception",
        "metadata": { "name": name },
        "spec": { "resourceModifierReference": { "name": name, "namespace": NAMESPACE } },
    }))?;
    let interceptions = Api::<RestoreInterception>::all(cluster.admin());
    interceptions
        .create(&PostParams::default(), &interception)
        .await?;
    eventually("the rules are in force", READY_LIMIT, || async {
        let status = interceptions.get(name).await?.status.unwrap_or_default();
        let ready = status
            .conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        ensure!(ready, "{name} is not ready: {:?}", status.conditions);
        Ok(())
    })
    .await
}
