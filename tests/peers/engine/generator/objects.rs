//! The objects to which rules are applied: with and without a namespace, of built-in kinds and of a custom one.

use serde_json::{Value, json};

pub(super) fn objects() -> Vec<(&'static str, Value)> {
    let metadata = |namespace: Option<&str>| {
        let mut metadata = json!({
            "name": "my-mysql-0",
            "labels": { "app": "db", "example.com/tier": "back", "n": "12" },
            "annotations": { "a/b": "true", "text": "say \"hi\"" },
            "finalizers": ["example.com/a", "example.com/b"],
        });
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        metadata
    };
    let pod = json!({
        "nodeSelector": { "ssd": "true" },
        "containers": [
            { "name": "a", "image": "x:1", "env": [{ "name": "E", "value": "1" }], "ports": [{ "containerPort": 80 }] },
            { "name": "b", "image": "y:2", "args": ["--level", "3", ""] },
        ],
    });
    vec![
        (
            "deployments.apps",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(Some("shop")),
                "spec": {
                    "replicas": 3, "paused": false, "selector": { "matchLabels": { "app": "db" } },
                    "template": { "metadata": { "labels": { "app": "db" } }, "spec": pod },
                },
            }),
        ),
        (
            "configmaps",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(Some("team-a.b")),
                "data": { "n": "12", "flag": "true", "file.yaml": "a: 1\nb: 2\n", "empty": "" },
            }),
        ),
        (
            "secrets",
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": metadata(Some("shop")),
                "type": "Opaque", "data": { "password": "aHVudGVyMg==" },
            }),
        ),
        (
            "persistentvolumeclaims",
            json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(Some("ns.1")),
                "spec": {
                    "storageClassName": "standard", "accessModes": ["ReadWriteOnce"],
                    "resources": { "requests": { "storage": "1Gi" } },
                },
            }),
        ),
        (
            "clusterroles.rbac.authorization.k8s.io",
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata(None),
                "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] }],
            }),
        ),
        (
            "widgets.example.com",
            json!({
                "apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata(Some("shop")),
                "spec": {
                    "n": 1, "float": 1.5, "whole": 2.0, "large": 9_007_199_254_740_993_i64, "nothing": null,
                    "list": [1, 2.0, 3], "nested": { "deep/er": { "til~de": [{ "a": 1 }, { "a": 2 }] } },
                },
            }),
        ),
    ]
}
