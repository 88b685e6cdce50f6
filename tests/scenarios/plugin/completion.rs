//! Names of objects as they are completed: by kubectl, by bash, and by a plugin that has no cluster to ask.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::{Cluster, eventually, manifests, program};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::plugin;
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [names_of_objects_are_completed_by_shells_and_kubectl],
}

const SHOP: &str = "shop";
const LIMIT: Duration = Duration::from_secs(20);

async fn names_of_objects_are_completed_by_shells_and_kubectl(cluster: Cluster) -> Result<()> {
    let shell = Shell::new(&cluster).await?;
    manifests::apply(&cluster, "crds", &[]).await?;
    cluster.kubectl(&["create", "namespace", SHOP]).await?.success()?;
    for (kind, name, spec) in [
        (
            "BackupVault",
            "offsite",
            json!({ "operational": { "fileSystem": { "path": "/vaults/a" } } }),
        ),
        (
            "BackupVault",
            "onsite",
            json!({ "operational": { "fileSystem": { "path": "/vaults/b" } } }),
        ),
        ("BackupInstance", "till", json!({})),
    ] {
        let object = json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": kind,
            "metadata": { "name": name }, "spec": spec,
        });
        eventually("the kind is served", LIMIT, || async {
            Ok(create(&cluster.admin(), Some(SHOP), &object).await.map(drop)?)
        })
        .await?;
    }

    for (typed, expected) in [
        (
            &["vault", "check", "-n", SHOP, ""][..],
            &["offsite", "onsite"][..],
        ),
        (&["vault", "check", "-n", SHOP, "of"], &["offsite"]),
        (&["backup", "create", "--namespace", SHOP, ""], &["till"]),
        (&["vault", "check", "-n", "sh"], &[SHOP]),
        (&["vault", "check", ""], &[]),
        (&["instance", "cr"], &["create"]),
    ] {
        for (asked, found) in [
            ("kubectl", shell.kubectl(&cluster, typed).await?),
            ("bash", shell.bash(typed).await?),
        ] {
            ensure!(found == expected, "{asked} {typed:?}: {found:?}");
        }
    }

    // Nobody waits at a prompt for a cluster that isn't there.
    let began = Instant::now();
    let nowhere = shell.folder.path().join("nowhere");
    let ran = plugin(Some(&nowhere), &["complete", "--", "vault", "check", ""]).await?;
    ensure!(ran.out == ":4\n" && ran.err.is_empty(), "{ran:?}");
    ensure!(began.elapsed() < LIMIT, "it took {:?}", began.elapsed());
    Ok(())
}

/// Where the plugin is on the PATH, with its program for kubectl beside it.
struct Shell {
    folder: TempDir,
    path: String,
    kubeconfig: PathBuf,
}

impl Shell {
    async fn new(cluster: &Cluster) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        symlink(
            program::PLUGIN.built().await?,
            folder.path().join("kubectl-clusterbackup"),
        )?;
        let answers = folder.path().join("kubectl_complete-clusterbackup");
        fs::write(&answers, plugin(None, &["completion", "kubectl"]).await?.out)?;
        fs::set_permissions(&answers, Permissions::from_mode(0o755))?;
        let path = std::env::var("PATH")?;
        Ok(Self {
            path: format!("{}:{path}", folder.path().display()),
            folder,
            kubeconfig: cluster.admin_kubeconfig(),
        })
    }

    /// What kubectl offers: lines, and a directive behind them.
    async fn kubectl(&self, cluster: &Cluster, typed: &[&str]) -> Result<Vec<String>> {
        let arguments = [&["__complete", "clusterbackup"], typed].concat();
        let said = self.run(&cluster.tools().kubectl, &arguments).await?;
        let mut lines: Vec<_> = said.lines().map(word).collect();
        let directive = lines.pop().context("it says nothing")?;
        ensure!(directive == ":4", "{said}");
        Ok(lines)
    }

    /// What bash offers.
    async fn bash(&self, typed: &[&str]) -> Result<Vec<String>> {
        let script = plugin(None, &["completion", "bash"]).await?.out;
        let complete = format!(
            "{script}\nCOMP_WORDS=(kubectl-clusterbackup \"$@\"); COMP_CWORD=$#; _kubectl_clusterbackup; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let arguments = [&["-c", &complete, "bash"], typed].concat();
        let said = self.run(Path::new("bash"), &arguments).await?;
        Ok(said.lines().filter(|line| !line.is_empty()).map(word).collect())
    }

    async fn run(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let output = Command::new(program)
            .args(arguments)
            .env("PATH", &self.path)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Without what explains it.
fn word(line: &str) -> String {
    let word = line.split('\t').next().unwrap_or_default();
    word.to_owned()
}
