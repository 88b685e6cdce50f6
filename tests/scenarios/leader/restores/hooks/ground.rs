//! A shop with a Deployment, a node for the pods of its restores, and what a scheduler and a kubelet would do for them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_agent::runtime::Target;
use clusterbackup_api::{RestoreHook, labels};
use clusterbackup_tests::cri::ContainerSpec;
use clusterbackup_tests::steps::create;
use clusterbackup_tests::{Cluster, eventually};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::leader::stage::{Ground, LIMIT, Node, administrator};

/// The only container.
const CONTAINER: &str = "webcontainer";

/// How a container stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Up {
    Running,
    Ready,
}

/// The shop and the node.
pub(super) struct Shop {
    pub(super) node: Node,
    pub(super) ground: Ground,
}

impl Shop {
    /// A Deployment with so many pods, none of which ever ran.
    pub(super) async fn set_up(cluster: Cluster, pods: u32) -> Result<Self> {
        let ground = Ground::set_up(cluster).await?;
        ground.vault("vault").await?;
        let labels = json!({ "app": "web" });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": {
                "replicas": pods,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "containers": [{ "name": CONTAINER, "image": "web" }] },
                },
            },
        });
        create(&ground.cluster.admin(), Some(ground.shop.name()), &deployment).await?;
        Ok(Self {
            node: ground.node("node-a").await?,
            ground,
        })
    }

    /// Makes a RestoreHook as the administrator would.
    pub(super) async fn hook(&self, name: &str, spec: Value) -> Result<()> {
        let hook: RestoreHook = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1",
            "kind": "RestoreHook",
            "metadata": {
                "name": name,
                "annotations": { labels::REQUESTER: serde_json::to_string(&administrator())? },
            },
            "spec": spec,
        }))?;
        self.ground
            .home
            .api()
            .create(&PostParams::default(), &hook)
            .await?;
        Ok(())
    }

    /// Asks for a restore with these hooks into a namespace of the restore's name, and says which that is.
    pub(super) async fn restore(&self, name: &str, point: &str, hooks: &[&str]) -> Result<String> {
        let target = format!("{}-{name}", self.ground.shop.name());
        self.restore_into(name, point, hooks, &target).await?;
        Ok(target)
    }

    /// The same, into that namespace.
    pub(super) async fn restore_into(
        &self,
        name: &str,
        point: &str,
        hooks: &[&str],
        target: &str,
    ) -> Result<()> {
        let home = self.ground.home.name();
        let named = hooks
            .iter()
            .map(|hook| json!({ "name": hook, "namespace": home }));
        let spec = json!({
            "namespaceMappings": { self.ground.shop.name(): target },
            "restoreHooks": named.collect::<Vec<_>>(),
        });
        self.ground.restore(name, point, spec).await
    }

    /// Binds so many pods of a namespace to the node, runs their containers, and says in which folders.
    pub(super) async fn starts(&self, namespace: &str, pods: usize, up: Up) -> Result<Vec<PathBuf>> {
        let api = self.pods(namespace);
        let found = eventually("the pods are there", LIMIT, || async {
            let found = api.list(&ListParams::default()).await?.items;
            ensure!(found.len() == pods, "{} are", found.len());
            Ok(found)
        })
        .await?;
        let mut folders = Vec::new();
        for pod in found {
            let name = pod.name_any();
            let folder = self.ground.cluster.folder().join(format!("{namespace}-{name}"));
            std::fs::create_dir_all(&folder)?;
            let target = Target {
                namespace: namespace.to_owned(),
                pod: name.clone(),
                uid: pod.uid().context("no uid")?,
                container: CONTAINER.to_owned(),
            };
            self.node.cri.run(ContainerSpec::new(target, &folder))?;
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name },
                "target": { "apiVersion": "v1", "kind": "Node", "name": self.node.place.name() },
            });
            let _: Value = api
                .create_subresource("binding", &name, &PostParams::default(), &binding)
                .await?;
            folders.push(folder);
        }
        self.says(namespace, up).await?;
        Ok(folders)
    }

    /// Says of all pods of a namespace how they stand.
    pub(super) async fn says(&self, namespace: &str, up: Up) -> Result<()> {
        let api = self.pods(namespace);
        let status = json!({ "status": { "phase": "Running", "containerStatuses": [{
            "name": CONTAINER, "image": "web", "imageID": "web", "restartCount": 0,
            "ready": up == Up::Ready, "state": { "running": {} },
        }] } });
        for pod in api.list(&ListParams::default()).await? {
            let patch = Patch::Merge(&status);
            api.patch_status(&pod.name_any(), &PatchParams::default(), &patch)
                .await?;
        }
        Ok(())
    }

    /// Waits until the hooks in a folder have written this.
    pub(super) async fn runs(&self, folder: &Path, expected: &str) -> Result<()> {
        let file = folder.join("runs");
        eventually("the hook has run", LIMIT, || async {
            let written = std::fs::read_to_string(&file).unwrap_or_default();
            ensure!(written == expected, "it wrote {written:?}");
            Ok(())
        })
        .await
    }

    /// Gives jane these rights everywhere.
    pub(super) async fn grant(&self, name: &str, rules: &Value) -> Result<()> {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": name }, "rules": rules,
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" }],
        });
        let admin = self.ground.cluster.admin();
        for object in [role, binding] {
            create(&admin, None, &object).await?;
        }
        let allowed = &rules[0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let resource = format!(
            "{}.{}",
            text(&allowed["resources"][0]),
            text(&allowed["apiGroups"][0])
        );
        let verb = text(&allowed["verbs"][0]);
        let question = [
            "auth",
            "can-i",
            &verb,
            &resource,
            "--as",
            "jane",
            "--all-namespaces",
        ];
        eventually("the right is known", LIMIT, || async {
            self.ground.cluster.kubectl(&question).await?.success().map(drop)
        })
        .await
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.ground.cluster.admin(), namespace)
    }
}
