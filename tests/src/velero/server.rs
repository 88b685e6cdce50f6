//! Velero's server in a cluster, as a process beside it, and the backups and restores it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_vault::store::Store;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};

use super::storage::{BUCKET, Storage};
use crate::process::Process;
use crate::tools::Peers;
use crate::{Cluster, eventually, ports, steps};

/// Where it is installed.
pub(super) const NAMESPACE: &str = "velero";

const LOCATION: &str = "default";
const START_LIMIT: Duration = Duration::from_mins(1);
/// It does one restore after the other, and other scenarios wait for theirs too.
const LIMIT: Duration = Duration::from_mins(2);

/// The running server with its storage; ends when dropped.
pub struct Velero {
    server: Process,
    storage: Storage,
    admin: Client,
}

/// How a restore ended.
#[derive(Debug)]
pub struct Outcome {
    /// `Completed`, `PartiallyFailed`, …
    pub phase: String,
    /// What is wrong, where Velero failed it before it began.
    pub validation_errors: Vec<String>,
    /// What Velero could not do.
    pub errors: Messages,
    /// What Velero left as it was.
    pub warnings: Messages,
}

/// What Velero says of a restore, by what it concerns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Messages {
    /// Velero itself.
    pub velero: Vec<String>,
    /// Objects without a namespace.
    pub cluster: Vec<String>,
    /// Objects by the namespace they were restored into.
    pub namespaces: BTreeMap<String, Vec<String>>,
}

impl Velero {
    /// Installs it in a cluster: its kinds by `velero install`, its server with every right. Blocks the first time on a
    /// machine, when it is built. One at a time runs on a machine: it takes port 8080, and can't be told to take another.
    pub async fn install(cluster: &Cluster) -> Result<Self> {
        let peers = tokio::task::spawn_blocking(Peers::locate).await??;
        let storage = Storage::start(&peers.s3_server, cluster.warden(), cluster.logs_dir()).await?;
        create_kinds(cluster, &peers.velero).await?;
        create_namespace(cluster.admin(), &storage.url()).await?;
        let server = start_server(cluster, &peers, &storage)?;
        let velero = Self {
            storage,
            admin: cluster.admin(),
            server,
        };
        velero.server.while_running(velero.until_available()).await?;
        Ok(velero)
    }

    /// Makes a backup and waits for it.
    pub async fn back_up(&self, name: &str, spec: &Value) -> Result<()> {
        let ended = self.run("Backup", name, spec).await?;
        let status = &ended.data["status"];
        ensure!(status["phase"] == "Completed", "backup {name}: {status}");
        Ok(())
    }

    /// Whether it lists a backup.
    pub async fn has_backup(&self, name: &str) -> Result<()> {
        let found = api(&self.admin, "Backup").get_opt(name).await?;
        found
            .map(drop)
            .with_context(|| format!("there is no Backup {name}"))
    }

    /// The process id of its server.
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }

    /// Where its backups are.
    pub fn store(&self) -> Store {
        self.storage.store()
    }

    /// What Velero says it wrote: `<ns>/<name>` by `<group>/<version>/<Kind>`.
    pub fn resource_list(&self, backup: &str) -> Result<BTreeMap<String, BTreeSet<String>>> {
        self.storage
            .read(&format!("backups/{backup}/{backup}-resource-list.json.gz"))
    }

    /// Restores from a backup and waits for the end, whatever it is.
    pub async fn restore(&self, name: &str, backup: &str, mut spec: Value) -> Result<Outcome> {
        #[derive(Deserialize)]
        struct Results {
            errors: Messages,
            warnings: Messages,
        }
        spec["backupName"] = json!(backup);
        let ended = self.run("Restore", name, &spec).await?;
        let status = &ended.data["status"];
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let phase = text(&status["phase"]);
        let results = if phase == "FailedValidation" {
            // It says so in the Restore, and writes nothing else.
            None
        } else {
            let file = format!("restores/{name}/restore-{name}-results.gz");
            Some(self.storage.read::<Results>(&file)?)
        };
        let (errors, warnings) = results
            .map(|results| (results.errors, results.warnings))
            .unwrap_or_default();
        Ok(Outcome {
            phase,
            validation_errors: status["validationErrors"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect(),
            errors,
            warnings,
        })
    }

    /// Creates a Backup or Restore and waits until Velero is done with it.
    async fn run(&self, kind: &str, name: &str, spec: &Value) -> Result<DynamicObject> {
        let api = api(&self.admin, kind);
        api.create(&PostParams::default(), &object(kind, name, spec)?)
            .await?;
        eventually(&format!("Velero's {kind} {name} has ended"), LIMIT, || async {
            let object = api.get(name).await?;
            match object.data["status"]["phase"].as_str().unwrap_or_default() {
                "Completed" | "PartiallyFailed" | "Failed" | "FailedValidation" => Ok(object),
                phase => bail!("its phase is {phase:?}"),
            }
        })
        .await
    }

    async fn until_available(&self) -> Result<()> {
        let locations = api(&self.admin, "BackupStorageLocation");
        eventually("Velero's storage is available", START_LIMIT, || async {
            let status = &locations.get(LOCATION).await?.data["status"];
            ensure!(status["phase"] == "Available", "it is {status}");
            Ok(())
        })
        .await
    }
}

impl Messages {
    /// All of them.
    pub fn all(&self) -> Vec<&str> {
        self.velero
            .iter()
            .chain(&self.cluster)
            .chain(self.namespaces.values().flatten())
            .map(String::as_str)
            .collect()
    }

    /// The one that speaks of something.
    pub fn about(&self, what: &str) -> Result<&str> {
        let found = self.all().into_iter().find(|message| message.contains(what));
        found.with_context(|| format!("nothing is said of {what:?} in {self:#?}"))
    }
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("velero.io", "v1", kind));
    Api::namespaced_with(client.clone(), NAMESPACE, &kind)
}

fn object(kind: &str, name: &str, spec: &Value) -> Result<DynamicObject> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "velero.io/v1",
        "kind": kind,
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": spec,
    }))?)
}

/// Has Velero itself say what its kinds are. A kind of somebody else's is there as well, `Widget` of `example.com`: of
/// kinds that come later, Velero takes notice after minutes.
async fn create_kinds(cluster: &Cluster, program: &Path) -> Result<()> {
    let mut command = Command::new(program);
    command
        .args(["install", "--crds-only", "--dry-run", "--output", "yaml"])
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(
        output.status.success(),
        "velero install: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let own = cluster.folder().join("velero-kinds.yaml");
    std::fs::write(&own, output.stdout)?;
    let foreign = steps::manifest(&steps::foreign_kind("example.com", "v1", "Widget"))?;
    let files = [&*own, foreign.path()].map(|file| ["--filename".as_ref(), file.as_os_str()]);
    steps::create_kinds(cluster, files.as_flattened()).await
}

/// Its namespace, where to put backups, and the Deployment in which its server looks for its own settings.
async fn create_namespace(admin: Client, storage: &str) -> Result<()> {
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
    Api::all(admin.clone())
        .create(&PostParams::default(), &namespace)
        .await?;
    let labels = json!({ "component": "velero" });
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": { "name": "velero" },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "velero", "image": "none" }] },
            },
        },
    }))?;
    Api::namespaced(admin.clone(), NAMESPACE)
        .create(&PostParams::default(), &deployment)
        .await?;
    let location = json!({
        "provider": "velero.io/aws",
        "default": true,
        "objectStorage": { "bucket": BUCKET },
        "config": { "region": "us-east-1", "s3ForcePathStyle": "true", "s3Url": storage, "checksumAlgorithm": "" },
    });
    api(&admin, "BackupStorageLocation")
        .create(
            &PostParams::default(),
            &object("BackupStorageLocation", LOCATION, &location)?,
        )
        .await?;
    Ok(())
}

fn start_server(cluster: &Cluster, peers: &Peers, storage: &Storage) -> Result<Process> {
    let plugins = peers.s3_plugin.parent().context("the plugin lies in no folder")?;
    let mut command = Command::new(&peers.velero);
    command
        .env("AWS_SHARED_CREDENTIALS_FILE", storage.credentials())
        .env("VELERO_NAMESPACE", NAMESPACE)
        .arg("server")
        .arg("--kubeconfig")
        .arg(cluster.admin_kubeconfig())
        .arg("--plugin-dir")
        .arg(plugins)
        .args(["--namespace", NAMESPACE])
        .args(["--metrics-address", &ports::free()?.to_string()])
        .args(["--profiler-address", ""])
        // What it waits for by default is meant for volumes; here a restore should end when it is done.
        .args(["--item-operation-sync-frequency", "1s"])
        // A backup that has to wait for another is looked at once a minute.
        .args(["--concurrent-backups", "8"])
        .args(["--client-qps", "1000", "--client-burst", "1000"]);
    Process::start(cluster.warden(), cluster.logs_dir(), "velero", command)
}
