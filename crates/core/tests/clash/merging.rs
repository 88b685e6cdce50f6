//! What comes back, and what is taken from one side as a whole.

use clusterbackup_core::clash::Reason;
use clusterbackup_core::custom_kind::CustomKind;
use serde_json::{Value, json};

use crate::given::{
    BUDGET, CONFIG_MAP, DEPLOYMENT, SERVICE, STATEFUL_SET, WEBHOOKS, check, containers, onto,
};

#[test]
fn what_is_left_out_or_null_comes_back_and_what_is_sent_counts() {
    check(
        CONFIG_MAP,
        json!({"data": {"a": "1", "b": "2", "c": "3"}, "metadata": {"labels": {"x": "1"}, "annotations": {"y": "1"}}}),
        json!({"data": {"a": "9", "b": null, "d": ""}, "metadata": {"labels": null}}),
        &json!({"data": {"a": "9", "b": "2", "c": "3", "d": ""},
            "metadata": {"labels": {"x": "1"}, "annotations": {"y": "1"}}}),
        &[
            "/data/b LeftOut",
            "/data/c LeftOut",
            "/metadata/labels LeftOut",
            "/metadata/annotations LeftOut",
        ],
    );
}

#[test]
fn items_are_merged_by_their_keys_and_kept_ones_stay_behind_their_neighbours() {
    check(
        DEPLOYMENT,
        containers(&json!([
            {"name": "first", "image": "f:1"},
            {"name": "web", "image": "w:1", "command": ["run"], "args": ["-a", "-b"]},
            {"name": "proxy", "image": "p:1"},
        ])),
        containers(
            &json!([{"name": "new", "image": "n:0"}, {"name": "web", "image": "w:0", "args": ["-c"]}]),
        ),
        &containers(&json!([
            {"name": "first", "image": "f:1"},
            {"name": "new", "image": "n:0"},
            {"name": "web", "image": "w:0", "command": ["run"], "args": ["-c"]},
            {"name": "proxy", "image": "p:1"},
        ])),
        &[
            "/spec/template/spec/containers/0 LeftOut",
            "/spec/template/spec/containers/2/command LeftOut",
            "/spec/template/spec/containers/3 LeftOut",
        ],
    );
}

#[test]
fn items_that_can_not_be_told_apart_are_taken_as_they_come() {
    let twice = containers(&json!([{"name": "web", "image": "a"}, {"name": "web", "image": "b"}]));
    check(
        DEPLOYMENT,
        containers(&json!([{"name": "proxy"}])),
        twice.clone(),
        &twice,
        &[],
    );
}

#[test]
fn what_belongs_together_in_a_pod_is_taken_from_one_side() {
    let live = json!({
        "name": "web",
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "B", "value": "1"}],
        "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5},
        "lifecycle": {"preStop": {"exec": {"command": ["stop"]}}},
        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
        "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}, {"containerPort": 90, "protocol": "TCP"}],
        "volumeMounts": [{"name": "data", "mountPath": "/a", "subPath": "a"}, {"name": "data", "mountPath": "/b"}],
        "securityContext": {"runAsUser": 1, "seccompProfile": {"type": "Localhost", "localhostProfile": "a"}},
    });
    let sent = json!({
        "name": "web",
        "env": [{"name": "A", "value": "2"}],
        "livenessProbe": {"exec": {"command": ["true"]}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "resources": {"requests": {"cpu": "2"}},
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": "data", "mountPath": "/a", "subPathExpr": "$(A)"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    });
    let result = json!({
        "name": "web",
        "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}],
        "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 5},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "resources": {"requests": {"cpu": "2"}},
        "ports": [{"containerPort": 90, "protocol": "TCP"}, {"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": "data", "mountPath": "/a", "subPathExpr": "$(A)"}, {"name": "data", "mountPath": "/b"}],
        "securityContext": {"runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
    });
    let (found, _) = onto(
        DEPLOYMENT,
        containers(&json!([live])),
        containers(&json!([sent])),
        None,
    );
    assert_eq!(found, containers(&json!([result])));
}

#[test]
fn what_belongs_together_elsewhere_is_taken_from_one_side() {
    let spec = |spec: Value| json!({"spec": spec});
    let template = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
    let by_service = json!({"service": {"namespace": "a", "name": "b"}, "caBundle": "live"});
    for (kind, live, sent) in [
        (
            DEPLOYMENT,
            spec(json!({"strategy": rolling})),
            spec(json!({"strategy": {"type": "Recreate"}})),
        ),
        (
            STATEFUL_SET,
            spec(json!({"updateStrategy": rolling})),
            spec(json!({"updateStrategy": {"type": "OnDelete"}})),
        ),
        (
            DEPLOYMENT,
            template(json!({"nodeSelector": {"disk": "fast"}})),
            template(json!({"nodeSelector": {"zone": "a"}})),
        ),
        (
            DEPLOYMENT,
            template(json!({"volumes": [{"name": "a", "emptyDir": {}}]})),
            template(json!({"volumes": [{"name": "a", "configMap": {"name": "a"}}]})),
        ),
        (
            BUDGET,
            spec(json!({"minAvailable": 1})),
            spec(json!({"maxUnavailable": 1})),
        ),
        (
            BUDGET,
            spec(json!({"selector": {"matchLabels": {"a": "b"}}})),
            spec(json!({"selector": {"matchLabels": {"c": "d"}}})),
        ),
        (
            SERVICE,
            spec(
                json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}),
            ),
            spec(json!({"sessionAffinity": "None"})),
        ),
        (
            SERVICE,
            spec(json!({"selector": {"a": "b"}})),
            spec(json!({"selector": {"c": "d"}})),
        ),
        (
            CONFIG_MAP,
            json!({"data": {"a": "b"}}),
            json!({"data": {}, "binaryData": {"a": "AA=="}}),
        ),
        (
            WEBHOOKS,
            json!({"webhooks": [{"name": "a", "clientConfig": by_service}]}),
            json!({"webhooks": [{"name": "a", "clientConfig": {"url": "https://a", "caBundle": "live"}}]}),
        ),
    ] {
        check(kind, live, sent.clone(), &sent, &[]);
    }
}

#[test]
fn custom_kinds_are_merged_by_their_schema_and_unknown_ones_without() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"disks": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "string"}}},
    }}}}});
    let definition = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
    let custom = CustomKind::read(&definition, "v1").unwrap();
    let kind = ("databases", "example.com/v1", "Database");
    let live = || json!({"spec": {"disks": [{"name": "a", "size": "1"}, {"name": "b"}], "mode": {"x": 1}}, "status": {"y": 1}});
    let sent = || json!({"spec": {"disks": [{"name": "a"}], "mode": {"z": 1}}});
    let (merged, _) = onto(kind, live(), sent(), Some(&custom));
    let mode = json!({"x": 1, "z": 1});
    let disks = json!([{"name": "a", "size": "1"}, {"name": "b"}]);
    assert_eq!(
        merged,
        json!({"spec": {"disks": disks, "mode": mode}, "status": {"y": 1}})
    );
    let (merged, said) = onto(kind, live(), sent(), None);
    assert_eq!(
        merged,
        json!({"spec": {"disks": [{"name": "a"}], "mode": mode}, "status": {"y": 1}})
    );
    assert!(
        said.iter().all(|field| field.ends_with(Reason::LeftOut.name())),
        "{said:?}"
    );
}

#[test]
fn the_status_of_built_in_kinds_and_the_servers_metadata_are_left_as_sent() {
    let live = json!({"metadata": {"uid": "live", "resourceVersion": "7", "managedFields": [{}]}, "status": {"a": 1}});
    let sent = json!({"metadata": {"uid": "sent"}, "status": {"b": 1}});
    check(DEPLOYMENT, live, sent.clone(), &sent, &[]);
}
