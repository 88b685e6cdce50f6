//! What backups on real nodes are made of: applications in pods that write in lock-step, hooks and instances as a person
//! writes them, and the plugin to run them by.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::namespaces::AGENTS;
use clusterbackup_api::node_task::UnitReport;
use clusterbackup_api::{Backup, NodeTask, labels};
use clusterbackup_tests::csi::{Csi, Volume};
use clusterbackup_tests::nodes::{Application, Nodes, Running};
use clusterbackup_tests::plugin::{self, Ran};
use clusterbackup_tests::runner::NodesContext;
use clusterbackup_tests::stage::App;
use clusterbackup_tests::{TestNamespace, eventually, steps, writer};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

/// Longer than any backup here takes.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// A namespace with applications, and the cluster it is in.
pub(crate) struct Shop<'a> {
    pub(crate) nodes: &'a Nodes,
    pub(crate) csi: &'a Csi,
    pub(crate) namespace: &'a TestNamespace,
}

/// An application that writes in lock-step to all its volumes, with a hook of its name. Its control folder lies in the
/// first volume, so that a container that is started again stays frozen.
pub(crate) struct Pod<'a> {
    pub(crate) running: Running<'a>,
    pub(crate) app: App,
}

impl<'a> Shop<'a> {
    pub(crate) fn of(context: &'a NodesContext) -> Self {
        Self {
            nodes: &context.nodes,
            csi: &context.csi,
            namespace: &context.namespace,
        }
    }

    /// Runs an application, and makes the hook that freezes it.
    pub(crate) async fn app(&self, application: &Application<'_>, volumes: &[Volume]) -> Result<Pod<'a>> {
        let control = format!("/data/{}/control", volumes[0].claim);
        let folders = volumes.iter().map(|volume| format!("/data/{}", volume.claim));
        let arguments: Vec<String> = [control.clone()].into_iter().chain(folders).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let claims: Vec<&str> = volumes.iter().map(|volume| volume.claim.as_str()).collect();
        let application = Application {
            script: writer::SCRIPT,
            arguments: &arguments,
            claims: &claims,
            labels: json!({ "app": application.name }),
            ..application.clone()
        };
        let running = self.nodes.run(self.namespace.name(), &application).await?;
        self.hook(
            application.name,
            &writer::freeze(&control),
            &writer::thaw(&control),
        )
        .await?;
        let app = App {
            target: running.target()?,
            control: volumes[0].data.join("control"),
            volumes: volumes.to_vec(),
        };
        app.goes_on().await?;
        Ok(Pod { running, app })
    }

    /// The usual one: on a node, with so many volumes of its own.
    pub(crate) async fn app_on(&self, node: &str, name: &str, volumes: usize) -> Result<Pod<'a>> {
        let mut claims = Vec::new();
        for number in 0..volumes {
            claims.push(
                self.csi
                    .claim(self.namespace, &format!("{name}-{number}"))
                    .await?,
            );
        }
        let application = Application {
            node: Some(node),
            ..Application::new(name)
        };
        self.app(&application, &claims).await
    }

    /// Makes a hook for the pods of one application, and of its name.
    pub(crate) async fn hook(&self, app: &str, pre: &[String], post: &[String]) -> Result<()> {
        self.hook_within((app, app), "5s", (pre, post)).await
    }

    /// Makes a hook of a name for the pods of one application, whose commands may take so long.
    pub(crate) async fn hook_within(
        &self,
        (name, app): (&str, &str),
        timeout: &str,
        (pre, post): (&[String], &[String]),
    ) -> Result<()> {
        let exec = |command: &[String]| json!([{ "exec": { "command": command, "timeout": timeout } }]);
        let hook = json!({
            "apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1",
            "kind": "BackupHook",
            "metadata": { "name": name },
            "spec": {
                "backupHook": [{
                    "name": "writer",
                    "includedNamespaces": [self.namespace.name()],
                    "labelSelector": { "matchLabels": { "app": app } },
                    "preHooks": exec(pre),
                    "postHooks": exec(post),
                }],
            },
        });
        self.apply(&hook).await
    }

    /// Makes an instance of the namespace with the hooks of these applications.
    pub(crate) async fn instance(&self, name: &str, apps: &[&str], freeze: Value) -> Result<()> {
        let hook = |app: &&str| json!({ "name": app, "namespace": self.namespace.name() });
        let instance = json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupInstance",
            "metadata": { "name": name },
            "spec": {
                "includedNamespaces": [self.namespace.name()],
                "backupHooks": apps.iter().map(hook).collect::<Vec<_>>(),
                "freeze": freeze,
            },
        });
        self.apply(&instance).await
    }

    async fn apply(&self, object: &Value) -> Result<()> {
        let file = steps::manifest(object)?;
        let create = ["create", "--namespace", self.namespace.name(), "--filename"].map(AsRef::as_ref);
        let create = [&create[..], &[file.path().as_os_str()]].concat();
        self.nodes.cluster().kubectl(&create).await?.success().map(drop)
    }

    /// Runs the plugin in the namespace.
    pub(crate) async fn plugin(&self, arguments: &[&str]) -> Result<Ran> {
        let arguments = [arguments, &["--namespace", self.namespace.name()]].concat();
        plugin::plugin(Some(&self.nodes.cluster().admin_kubeconfig()), &arguments).await
    }

    /// Has a backup made and waits for its end, which has to be this one.
    pub(crate) async fn backup(
        &self,
        instance: &str,
        name: &str,
        phase: BackupPhase,
    ) -> Result<BackupStatus> {
        let ran = self
            .plugin(&[
                "backup",
                "create",
                instance,
                "--name",
                name,
                "--wait",
                "--timeout",
                "2m",
            ])
            .await?;
        let status = self.status(name).await?;
        ensure!(status.phase == Some(phase), "{ran:?}: {status:#?}");
        Ok(status)
    }

    /// Has a backup made without waiting for it.
    pub(crate) async fn ask(&self, instance: &str, name: &str) -> Result<()> {
        let ran = self
            .plugin(&["backup", "create", instance, "--name", name])
            .await?;
        ensure!(ran.code == Some(0), "{ran:?}");
        Ok(())
    }

    /// Waits until the backup has ended.
    pub(crate) async fn ended(&self, name: &str) -> Result<BackupStatus> {
        eventually("the backup has ended", LIMIT, || async {
            let status = self.status(name).await?;
            ensure!(status.phase.is_some_and(BackupPhase::is_end), "{status:#?}");
            Ok(status)
        })
        .await
    }

    async fn status(&self, name: &str) -> Result<BackupStatus> {
        let backup = self.namespace.api::<Backup>().get(name).await?;
        Ok(backup.status.unwrap_or_default())
    }

    /// What a node reports of the only unit of a backup.
    pub(crate) async fn unit(&self, name: &str) -> Result<UnitReport> {
        let mut units = self.units(name).await?.into_iter();
        units.next().context("no node reports on it")
    }

    /// What nodes report of the units of a backup.
    pub(crate) async fn units(&self, name: &str) -> Result<Vec<UnitReport>> {
        let backup = self.namespace.api::<Backup>().get(name).await?;
        let tasks = Api::<NodeTask>::namespaced(self.nodes.cluster().admin(), AGENTS);
        let uid = backup.metadata.uid.unwrap_or_default();
        let of_backup = ListParams::default().labels(&format!("{}={uid}", labels::BACKUP_UID));
        let found = tasks.list(&of_backup).await?.items.into_iter();
        let reported = found.filter_map(|task| task.status);
        Ok(reported.flat_map(|status| status.units).collect())
    }

    /// The last record in the snapshot of each claim, in the order of claims.
    pub(crate) fn records(&self, status: &BackupStatus) -> Result<Vec<u64>> {
        writer::last_records(self.csi.driver(), status)
    }

    /// What `agents status` says.
    pub(crate) async fn agents(&self) -> Result<Value> {
        let kubeconfig = self.nodes.cluster().admin_kubeconfig();
        let ran = plugin::plugin(Some(&kubeconfig), &["agents", "status", "--output", "json"]).await?;
        serde_json::from_str(&ran.out).with_context(|| format!("{ran:?}"))
    }
}
