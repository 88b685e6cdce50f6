//! The rows, kind by kind.

use serde_json::{Value, json};

use super::row::Row;

/// All of them; what is outside of namespaces is called after one.
pub(super) fn rows(shop: &str) -> Vec<Row> {
    [config(), workloads(), network(), rights(), cluster(shop)]
        .into_iter()
        .flatten()
        .collect()
}

fn config() -> Vec<Row> {
    let map = |name: &str, data: Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data });
    let fixed = |mut object: Value| {
        object["immutable"] = json!(true);
        object
    };
    let secret = |name: &str, kind: &str, value: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": kind,
            "stringData": { "password": value },
        })
    };
    vec![
        Row::changed(
            map("plain", json!({ "level": "info", "gone": "x" })),
            json!({ "data": { "level": "debug", "gone": null, "more": "y" }, "metadata": { "labels": { "team": "a" } } }),
        )
        .becomes("/data", json!({ "level": "info", "gone": "x", "more": "y" }))
        .becomes("/metadata/labels", json!({ "team": "a" })),
        Row::exchanged(
            map("fixed", json!({ "level": "info" })),
            fixed(map("fixed", json!({ "level": "debug" }))),
        )
        .but_stays("/data/level"),
        Row::changed(
            secret("password", "Opaque", "old"),
            json!({ "stringData": { "password": "new" } }),
        )
        .becomes("/data/password", "b2xk"),
        Row::exchanged(
            secret("typed", "Opaque", "old"),
            secret("typed", "example.com/other", "new"),
        )
        .becomes("/data/password", "b2xk")
        .becomes("/type", "example.com/other")
        .but_stays("/type"),
        Row::exchanged(
            fixed(secret("locked", "Opaque", "old")),
            fixed(secret("locked", "Opaque", "new")),
        )
        .but_stays("/data/password"),
    ]
}

/// A set of pods, with more fields in its spec.
fn pods(kind: &str, name: &str, image: &str, spec: &Value) -> Value {
    let (api, restart) = match kind {
        "Job" => ("batch/v1", "Never"),
        _ => ("apps/v1", "Always"),
    };
    let mut object = json!({
        "apiVersion": api, "kind": kind, "metadata": { "name": name },
        "spec": { "template": {
            "metadata": { "labels": { "app": name } },
            "spec": { "restartPolicy": restart, "containers": [{ "name": "main", "image": image }] },
        } },
    });
    if kind != "Job" {
        object["spec"]["selector"] = json!({ "matchLabels": { "app": name } });
    }
    for (field, value) in spec.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    object
}

fn workloads() -> Vec<Row> {
    let containers = "/spec/template/spec/containers";
    vec![
        Row::changed(
            pods("Deployment", "web", "web:1", &json!({ "replicas": 2 })),
            json!({ "spec": { "replicas": 5, "template": { "spec": { "containers": [
                { "name": "main", "image": "web:2" }, { "name": "proxy", "image": "proxy:7" },
            ] } } } }),
        )
        .becomes("/spec/replicas", 2)
        .becomes("/spec/template/spec/containers/0/image", "web:1")
        .becomes("/spec/template/spec/containers/1/name", "proxy"),
        Row::exchanged(
            pods("StatefulSet", "db", "db:1", &json!({ "replicas": 1, "serviceName": "db" })),
            pods("StatefulSet", "db", "db:2", &json!({ "replicas": 3, "serviceName": "other" })),
        )
        .becomes("/spec/replicas", 1)
        .becomes("/spec/template/spec/containers/0/image", "db:1")
        .becomes("/spec/serviceName", "other")
        .but_stays("/spec/serviceName"),
        Row::exchanged(
            pods("Job", "import", "import:1", &json!({ "suspend": true, "backoffLimit": 1 })),
            pods("Job", "import", "import:2", &json!({ "suspend": true, "backoffLimit": 4 })),
        )
        .becomes("/spec/backoffLimit", 1)
        .becomes("/spec/template/spec/containers/0/image", "import:2")
        .but_stays(containers),
        Row::changed(
            json!({
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "web" },
                "spec": {
                    "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "nobody" },
                    "minReplicas": 1, "maxReplicas": 3,
                },
            }),
            json!({ "spec": { "minReplicas": 5, "maxReplicas": 9 } }),
        )
        .becomes("/spec/minReplicas", 1)
        .becomes("/spec/maxReplicas", 3),
        Row::changed(
            json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "web" },
                "spec": { "selector": { "matchLabels": { "app": "web" } }, "minAvailable": 1 },
            }),
            json!({ "spec": { "minAvailable": null, "maxUnavailable": 1 } }),
        )
        .becomes("/spec/minAvailable", 1)
        .becomes("/spec/maxUnavailable", Value::Null),
    ]
}

fn network() -> Vec<Row> {
    let service = |spec: Value| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": spec });
    let port = |port: u16| json!([{ "name": "http", "port": port }]);
    vec![
        // It has another address by now, which it keeps.
        Row::exchanged(
            service(json!({ "selector": { "app": "web" }, "ports": port(80) })),
            service(json!({ "selector": { "app": "other" }, "ports": port(81), "type": "NodePort" })),
        )
        .becomes("/spec/selector", json!({ "app": "web" }))
        .becomes("/spec/type", "ClusterIP")
        .becomes("/spec/ports/0/port", 80)
        .becomes("/spec/ports/0/nodePort", Value::Null),
        Row::changed(
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "web" },
                "spec": { "defaultBackend": { "service": { "name": "web", "port": { "number": 80 } } } },
            }),
            json!({ "spec": { "defaultBackend": {
                "service": null, "resource": { "apiGroup": "example.com", "kind": "Bucket", "name": "a" },
            } } }),
        )
        .becomes("/spec/defaultBackend", json!({ "service": { "name": "web", "port": { "number": 80 } } })),
        Row::changed(
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "web" },
                "spec": { "podSelector": { "matchLabels": { "app": "web" } }, "policyTypes": ["Ingress"] },
            }),
            json!({ "spec": { "podSelector": { "matchLabels": { "app": "all" } }, "policyTypes": ["Egress"] } }),
        )
        .becomes("/spec/podSelector", json!({ "matchLabels": { "app": "web" } })),
    ]
}

fn rights() -> Vec<Row> {
    let binding = |role: &str, subject: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "readers" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": subject }],
        })
    };
    vec![
        Row::changed(
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "reader" },
                "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }],
            }),
            json!({ "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }] }),
        )
        .becomes("/rules/0/resources", json!(["pods"])),
        Row::exchanged(binding("reader", "jane"), binding("writer", "joe"))
            .becomes("/subjects/0/name", "jane")
            .becomes("/roleRef/name", "writer")
            .but_stays("/roleRef"),
        Row::changed(
            json!({
                "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "web" },
                "imagePullSecrets": [{ "name": "mine" }], "automountServiceAccountToken": false,
            }),
            json!({ "imagePullSecrets": [{ "name": "theirs" }], "automountServiceAccountToken": true }),
        )
        .becomes("/automountServiceAccountToken", false)
        .becomes("/imagePullSecrets/0/name", "mine"),
        Row::exchanged(claim("1Gi", "a"), claim("2Gi", "b"))
            .becomes("/metadata/labels/app", "a")
            .but_stays("/spec/resources/requests/storage"),
    ]
}

fn claim(size: &str, label: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data", "labels": { "app": label } },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "nobody",
            "resources": { "requests": { "storage": size } },
        },
    })
}

fn cluster(shop: &str) -> Vec<Row> {
    let class = |provisioner: &str, grows: bool| {
        json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": shop },
            "provisioner": provisioner, "allowVolumeExpansion": grows,
        })
    };
    vec![
        Row::exchanged(class("a.example.com", true), class("b.example.com", false))
            .of_the_cluster()
            .becomes("/allowVolumeExpansion", true)
            .becomes("/provisioner", "b.example.com")
            .but_stays("/provisioner"),
    ]
}
