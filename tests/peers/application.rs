//! An application as people back it up: thirty kinds of objects, namespaced and not.

use anyhow::{Context as _, Result};
use clusterbackup_tests::steps::{api_of, create};
use clusterbackup_tests::{Cluster, eventually};
use kube::Client;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::time::Duration;

/// By it, a backup finds the application's objects, in the namespace and outside of it.
pub(crate) const LABEL: &str = "app.kubernetes.io/part-of";

const LIMIT: Duration = Duration::from_secs(30);

/// The application, made for one scenario.
pub(crate) struct Application {
    /// Its name, and that of its namespace; its cluster-scoped objects begin with it.
    pub(crate) name: String,
    objects: Vec<Value>,
    client: Client,
}

impl Application {
    /// Creates it in a namespace that is there.
    pub(crate) async fn create(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let client = cluster.admin();
        let application = Self {
            name: namespace.to_owned(),
            objects: [namespaced(), workloads(), cluster_scoped(namespace)].concat(),
            client,
        };
        for object in &application.objects {
            let scope = scope(object, namespace);
            create(&application.client, scope, &application.labelled(object))
                .await
                .with_context(|| format!("failed to create {object}"))?;
        }
        Ok(application)
    }

    /// How many kinds of objects it has.
    pub(crate) fn kinds(&self) -> usize {
        let kinds: std::collections::BTreeSet<_> = self
            .objects
            .iter()
            .map(|object| object["kind"].to_string())
            .collect();
        kinds.len()
    }

    /// What a backup of it says.
    pub(crate) fn backup(&self) -> Value {
        json!({
            "includedNamespaces": [self.name],
            "includeClusterResources": true,
            "labelSelector": { "matchLabels": { LABEL: self.name } },
            "snapshotVolumes": false,
        })
    }

    /// Deletes what has no namespace, so that a restore has it to create.
    pub(crate) async fn delete_cluster_scoped(&self) -> Result<()> {
        for object in self.objects.iter().filter(|object| is_cluster_scoped(object)) {
            let api = api_of(&self.client, object, None)?;
            let name = object["metadata"]["name"].as_str().context("it has no name")?;
            if api.get_opt(name).await?.is_some() {
                api.delete(name, &DeleteParams::default()).await?;
            }
            eventually(&format!("{name} is gone"), LIMIT, || async {
                anyhow::ensure!(api.get_opt(name).await?.is_none(), "it is there");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Each object as it is now in a namespace, or in the cluster, where the rules have restored it.
    pub(crate) async fn stored_in(&self, namespace: &str) -> Result<Vec<Value>> {
        self.read(namespace, |name| {
            let renamed = RENAMED.iter().find(|(from, _)| *from == name);
            renamed.map_or(name, |(_, to)| to)
        })
        .await
    }

    /// The same, under the names that it was created with.
    pub(crate) async fn as_created_in(&self, namespace: &str) -> Result<Vec<Value>> {
        self.read(namespace, |name| name).await
    }

    async fn read(&self, namespace: &str, called: impl Fn(&str) -> &str) -> Result<Vec<Value>> {
        let mut stored = Vec::new();
        for object in &self.objects {
            let api = api_of(&self.client, object, scope(object, namespace))?;
            let name = called(object["metadata"]["name"].as_str().context("it has no name")?);
            let found = api
                .get(name)
                .await
                .with_context(|| format!("{} {name}", object["kind"]))?;
            stored.push(serde_json::to_value(found)?);
        }
        Ok(stored)
    }

    fn labelled(&self, object: &Value) -> Value {
        let mut object = object.clone();
        object["metadata"]["labels"][LABEL] = json!(self.name);
        object
    }
}

/// What the rules restore under another name.
pub(crate) const RENAMED: &[(&str, &str)] = &[("renamed", "new-name")];

const CLUSTER_SCOPED: [&str; 7] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "RuntimeClass",
];

fn scope<'a>(object: &Value, namespace: &'a str) -> Option<&'a str> {
    (!is_cluster_scoped(object)).then_some(namespace)
}

fn is_cluster_scoped(object: &Value) -> bool {
    CLUSTER_SCOPED.iter().any(|kind| object["kind"] == *kind)
}

fn object(api_version: &str, kind: &str, name: &str, fields: Value) -> Value {
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } });
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}

fn namespaced() -> Vec<Value> {
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web" });
    let account = json!([{ "kind": "ServiceAccount", "name": "web" }]);
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let mut ingress = object(
        "networking.k8s.io/v1",
        "Ingress",
        "web",
        json!({ "spec": { "defaultBackend": backend } }),
    );
    ingress["metadata"]["annotations"] =
        json!({ "cert-manager.io/cluster-issuer": "letsencrypt", "example.com/keep": "me" });
    vec![
        object(
            "v1",
            "ConfigMap",
            "settings",
            json!({ "data": { "level": "info", "size": "12" } }),
        ),
        object("v1", "ConfigMap", "renamed", json!({ "data": { "a": "b" } })),
        object(
            "v1",
            "Secret",
            "login",
            json!({ "data": { "password": "aHVudGVyMg==" } }),
        ),
        object("v1", "ServiceAccount", "web", json!({})),
        object(
            "v1",
            "Service",
            "web",
            json!({ "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80 }] } }),
        ),
        object(
            "v1",
            "PersistentVolumeClaim",
            "data",
            json!({ "spec": claim("standard") }),
        ),
        object(
            "v1",
            "LimitRange",
            "limits",
            json!({ "spec": { "limits": [{ "type": "PersistentVolumeClaim", "max": { "storage": "1Ti" } }] } }),
        ),
        object(
            "v1",
            "ResourceQuota",
            "quota",
            json!({ "spec": { "hard": { "services": "10" } } }),
        ),
        ingress,
        object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "web",
            json!({ "spec": { "podSelector": { "matchLabels": { "app": "web" } }, "policyTypes": ["Ingress"] } }),
        ),
        object(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            json!({ "spec": { "minAvailable": 2, "selector": { "matchLabels": { "app": "web" } } } }),
        ),
        object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "web",
            json!({ "spec": { "scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 9 } }),
        ),
        object(
            "rbac.authorization.k8s.io/v1",
            "Role",
            "web",
            json!({ "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"] }] }),
        ),
        object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "web",
            json!({ "roleRef": role, "subjects": account }),
        ),
        object(
            "apps/v1",
            "ControllerRevision",
            "web",
            json!({ "revision": 1, "data": { "a": "b" } }),
        ),
        object(
            "example.com/v1",
            "Widget",
            "gadget",
            json!({ "spec": { "sizes": [1, 2, 3], "colour": "red" } }),
        ),
    ]
}

fn claim(class: &str) -> Value {
    json!({
        "storageClassName": class,
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "1Gi" } },
    })
}

fn workloads() -> Vec<Value> {
    let labels = |name: &str| json!({ "app": name });
    let pod = || {
        json!({
            "automountServiceAccountToken": false,
            "nodeSelector": { "disk": "ssd" },
            "containers": [
                { "name": "web", "image": "registry.old.example/shop/web:2.4.1", "env": [{ "name": "LEVEL", "value": "3" }] },
                { "name": "proxy", "image": "registry.old.example/shop/proxy:1.9.0" },
            ],
        })
    };
    let template = |name: &str| json!({ "metadata": { "labels": labels(name) }, "spec": pod() });
    let selected =
        |name: &str| json!({ "selector": { "matchLabels": labels(name) }, "template": template(name) });
    let with = |mut spec: Value, field: &str, value: Value| {
        spec[field] = value;
        spec
    };
    let once = json!({ "metadata": { "labels": labels("job") }, "spec": with(pod(), "restartPolicy", json!("Never")) });
    let stateful = with(selected("db"), "serviceName", json!("db"));
    let claims = json!([{ "metadata": { "name": "data" }, "spec": claim("standard") }]);
    vec![
        object(
            "apps/v1",
            "Deployment",
            "web",
            json!({ "spec": with(selected("web"), "replicas", json!(3)) }),
        ),
        object(
            "apps/v1",
            "StatefulSet",
            "db",
            json!({ "spec": with(with(stateful, "volumeClaimTemplates", claims), "replicas", json!(0)) }),
        ),
        object(
            "apps/v1",
            "DaemonSet",
            "agent",
            json!({ "spec": selected("agent") }),
        ),
        object(
            "apps/v1",
            "ReplicaSet",
            "old",
            json!({ "spec": with(selected("old"), "replicas", json!(0)) }),
        ),
        object(
            "v1",
            "ReplicationController",
            "older",
            json!({ "spec": { "replicas": 0, "selector": labels("older"), "template": template("older") } }),
        ),
        object(
            "v1",
            "PodTemplate",
            "template",
            json!({ "template": template("template") }),
        ),
        object("v1", "Pod", "single", json!({ "spec": pod() })),
        object(
            "batch/v1",
            "Job",
            "migrate",
            json!({ "spec": { "suspend": true, "template": once } }),
        ),
        object(
            "batch/v1",
            "CronJob",
            "report",
            json!({ "spec": { "schedule": "0 3 * * *", "jobTemplate": { "spec": { "template": once } } } }),
        ),
    ]
}

fn cluster_scoped(prefix: &str) -> Vec<Value> {
    let name = |suffix: &str| format!("{prefix}-{suffix}");
    let role =
        json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name("role") });
    let account = json!([{ "kind": "ServiceAccount", "name": "web", "namespace": prefix }]);
    let volume = json!({
        "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteMany"], "storageClassName": "",
        "persistentVolumeReclaimPolicy": "Retain", "nfs": { "server": "nfs.old.example", "path": "/exports" },
    });
    let rules = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] }]);
    vec![
        object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            &name("role"),
            json!({ "rules": rules }),
        ),
        object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            &name("binding"),
            json!({ "roleRef": role, "subjects": account }),
        ),
        object(
            "v1",
            "PersistentVolume",
            &name("files"),
            json!({ "spec": volume }),
        ),
        object(
            "storage.k8s.io/v1",
            "StorageClass",
            &name("class"),
            json!({ "provisioner": "example.com/none" }),
        ),
        object(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            &name("priority"),
            json!({ "value": 1000 }),
        ),
        object(
            "networking.k8s.io/v1",
            "IngressClass",
            &name("ingress"),
            json!({ "spec": { "controller": "example.com/none" } }),
        ),
        object(
            "node.k8s.io/v1",
            "RuntimeClass",
            &name("runtime"),
            json!({ "handler": "none" }),
        ),
    ]
}
