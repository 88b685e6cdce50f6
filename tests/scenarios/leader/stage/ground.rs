//! What a leader needs, without volumes: a cluster, nodes with agents, an instance of one namespace, its backups.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_agent::runtime::Target;
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::{Backup, BackupHook, BackupInstance, NodeTask, Requester, labels};
use clusterbackup_tests::agent::{self, AgentNode};
use clusterbackup_tests::leader::Leaders;
use clusterbackup_tests::{Cluster, CriFixture, Daemon, TestNamespace, eventually, leader, webhook};
use clusterbackup_vault::store::Store;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::LIMIT;

/// A cluster with the rights of leaders and agents.
pub(in crate::leader) struct Ground {
    /// Where instances and backups live.
    pub(in crate::leader) home: TestNamespace,
    /// What is protected.
    pub(in crate::leader) shop: TestNamespace,
    pub(in crate::leader) leaders: Leaders,
    /// Where the vault is that takes a while to fill, if not in a folder.
    pub(in crate::leader) blobs: Option<Store>,
    pub(in crate::leader) cluster: Cluster,
}

/// A node with a container runtime and a running agent.
pub(in crate::leader) struct Node {
    pub(in crate::leader) cri: CriFixture,
    pub(in crate::leader) agent: Daemon,
    pub(in crate::leader) place: AgentNode,
}

impl Ground {
    /// Sets it up; no leader runs yet.
    pub(in crate::leader) async fn set_up(cluster: Cluster) -> Result<Self> {
        Ok(Self {
            leaders: Leaders::install(&cluster).await?,
            blobs: None,
            home: cluster.namespace("home").await?,
            shop: cluster.namespace("shop").await?,
            cluster,
        })
    }

    /// A node whose agent runs.
    pub(in crate::leader) async fn node(&self, name: &str) -> Result<Node> {
        let cri = CriFixture::start()?;
        let place = AgentNode::new(&self.cluster, name, &cri.socket()).await?;
        Ok(Node {
            agent: place.agent().await?,
            cri,
            place,
        })
    }

    /// Makes a pod that runs on a node and mounts claims, and says where its container belongs.
    pub(in crate::leader) async fn pod(&self, node: &Node, name: &str, claims: &[&str]) -> Result<Target> {
        let claims = claims
            .iter()
            .map(|claim| json!({ "name": claim, "persistentVolumeClaim": { "claimName": claim } }));
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
        Ok(Target {
            namespace: self.shop.name().to_owned(),
            pod: name.to_owned(),
            uid,
            container: "app".to_owned(),
        })
    }

    /// Gives an application another hook, of these steps.
    pub(in crate::leader) async fn change_hook(&self, app: &str, pre: &Value, post: &Value) -> Result<()> {
        let hooks = self.home.api::<BackupHook>();
        hooks.delete(app, &DeleteParams::default()).await?;
        self.hook(app, pre, post).await
    }

    /// Makes a hook of the pods with that label.
    pub(in crate::leader) async fn hook(&self, app: &str, pre: &Value, post: &Value) -> Result<()> {
        let hook: BackupHook = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1",
            "kind": "BackupHook",
            "metadata": {
                "name": app,
                "annotations": { labels::REQUESTER: serde_json::to_string(&administrator())? },
            },
            "spec": {
                "backupHook": [{
                    "name": "writer",
                    "labelSelector": { "matchLabels": { "app": app } },
                    "preHooks": pre,
                    "postHooks": post,
                }],
            },
        }))?;
        self.home.api().create(&PostParams::default(), &hook).await?;
        Ok(())
    }

    /// Makes an instance of the shop with the hooks of these applications.
    pub(in crate::leader) async fn hooked_instance(
        &self,
        name: &str,
        apps: &[&str],
        freeze: Value,
    ) -> Result<()> {
        let hooks = apps
            .iter()
            .map(|app| json!({ "name": app, "namespace": self.home.name() }));
        let spec = json!({ "backupHooks": hooks.collect::<Vec<_>>(), "freeze": freeze });
        self.instance(name, spec).await
    }

    /// All NodeTasks.
    pub(in crate::leader) async fn tasks(&self) -> Result<Vec<NodeTask>> {
        let tasks = Api::<NodeTask>::namespaced(self.cluster.admin(), agent::NAMESPACE);
        Ok(tasks.list(&ListParams::default()).await?.items)
    }

    /// Makes an instance of the shop, with what `spec` says beside that.
    pub(in crate::leader) async fn instance(&self, name: &str, mut spec: Value) -> Result<()> {
        if spec.get("includedNamespaces").is_none() {
            spec["includedNamespaces"] = json!([self.shop.name()]);
        }
        if spec.get("requester").is_none() {
            spec["requester"] = json!(administrator());
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
    pub(in crate::leader) async fn ask(&self, name: &str, instance: &str) -> Result<()> {
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
    pub(in crate::leader) fn backups(&self) -> Api<Backup> {
        self.home.api()
    }

    /// Stops a backup.
    pub(in crate::leader) async fn cancel(&self, name: &str) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "cancel": true } }));
        self.backups()
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Waits until the backup has ended in one of these phases.
    pub(in crate::leader) async fn ends(&self, name: &str, phase: BackupPhase) -> Result<BackupStatus> {
        let status = self
            .sees(name, "has ended", |status| {
                status.phase.is_some_and(BackupPhase::is_end)
            })
            .await?;
        ensure!(status.phase == Some(phase), "it ended as {status:#?}");
        Ok(status)
    }

    /// Waits until the status of the backup is as `right` says.
    pub(in crate::leader) async fn sees(
        &self,
        name: &str,
        what: &str,
        right: impl Fn(&BackupStatus) -> bool,
    ) -> Result<BackupStatus> {
        self.sees_within(LIMIT, name, what, right).await
    }

    /// The same, with another patience.
    pub(in crate::leader) async fn sees_within(
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

    /// Of a leader that is dead for sure nobody has to wait for the end of its lease.
    pub(in crate::leader) async fn release_lease(&self) -> Result<()> {
        let leases = Api::<Lease>::namespaced(self.cluster.admin(), webhook::NAMESPACE);
        let released = Patch::Merge(json!({ "spec": { "holderIdentity": null } }));
        leases
            .patch(leader::NAME, &PatchParams::default(), &released)
            .await?;
        Ok(())
    }

    /// Deletes a namespace and waits until it is gone.
    pub(in crate::leader) async fn delete_namespace(&self, name: &str) -> Result<()> {
        let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(self.cluster.admin());
        namespaces.delete(name, &DeleteParams::default()).await?;
        eventually("the namespace is gone", LIMIT, || async {
            ensure!(namespaces.get_opt(name).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }
}

/// A step of a hook: a command in the first container, with 5 s for it.
pub(in crate::leader) fn exec(command: &[String]) -> Value {
    json!({ "exec": { "command": command, "timeout": "5s" } })
}

/// Who writes instances and hooks here; what the webhook would record.
pub(in crate::leader) fn administrator() -> Requester {
    Requester {
        username: "admin".to_owned(),
        groups: ["system:masters", "system:authenticated"]
            .map(str::to_owned)
            .to_vec(),
        ..Requester::default()
    }
}
