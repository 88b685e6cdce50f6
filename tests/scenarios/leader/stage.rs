//! The stage: a cluster with a CSI driver and what a leader needs, an instance of one namespace, its backups.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_agent::runtime::Target;
use clusterbackup_api::backup::{BackupPhase, BackupStatus, VolumeReport};
use clusterbackup_api::snapshots::{
    VolumeGroupSnapshotClass, VolumeSnapshot, VolumeSnapshotClass, VolumeSnapshotContent,
};
use clusterbackup_api::{Backup, BackupHook, BackupInstance, NodeTask};
use clusterbackup_tests::agent::{self, Agent, AgentNode};
use clusterbackup_tests::csi::{self, Volume};
use clusterbackup_tests::leader::Leaders;
use clusterbackup_tests::{Cluster, CriFixture, Csi, TestNamespace, eventually, writer};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

pub(super) use clusterbackup_tests::stage::App;

/// Longer than any backup here takes.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// Everything that a scenario plays with.
pub(super) struct Stage {
    /// Where instances and backups live.
    pub(super) home: TestNamespace,
    /// What is protected.
    pub(super) shop: TestNamespace,
    pub(super) leaders: Leaders,
    pub(super) csi: Csi,
    pub(super) cluster: Cluster,
}

/// A node with a container runtime and a running agent.
pub(super) struct Node {
    pub(super) cri: CriFixture,
    pub(super) agent: Agent,
    pub(super) place: AgentNode,
}

impl Stage {
    /// Sets it up; no leader runs yet.
    pub(super) async fn set_up(cluster: Cluster) -> Result<Self> {
        let leaders = Leaders::install(&cluster).await?;
        let csi = Csi::start(&cluster).await?;
        Ok(Self {
            home: cluster.namespace("home").await?,
            shop: cluster.namespace("shop").await?,
            leaders,
            csi,
            cluster,
        })
    }

    /// A node whose agent runs.
    pub(super) async fn node(&self, name: &str) -> Result<Node> {
        let cri = CriFixture::start()?;
        let place = AgentNode::new(&self.cluster, name, &cri.socket()).await?;
        Ok(Node {
            agent: place.agent().await?,
            cri,
            place,
        })
    }

    /// Runs an application on a node that writes to so many volumes, and makes the hook that freezes it.
    pub(super) async fn app(&self, node: &Node, name: &str, volumes: usize) -> Result<App> {
        let control = self.cluster.folder().join(format!("{name}-control"));
        std::fs::create_dir_all(&control)?;
        let mut bound = Vec::with_capacity(volumes);
        for number in 0..volumes {
            bound.push(self.csi.claim(&self.shop, &format!("{name}-{number}")).await?);
        }
        let target = Target {
            namespace: self.shop.name().to_owned(),
            pod: name.to_owned(),
            uid: self.pod(node, name, &bound).await?,
            container: "app".to_owned(),
        };
        let app = App {
            target,
            control,
            volumes: bound,
        };
        node.cri.run(app.container()?)?;
        app.goes_on().await?;
        let control = app.control.to_str().context("the folder is not text")?;
        self.hook(name, &writer::freeze(control), &writer::thaw(control))
            .await?;
        Ok(app)
    }

    async fn pod(&self, node: &Node, name: &str, volumes: &[Volume]) -> Result<String> {
        let claims = volumes.iter().map(
            |volume| json!({ "name": volume.claim, "persistentVolumeClaim": { "claimName": volume.claim } }),
        );
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": name, "labels": { "app": name } },
            "spec": {
                "nodeName": node.place.name(),
                "containers": [{ "name": "app", "image": "writer" }],
                "volumes": claims.collect::<Vec<_>>(),
            },
        }))?;
        let pods = self.shop.api::<Pod>();
        let pod = eventually("the pod is admitted", LIMIT, || async {
            Ok(pods.create(&PostParams::default(), &pod).await?)
        });
        let uid = pod.await?.metadata.uid.context("the pod has no uid")?;
        // No kubelet says so here.
        let running = Patch::Merge(json!({ "status": { "phase": "Running" } }));
        pods.patch_status(name, &PatchParams::default(), &running).await?;
        Ok(uid)
    }

    /// Gives an application another hook.
    pub(super) async fn change_hook(&self, app: &str, pre: &[String], post: &[String]) -> Result<()> {
        let hooks = self.home.api::<BackupHook>();
        hooks.delete(app, &DeleteParams::default()).await?;
        self.hook(app, pre, post).await
    }

    async fn hook(&self, app: &str, pre: &[String], post: &[String]) -> Result<()> {
        let exec = |command: &[String]| json!([{ "exec": { "command": command, "timeout": "5s" } }]);
        let hook: BackupHook = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1",
            "kind": "BackupHook",
            "metadata": {
                "name": app,
                "annotations": { "clusterbackup.io/requester": administrator().to_string() },
            },
            "spec": {
                "backupHook": [{
                    "name": "writer",
                    "labelSelector": { "matchLabels": { "app": app } },
                    "preHooks": exec(pre),
                    "postHooks": exec(post),
                }],
            },
        }))?;
        self.home.api().create(&PostParams::default(), &hook).await?;
        Ok(())
    }

    /// Makes an instance of the shop with the hooks of these applications.
    pub(super) async fn hooked_instance(&self, name: &str, apps: &[&str], freeze: Value) -> Result<()> {
        let hooks = apps
            .iter()
            .map(|app| json!({ "name": app, "namespace": self.home.name() }));
        let spec = json!({ "backupHooks": hooks.collect::<Vec<_>>(), "freeze": freeze });
        self.instance(name, spec).await
    }

    /// The last record in the snapshot of each claim.
    pub(super) fn records(&self, status: &BackupStatus) -> Result<Vec<u64>> {
        let record = |volume: &VolumeReport| {
            let handle = volume
                .handle
                .as_deref()
                .with_context(|| format!("no handle: {volume:#?}"))?;
            writer::last_record(&self.csi.driver().snapshot_data(handle)?)
        };
        status.volumes.iter().map(record).collect()
    }

    /// All NodeTasks.
    pub(super) async fn tasks(&self) -> Result<Vec<NodeTask>> {
        let tasks = Api::<NodeTask>::namespaced(self.cluster.admin(), agent::NAMESPACE);
        Ok(tasks.list(&ListParams::default()).await?.items)
    }

    /// Leaves a driver with this one snapshot class, and with none for groups.
    pub(super) async fn only_class(&self, class: &str) -> Result<()> {
        let all = Api::<VolumeSnapshotClass>::all(self.cluster.admin());
        for known in all.list(&ListParams::default()).await? {
            if known.name_any() != class {
                all.delete(&known.name_any(), &DeleteParams::default()).await?;
            }
        }
        let groups = Api::<VolumeGroupSnapshotClass>::all(self.cluster.admin());
        groups.delete(csi::GROUP_CLASS, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until only so many snapshots, and as many contents, are left of what anybody made.
    pub(super) async fn only_is_left(&self, count: usize) -> Result<()> {
        let contents = Api::<VolumeSnapshotContent>::all(self.cluster.admin());
        let snapshots = Api::<VolumeSnapshot>::all(self.cluster.admin());
        eventually("nothing else is left of snapshots", LIMIT, || async {
            let all = ListParams::default();
            let snapshots = snapshots.list(&all).await?.items;
            let contents = contents.list(&all).await?.items;
            let left = (snapshots.len(), contents.len());
            ensure!(left == (count, count), "{snapshots:#?} {contents:#?}");
            Ok(())
        })
        .await
    }

    /// Makes an instance of the shop, with what `spec` says beside that.
    pub(super) async fn instance(&self, name: &str, mut spec: Value) -> Result<()> {
        if spec.get("includedNamespaces").is_none() {
            spec["includedNamespaces"] = json!([self.shop.name()]);
        }
        if spec.get("requester").is_none() {
            spec["requester"] = administrator();
        }
        let instance: BackupInstance = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupInstance",
            "metadata": { "name": name },
            "spec": spec,
        }))?;
        self.home.api().create(&PostParams::default(), &instance).await?;
        Ok(())
    }

    /// Asks for a backup of the instance.
    pub(super) async fn ask(&self, name: &str, instance: &str) -> Result<()> {
        let backup = Backup::new(
            name,
            clusterbackup_api::BackupSpec {
                instance: instance.to_owned(),
                cancel: false,
            },
        );
        self.backups().create(&PostParams::default(), &backup).await?;
        Ok(())
    }

    /// The backups.
    pub(super) fn backups(&self) -> Api<Backup> {
        self.home.api()
    }

    /// Stops a backup.
    pub(super) async fn cancel(&self, name: &str) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "cancel": true } }));
        self.backups()
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Waits until the backup has ended in one of these phases.
    pub(super) async fn ends(&self, name: &str, phase: BackupPhase) -> Result<BackupStatus> {
        let status = self
            .sees(name, "has ended", |status| {
                !matches!(
                    status.phase,
                    None | Some(BackupPhase::Planning | BackupPhase::Running)
                )
            })
            .await?;
        ensure!(status.phase == Some(phase), "it ended as {status:#?}");
        Ok(status)
    }

    /// Waits until the status of the backup is as `right` says.
    pub(super) async fn sees(
        &self,
        name: &str,
        what: &str,
        right: impl Fn(&BackupStatus) -> bool,
    ) -> Result<BackupStatus> {
        self.sees_within(LIMIT, name, what, right).await
    }

    /// The same, with another patience.
    pub(super) async fn sees_within(
        &self,
        limit: Duration,
        name: &str,
        what: &str,
        right: impl Fn(&BackupStatus) -> bool,
    ) -> Result<BackupStatus> {
        eventually(&format!("the backup {what}"), limit, || async {
            let status = self.backups().get(name).await?.status.unwrap_or_default();
            ensure!(right(&status), "{status:#?}");
            Ok(status)
        })
        .await
    }

    /// The content of a claim that is kept.
    pub(super) async fn content(&self, volume: &VolumeReport) -> Result<VolumeSnapshotContent> {
        let name = volume.content.as_deref().context("no content")?;
        let contents = Api::<VolumeSnapshotContent>::all(self.cluster.admin());
        Ok(contents.get(name).await?)
    }

    /// Deletes a namespace and waits until it is gone.
    pub(super) async fn delete_namespace(&self, name: &str) -> Result<()> {
        let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(self.cluster.admin());
        namespaces.delete(name, &DeleteParams::default()).await?;
        eventually("the namespace is gone", LIMIT, || async {
            ensure!(namespaces.get_opt(name).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }
}

/// Who may do everything; what the webhook would record.
fn administrator() -> Value {
    json!({ "username": "admin", "groups": ["system:masters"] })
}
