//! Strategic merge patches, row by row: what the API server does with the same object and patch. That it does so
//! is asked of a real one by the scenarios.
//!
//! - `lists`: lists and their order
//! - `custom`: kinds that no API server merges strategically
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod custom;
mod lists;

use clusterbackup_core::patch::Draft;
use clusterbackup_core::patch::strategic::{Fault, Metadata, StrategicError, apply};
use clusterbackup_core::schema;
use serde_json::{Value, json};

/// Merges, and checks on the way that the operations alone do the same.
fn merged(kind: &str, object: Value, patch: &Value) -> Result<Value, StrategicError> {
    let place = schema::built_in_kinds()
        .find(|known| known.kind == kind)
        .unwrap()
        .root();
    merged_by(Metadata::BuiltIn(place), object, patch)
}

fn merged_by(metadata: Metadata<'_>, object: Value, patch: &Value) -> Result<Value, StrategicError> {
    let mut replayed = object.clone();
    let mut draft = Draft::new(object);
    apply(patch.as_object().unwrap(), &mut draft, metadata)?;
    let replay = json_patch::patch(&mut replayed, draft.operations());
    assert!(replay.is_ok(), "{replay:?} of {patch}");
    assert_eq!(&replayed, draft.value(), "the operations of {patch}");
    Ok(draft.into_parts().0)
}

/// In the specification of a pod.
fn check_pod(rows: &[(Value, Value, Value)]) {
    for (spec, patch, expected) in rows {
        let pod = json!({"metadata": {"name": "x"}, "spec": spec});
        let result = merged("Pod", pod, &json!({"spec": patch}));
        let result = result.map(|pod| pod["spec"].clone());
        assert_eq!(result.as_ref(), Ok(expected), "{patch} on {spec}");
    }
}

fn faults(rows: &[(&str, Value, Value, &str, Fault)]) {
    for (kind, object, patch, path, fault) in rows {
        let error = merged(kind, object.clone(), patch).expect_err(&format!("{patch} on {object}"));
        assert_eq!(
            (error.path.as_str(), &error.fault),
            (*path, fault),
            "{patch} on {object}"
        );
    }
}

#[test]
fn objects_are_merged() {
    check_pod(&[
        (
            json!({"nodeName": "a"}),
            json!({"nodeName": "b"}),
            json!({"nodeName": "b"}),
        ),
        (
            json!({"nodeName": "a"}),
            json!({"nodeName": null, "hostname": null}),
            json!({}),
        ),
        (
            json!({"dnsConfig": {"options": []}}),
            json!({"dnsConfig": {"searches": ["x"]}}),
            json!({"dnsConfig": {"options": [], "searches": ["x"]}}),
        ),
        // New values lose their nulls, at every depth, and what carries a directive; elements stay null.
        (
            json!({}),
            json!({"dnsConfig": {"searches": null, "options": [{"name": "a", "value": null}]}}),
            json!({"dnsConfig": {"options": [{"name": "a"}]}}),
        ),
        (
            json!({}),
            json!({"securityContext": {"$patch": "replace", "runAsUser": 1}}),
            json!({}),
        ),
        (
            json!({"securityContext": null}),
            json!({"securityContext": {"$patch": "delete"}}),
            json!({}),
        ),
        (
            json!({}),
            json!({"securityContext": {"$retainKeys": ["runAsUser"], "runAsUser": 1}}),
            json!({"securityContext": {"runAsUser": 1}}),
        ),
        (
            json!({"nodeSelector": {"a": "b"}}),
            json!({"nodeSelector": {"c": "d"}}),
            json!({"nodeSelector": {"a": "b", "c": "d"}}),
        ),
    ]);
}

#[test]
fn directives_of_objects() {
    check_pod(&[
        (
            json!({"securityContext": {"runAsUser": 1, "fsGroup": 2}}),
            json!({"securityContext": {"$patch": "replace", "fsGroup": 3, "runAsGroup": null}}),
            json!({"securityContext": {"fsGroup": 3, "runAsGroup": null}}),
        ),
        (
            json!({"securityContext": {"runAsUser": 1}}),
            json!({"securityContext": {"$patch": "delete"}}),
            json!({"securityContext": {}}),
        ),
        (
            json!({"securityContext": {"runAsUser": 1, "fsGroup": 2}}),
            json!({"securityContext": {"$retainKeys": ["fsGroup"]}}),
            json!({"securityContext": {"fsGroup": 2}}),
        ),
        (
            json!({"securityContext": {"runAsUser": 1, "fsGroup": 2}}),
            json!({"securityContext": {"$retainKeys": ["runAsGroup"], "runAsGroup": 3, "fsGroup": null}}),
            json!({"securityContext": {"runAsGroup": 3}}),
        ),
        (
            json!({"securityContext": {"runAsUser": 1}}),
            json!({"securityContext": {"$retainKeys": []}}),
            json!({"securityContext": {}}),
        ),
    ]);
    faults(&[
        (
            "Pod",
            json!({"spec": {"securityContext": {}}}),
            json!({"spec": {"securityContext": {"$patch": "merge"}}}),
            "/spec/securityContext",
            Fault::BadPatchDirective,
        ),
        (
            "Pod",
            json!({"spec": {}}),
            json!({"spec": {"$patch": 1}}),
            "/spec",
            Fault::BadPatchDirective,
        ),
        (
            "Pod",
            json!({"spec": {}}),
            json!({"spec": {"$retainKeys": "a"}}),
            "/spec",
            Fault::RetainKeys,
        ),
        (
            "Pod",
            json!({"spec": {}}),
            json!({"spec": {"$retainKeys": ["a"], "nodeName": "b"}}),
            "/spec",
            Fault::RetainKeys,
        ),
    ]);
}

#[test]
fn what_nobody_knows_how_to_merge_is_refused() {
    faults(&[
        (
            "Pod",
            json!({"spec": {"x": {"y": 1}}}),
            json!({"spec": {"x": {"y": 2}}}),
            "/spec/x",
            Fault::UnknownField,
        ),
        (
            "Pod",
            json!({"spec": {"x": [1]}}),
            json!({"spec": {"x": [2]}}),
            "/spec/x",
            Fault::UnknownField,
        ),
        (
            "Pod",
            json!({"spec": {}}),
            json!({"spec": {"$setElementOrder/x": []}}),
            "/spec/x",
            Fault::UnknownField,
        ),
        (
            "ControllerRevision",
            json!({"data": {"spec": {"a": 1}}}),
            json!({"data": {"spec": {"a": 2}}}),
            "/data/spec",
            Fault::Opaque,
        ),
        (
            "CustomResourceDefinition",
            json!({"spec": {"versions": [], "x": 1}, "metadata": {"annotations": {"a": {}}}}),
            json!({"metadata": {"annotations": {"a": {}}}}),
            "/metadata/annotations/a",
            Fault::Opaque,
        ),
    ]);
    // Unknown fields pass where there is nothing to merge, as on the API server.
    check_pod(&[
        (json!({}), json!({"x": {"y": 1}}), json!({"x": {"y": 1}})),
        (json!({"x": 1}), json!({"x": 2}), json!({"x": 2})),
        (json!({"x": [1]}), json!({"x": {"y": 2}}), json!({"x": {"y": 2}})),
    ]);
    let revision = json!({"data": {"a": 1}});
    assert_eq!(
        merged("ControllerRevision", revision, &json!({"data": {"b": 2}})).unwrap(),
        json!({"data": {"a": 1, "b": 2}})
    );
}

#[test]
fn the_traps_are_those_of_the_api_server() {
    for (kind, object, patch, expected) in [
        // The key of a Service's ports is the number alone: TCP is lost.
        (
            "Service",
            json!({"spec": {"ports": [{"port": 53, "protocol": "TCP", "name": "t"}]}}),
            json!({"spec": {"ports": [{"port": 53, "protocol": "TCP", "name": "t"}, {"port": 53, "protocol": "UDP", "name": "u"}]}}),
            json!({"spec": {"ports": [{"port": 53, "protocol": "UDP", "name": "u"}]}}),
        ),
        // Another number is another port.
        (
            "Service",
            json!({"spec": {"ports": [{"port": 80, "name": "http"}]}}),
            json!({"spec": {"ports": [{"port": 8080, "name": "http"}]}}),
            json!({"spec": {"ports": [{"port": 8080, "name": "http"}, {"port": 80, "name": "http"}]}}),
        ),
        // A volume keeps its old source beside the new one.
        (
            "Pod",
            json!({"spec": {"volumes": [{"name": "d", "nfs": {"server": "s"}}]}}),
            json!({"spec": {"volumes": [{"name": "d", "emptyDir": {}}]}}),
            json!({"spec": {"volumes": [{"name": "d", "nfs": {"server": "s"}, "emptyDir": {}}]}}),
        ),
        (
            "Pod",
            json!({"spec": {"volumes": [{"name": "d", "nfs": {"server": "s"}}]}}),
            json!({"spec": {"volumes": [{"name": "d", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]}}),
            json!({"spec": {"volumes": [{"name": "d", "emptyDir": {}}]}}),
        ),
        (
            "Deployment",
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}}),
        ),
        (
            "Deployment",
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        ),
        (
            "StatefulSet",
            json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "a"}}]}}),
            json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "b"}}]}}),
            json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "b"}}]}}),
        ),
        (
            "PodDisruptionBudget",
            json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
            json!({"spec": {"selector": {"matchLabels": {"c": "d"}}}}),
            json!({"spec": {"selector": {"matchLabels": {"c": "d"}}}}),
        ),
        (
            "ServiceAccount",
            json!({"imagePullSecrets": [{"name": "a"}]}),
            json!({"imagePullSecrets": [{"name": "b"}]}),
            json!({"imagePullSecrets": [{"name": "b"}]}),
        ),
        (
            "Pod",
            json!({"spec": {"imagePullSecrets": [{"name": "a"}]}}),
            json!({"spec": {"imagePullSecrets": [{"name": "b"}]}}),
            json!({"spec": {"imagePullSecrets": [{"name": "b"}, {"name": "a"}]}}),
        ),
        (
            "Ingress",
            json!({"spec": {"rules": [{"host": "a"}]}}),
            json!({"spec": {"rules": [{"host": "b"}]}}),
            json!({"spec": {"rules": [{"host": "b"}]}}),
        ),
    ] {
        assert_eq!(
            merged(kind, object.clone(), &patch),
            Ok(expected),
            "{patch} on {object}"
        );
    }
}

#[test]
fn directives_never_get_into_the_object() {
    let patch = json!({"metadata": {"labels": {"$retainKeys": ["a"], "a": "b"}}, "spec": {
        "volumes": [{"name": "b", "$retainKeys": ["name", "emptyDir"], "emptyDir": {"$patch": "replace", "medium": "Memory"}}],
        "tolerations": [{"$patch": "replace"}, {"key": "a", "$setElementOrder/x": []}],
        "securityContext": {"$patch": "replace", "sysctls": [{"$patch": "delete", "name": "a"}]},
        "$setElementOrder/containers": [{"name": "c"}],
        "containers": [{"name": "c", "resources": {"$retainKeys": []}}],
    }});
    let object = json!({"metadata": {}, "spec": {"volumes": [{"name": "a"}], "tolerations": [], "securityContext": {}}});
    assert_eq!(
        merged("Pod", object, &patch).unwrap(),
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {
            "volumes": [{"name": "b", "emptyDir": {"medium": "Memory"}}, {"name": "a"}],
            "tolerations": [{}, {"key": "a"}],
            "securityContext": {"sysctls": [{"name": "a"}]},
            "containers": [{"name": "c", "resources": {}}],
        }})
    );
    // Where Kubernetes doesn't look inside, it is data.
    let revision = merged(
        "ControllerRevision",
        json!({}),
        &json!({"data": {"$retainKeys": ["x"]}}),
    )
    .unwrap();
    assert_eq!(revision, json!({"data": {"$retainKeys": ["x"]}}));
}

#[test]
fn only_what_differs_is_an_operation() {
    let container = |name: &str, image: &str| json!({"name": name, "image": image});
    let object = json!({"spec": {"containers": [container("a", "1"), container("b", "1"), container("c", "1")], "nodeName": "n"}});
    for (patch, expected) in [
        (
            json!({"spec": {"containers": [container("b", "2")]}}),
            json!([{"op": "replace", "path": "/spec/containers/1/image", "value": "2"}]),
        ),
        (
            json!({"spec": {"containers": [container("a", "1")], "nodeName": "n", "x": null}}),
            json!([]),
        ),
        (
            json!({"spec": {"containers": [{"name": "b", "$patch": "delete"}, container("x", "1")]}}),
            json!([{"op": "remove", "path": "/spec/containers/1"}, {"op": "add", "path": "/spec/containers/0", "value": container("x", "1")}]),
        ),
    ] {
        let mut draft = Draft::new(object.clone());
        let place = schema::built_in("v1", "Pod").unwrap();
        apply(patch.as_object().unwrap(), &mut draft, Metadata::BuiltIn(place)).unwrap();
        assert_eq!(
            serde_json::to_value(draft.operations()).unwrap(),
            expected,
            "{patch}"
        );
    }
}
