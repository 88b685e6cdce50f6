//! The cluster, two replicas of the webhook, and kubectl: the story does what a person at a terminal would do.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clusterbackup_api::labels;
use clusterbackup_core::yaml;
use clusterbackup_tests::cluster::KubectlOutput;
use clusterbackup_tests::metrics::Counts;
use clusterbackup_tests::progress::Progress;
use clusterbackup_tests::tools::Tools;
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, workspace};
use serde_json::{Value, json};

use super::page;

/// What the story plays on; all of it ends when it is dropped, the replicas first.
pub(super) struct Stage {
    replicas: [Replica; 2],
    _webhook: Webhook,
    cluster: Cluster,
}

/// A cluster, and the version of its API server. What has to be built for it is shown while it is built.
pub(super) async fn start_cluster() -> Result<(Cluster, String)> {
    tokio::task::spawn_blocking(Tools::locate).await??;
    let _shown = Progress::start("starting the cluster");
    let cluster = Cluster::start().await?;
    let version = cluster.admin().apiserver_version().await?.git_version;
    Ok((cluster, version))
}

impl Stage {
    /// Installs the webhook and starts both replicas.
    pub(super) async fn install_webhook(cluster: Cluster) -> Result<Self> {
        let webhook = Webhook::install(&cluster, &[]).await?;
        let replicas = [
            webhook.start(ReplicaOptions::default()).await?,
            webhook.start(ReplicaOptions::default()).await?,
        ];
        Ok(Self {
            replicas,
            _webhook: webhook,
            cluster,
        })
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Shows a command of kubectl and runs it.
    pub(super) async fn kubectl(&self, arguments: &str) -> Result<KubectlOutput> {
        page::command(arguments);
        self.quietly(arguments).await
    }

    /// Runs a command of kubectl that is no part of the story.
    pub(super) async fn quietly(&self, arguments: &str) -> Result<KubectlOutput> {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.cluster.kubectl(&arguments).await
    }

    /// What `objects` would be in the cluster without their opt-in: the API server's defaults, but no rules.
    pub(super) async fn without_rules(&self, mut objects: Vec<Value>) -> Result<Vec<Value>> {
        for object in &mut objects {
            if let Some(map) = object["metadata"]["labels"].as_object_mut() {
                map.remove(labels::INTERCEPT);
            }
        }
        let file = self.cluster.folder().join("without-rules.json");
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        fs::write(&file, list.to_string())?;
        let create = format!("create --dry-run=server -o json -f {}", file.display());
        json_documents(&self.quietly(&create).await?.success()?)
    }

    /// What both replicas have counted together.
    pub(super) async fn counts(&self) -> Result<Counts> {
        let [first, second] = &self.replicas;
        Ok(first.counts().await? + second.counts().await?)
    }

    /// Carries `work` out, unless a replica ends meanwhile.
    pub(super) async fn while_running<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let [first, second] = &self.replicas;
        first.while_running(second.while_running(work)).await
    }
}

/// The objects that kubectl printed, a list or one after the other.
pub(super) fn json_documents(text: &str) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let mut document = document.context("kubectl printed no JSON")?;
        match document.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => objects.extend(items),
            _ => objects.push(document),
        }
    }
    Ok(objects)
}

/// The objects in a file of `demo/`, or in all files of a folder there, as kubectl takes them.
pub(super) fn objects_in(path: &str) -> Result<Vec<Value>> {
    let path = workspace::root().join("demo").join(path);
    let mut files: Vec<PathBuf> = if path.is_dir() {
        let entries: Result<Vec<_>, _> = fs::read_dir(&path)?.collect();
        entries?.into_iter().map(|entry| entry.path()).collect()
    } else {
        vec![path]
    };
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
        objects.extend(yaml::to_json_documents(&text).with_context(|| file.display().to_string())?);
    }
    Ok(objects)
}
