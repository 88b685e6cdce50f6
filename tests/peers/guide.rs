//! `docs/velero.md`, followed from top to bottom: whatever it tells to apply is applied, whatever it tells to run is run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::program::PLUGIN;
use clusterbackup_tests::runner::{VeleroContext, scenarios};
use clusterbackup_tests::steps::create;
use clusterbackup_tests::velero::Velero;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use serde_json::json;

scenarios! {
    Velero: [whoever_follows_the_page_for_users_of_velero_gets_there],
}

const PAGE: &str = include_str!("../../docs/velero.md");
const MANIFESTS: &str = include_str!("../../manifests/README.md");
/// Done by the harness, in a way that works without nodes; what follows it, by whichever scenario comes first.
const INSTALL: &str = "kubectl apply -k manifests/components/velero-door\n";
/// The others still need the webhook. A scenario of the other suite runs this command as these manifests give it.
const WAY_OUT: &str = "kubectl delete mutatingwebhookconfiguration";

async fn whoever_follows_the_page_for_users_of_velero_gets_there(given: &VeleroContext) -> Result<()> {
    let cluster = &given.context.cluster;
    set_up_the_shop(cluster, &given.velero).await?;
    let reader = Reader::new(cluster).await?;
    let mut said = String::new();
    for (language, text) in blocks(PAGE) {
        let done = match (language, text.strip_prefix(INSTALL)) {
            ("yaml", _) => {
                reader
                    .run(&format!("kubectl apply -f - <<'END'\n{text}\nEND\n"))
                    .await?
            }
            ("sh", Some(rest)) => once(reader.run(rest).await)?,
            ("sh", None) if text.starts_with(WAY_OUT) => {
                ensure!(
                    MANIFESTS.contains(text),
                    "manifests/README.md has another way out than {text}"
                );
                continue;
            }
            ("sh", None) => reader.run(text).await?,
            (other, _) => bail!("a block of {other:?}"),
        };
        said.push_str(&done);
    }
    ensure!(said.ends_with("premium"), "what was said is\n{said}");
    ensure!(
        said.contains("\n-  storageClassName: standard\n+  storageClassName: premium\n"),
        "the plugin showed no difference:\n{said}"
    );
    for (namespace, wanted) in [("shop", "standard"), ("shop-staging", "premium")] {
        let claims = Api::<PersistentVolumeClaim>::namespaced(cluster.admin(), namespace);
        let class = claims
            .get("data")
            .await?
            .spec
            .and_then(|spec| spec.storage_class_name);
        ensure!(
            class.as_deref() == Some(wanted),
            "the class in {namespace} is {class:?}"
        );
    }
    Ok(())
}

/// What another scenario may have done already.
fn once(done: Result<String>) -> Result<String> {
    done.or_else(|error| {
        if format!("{error:#}").contains("already exists") {
            Ok(String::new())
        } else {
            Err(error)
        }
    })
}

/// What the page takes for granted: an application, and a backup of it.
async fn set_up_the_shop(cluster: &Cluster, velero: &Velero) -> Result<()> {
    let client = cluster.admin();
    create(
        &client,
        None,
        &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }),
    )
    .await?;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
        "spec": {
            "storageClassName": "standard", "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    create(&client, Some("shop"), &claim).await?;
    let labels = json!({ "app": "web" });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "web", "image": "web:1" }] } },
        },
    });
    create(&client, Some("shop"), &deployment).await?;
    let backup = json!({ "includedNamespaces": ["shop"], "snapshotVolumes": false });
    velero.back_up("shop-nightly", &backup).await
}

/// Somebody at a shell with kubectl and our plugin, in a folder of their own.
struct Reader {
    folder: PathBuf,
    path: OsString,
    kubeconfig: PathBuf,
}

impl Reader {
    async fn new(cluster: &Cluster) -> Result<Self> {
        let folder = cluster.folder().join("reader");
        std::fs::create_dir_all(&folder)?;
        let plugin = PLUGIN.built().await?;
        let parent = |program: &Path| {
            program
                .parent()
                .map(Path::to_path_buf)
                .context("it lies in no folder")
        };
        let own = [parent(&cluster.tools().kubectl)?, parent(&plugin)?];
        let others = std::env::var_os("PATH").unwrap_or_default();
        Ok(Self {
            folder,
            path: std::env::join_paths(own.into_iter().chain(std::env::split_paths(&others)))?,
            kubeconfig: cluster.admin_kubeconfig(),
        })
    }

    /// What a script writes, which has to succeed.
    async fn run(&self, script: &str) -> Result<String> {
        let mut shell = Command::new("sh");
        shell
            .args(["-e", "-c", script])
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || shell.output()).await??;
        let (said, complaint) = (
            String::from_utf8(output.stdout)?,
            String::from_utf8_lossy(&output.stderr),
        );
        ensure!(
            output.status.success(),
            "{script}{}\n{said}{complaint}",
            output.status
        );
        Ok(said)
    }
}

/// The fenced blocks of the page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    page.split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect()
}
