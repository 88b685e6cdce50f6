//! Configuration, identity, and what extends the API.

use anyhow::Result;
use k8s_openapi::ByteString;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::row::{Row, extended, set, unset};

const FIXED: &str = "field is immutable";

pub(super) fn rows() -> Result<Vec<Row>> {
    let mut rows: Vec<_> = [configuration(), cluster(), rights(), admission(), devices()]
        .into_iter()
        .flatten()
        .collect();
    rows.push(signing_request()?);
    Ok(rows)
}

fn named(api_version: &str, kind: &str, rest: &Value) -> Value {
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "mutability" } });
    if rest["immutable"] == true {
        object["metadata"]["name"] = json!("mutability-fixed");
    }
    extended(object, "", rest)
}

fn configuration() -> Vec<Row> {
    const WHEN_IMMUTABLE: &str = "field is immutable when `immutable` is set";
    let event = json!({
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "action": "Try",
        "reason": "Tried",
        "type": "Normal",
        "note": "a",
        "reportingController": "example.com/a",
        "reportingInstance": "a",
    });
    vec![
        Row::of(named("v1", "ConfigMap", &json!({ "data": { "a": "b" } })))
            .accepts(json!([
                set("/data/a", "c"),
                set("/binaryData", json!({ "b": "AA==" }))
            ]))
            .accepts(json!([set("/immutable", true)])),
        Row::of(named(
            "v1",
            "ConfigMap",
            &json!({ "data": { "a": "b" }, "immutable": true }),
        ))
        .refuses(json!([set("/data/a", "c")]), WHEN_IMMUTABLE)
        .refuses(
            json!([set("/binaryData", json!({ "b": "AA==" }))]),
            WHEN_IMMUTABLE,
        )
        .refuses(json!([set("/immutable", false)]), WHEN_IMMUTABLE)
        .accepts(json!([set("/metadata/labels", json!({ "a": "b" }))])),
        Row::of(named("v1", "Secret", &json!({ "data": { "a": "AA==" } })))
            .refuses(json!([set("/type", "example.com/other")]), FIXED)
            .accepts(json!([set("/data/a", "AAA=")]))
            .accepts(json!([set("/immutable", true)])),
        Row::of(named(
            "v1",
            "Secret",
            &json!({ "data": { "a": "AA==" }, "immutable": true }),
        ))
        .refuses(json!([set("/data/a", "AAA=")]), WHEN_IMMUTABLE)
        .refuses(json!([set("/stringData", json!({ "b": "c" }))]), WHEN_IMMUTABLE)
        .refuses(json!([unset("/immutable")]), WHEN_IMMUTABLE),
        Row::of(named("v1", "ServiceAccount", &json!({})))
            .accepts(json!([
                set("/secrets", json!([{ "name": "a" }])),
                set("/imagePullSecrets", json!([{ "name": "a" }]))
            ]))
            .accepts(json!([set("/automountServiceAccountToken", false)])),
        Row::of(named(
            "v1",
            "ResourceQuota",
            &json!({ "spec": { "hard": { "pods": "1000" }, "scopes": ["BestEffort"] } }),
        ))
        .refuses(json!([set("/spec/scopes/0", "NotBestEffort")]), FIXED)
        .accepts(json!([set("/spec/hard/pods", "2000")])),
        Row::of(named(
            "v1",
            "LimitRange",
            &json!({ "spec": { "limits": [{ "type": "Pod", "max": { "cpu": "1k" } }] } }),
        ))
        .accepts(json!([set("/spec/limits/0/max/cpu", "2k")])),
        Row::of(named(
            "coordination.k8s.io/v1",
            "Lease",
            &json!({ "spec": { "holderIdentity": "a" } }),
        ))
        .accepts(json!([set("/spec/holderIdentity", "b")])),
        Row::in_default(named("events.k8s.io/v1", "Event", &event))
            .refuses(json!([set("/note", "b")]), FIXED)
            .refuses(json!([set("/reason", "Other")]), FIXED)
            .refuses(
                json!([set("/regarding", json!({ "kind": "Pod", "name": "a" }))]),
                "",
            )
            .accepts(json!([set(
                "/series",
                json!({ "count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z" })
            )])),
    ]
}

fn cluster() -> Vec<Row> {
    vec![
        Row::cluster_wide(named("v1", "Namespace", &json!({})))
            .accepts(json!([set("/spec/finalizers/-", "example.com/a")]))
            .accepts(json!([set("/metadata/labels/a", "b")])),
        Row::cluster_wide(named("v1", "Node", &json!({})))
            .accepts(json!([
                set("/spec/providerID", "example://a"),
                set("/spec/unschedulable", true)
            ]))
            .accepts(json!([
                set("/spec/podCIDR", "10.99.0.0/24"),
                set("/spec/podCIDRs", json!(["10.99.0.0/24"]))
            ])),
        Row::cluster_wide(json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": "mutability-set" },
            "spec": { "providerID": "example://a", "podCIDR": "10.98.0.0/24", "podCIDRs": ["10.98.0.0/24"] },
        }))
        .refuses(json!([set("/spec/providerID", "example://b")]), "may not")
        .refuses(
            json!([
                set("/spec/podCIDR", "10.97.0.0/24"),
                set("/spec/podCIDRs/0", "10.97.0.0/24")
            ]),
            "may not",
        ),
        Row::cluster_wide(named(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            &json!({ "value": 1 }),
        ))
        .refuses(json!([set("/value", 2)]), "may not be changed")
        .refuses(json!([set("/preemptionPolicy", "Never")]), FIXED)
        .accepts(json!([set("/description", "a")])),
        Row::cluster_wide(named(
            "node.k8s.io/v1",
            "RuntimeClass",
            &json!({ "handler": "a" }),
        ))
        .refuses(json!([set("/handler", "b")]), FIXED)
        .accepts(json!([set("/overhead", json!({ "podFixed": { "cpu": "1m" } }))])),
    ]
}

fn rights() -> Vec<Row> {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let binding = |kind: &str| {
        named(
            RBAC,
            kind,
            &json!({
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "a" }],
            }),
        )
    };
    let rules = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }]);
    vec![
        Row::of(named(RBAC, "Role", &json!({ "rules": rules })))
            .accepts(json!([set("/rules/0/verbs/-", "list")])),
        Row::cluster_wide(named(RBAC, "ClusterRole", &json!({ "rules": rules })))
            .accepts(json!([set("/rules/0/verbs/-", "list")])),
        Row::of(binding("RoleBinding"))
            .refuses(json!([set("/roleRef/name", "edit")]), "cannot change roleRef")
            .accepts(json!([set("/subjects/0/name", "b")])),
        Row::cluster_wide(binding("ClusterRoleBinding"))
            .refuses(json!([set("/roleRef/name", "edit")]), "cannot change roleRef")
            .accepts(json!([set("/subjects/0/name", "b")])),
    ]
}

fn admission() -> Vec<Row> {
    // It reviews nothing: no namespace has the label.
    let hook = json!({
        "name": "a.example.com",
        "clientConfig": { "url": "https://127.0.0.1:1/" },
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "namespaceSelector": { "matchLabels": { "mutability.example.com/none": "none" } },
        "rules": [{
            "apiGroups": ["none.example.com"],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["nones"],
        }],
    });
    let version = |name: &str| {
        let schema = json!({ "openAPIV3Schema": { "type": "object" } });
        json!({ "name": name, "served": true, "storage": true, "schema": schema })
    };
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.mutability.example.com" },
        "spec": {
            "group": "mutability.example.com",
            "names": { "plural": "things", "kind": "Thing" },
            "scope": "Namespaced",
            "versions": [version("v1")],
        },
    });
    let other = version("v2");
    let established = json!({ "conditions": [{ "type": "Established", "status": "True" }] });
    vec![
        Row::cluster_wide(named(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            &json!({ "webhooks": [hook] }),
        ))
        .accepts(json!([set(
            "/webhooks/0/clientConfig",
            json!({ "service": { "namespace": "a", "name": "b" } })
        ),]))
        .accepts(json!([set("/webhooks/0/failurePolicy", "Ignore")])),
        Row::cluster_wide(definition)
            .with_status(established)
            .refuses(json!([set("/spec/scope", "Cluster")]), FIXED)
            .refuses(json!([set("/spec/names/kind", "Other")]), FIXED)
            .refuses(json!([set("/spec/names/plural", "others")]), "")
            .refuses(json!([set("/spec/group", "other.example.com")]), "")
            .refuses(json!([set("/spec/versions", json!([other]))]), "storedVersions")
            .refuses(json!([set("/spec/preserveUnknownFields", true)]), "")
            .accepts(json!([
                set("/spec/versions/0/storage", false),
                set("/spec/versions/-", other)
            ]))
            .accepts(json!([set("/spec/names/shortNames", json!(["tg"]))])),
        Row::there(json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": { "name": "v1.apps" },
        }))
        .refuses(json!([set("/spec/group", "other")]), "")
        .refuses(json!([set("/spec/version", "v2")]), "")
        .accepts(json!([set("/spec/versionPriority", 14)])),
        Row::there(json!({
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
            "kind": "FlowSchema",
            "metadata": { "name": "catch-all" },
        }))
        .refuses(json!([set("/spec/matchingPrecedence", 9999)]), ""),
        Row::there(json!({
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
            "kind": "PriorityLevelConfiguration",
            "metadata": { "name": "catch-all" },
        }))
        .refuses(json!([set("/spec/limited/nominalConcurrencyShares", 6)]), ""),
    ]
}

fn devices() -> Vec<Row> {
    const GROUP: &str = "resource.k8s.io/v1";
    let request = |count: i64| {
        let exactly = json!({ "deviceClassName": "a", "allocationMode": "ExactCount", "count": count });
        json!({ "devices": { "requests": [{ "name": "a", "exactly": exactly }] } })
    };
    vec![
        Row::of(named(GROUP, "ResourceClaim", &json!({ "spec": request(1) })))
            .refuses(json!([set("/spec", request(2))]), FIXED),
        Row::of(named(
            GROUP,
            "ResourceClaimTemplate",
            &json!({ "spec": { "spec": request(1) } }),
        ))
        .refuses(json!([set("/spec/spec", request(2))]), FIXED),
        Row::cluster_wide(named(GROUP, "DeviceClass", &json!({ "spec": {} }))).accepts(json!([set(
            "/spec/selectors",
            json!([{ "cel": { "expression": "true" } }])
        )])),
        Row::cluster_wide(named(
            GROUP,
            "ResourceSlice",
            &json!({ "spec": {
                "driver": "example.com",
                "nodeName": "a",
                "pool": { "name": "a", "generation": 1, "resourceSliceCount": 1 },
            }}),
        ))
        .refuses(json!([set("/spec/driver", "example.org")]), FIXED)
        .refuses(json!([set("/spec/pool/name", "b")]), FIXED)
        .refuses(json!([set("/spec/nodeName", "b")]), FIXED)
        .accepts(json!([set("/spec/pool/generation", 2)])),
    ]
}

fn signing_request() -> Result<Row> {
    let key = KeyPair::generate()?;
    let request = CertificateParams::default().serialize_request(&key)?.pem()?;
    let spec = json!({
        "request": ByteString(request.into_bytes()),
        "signerName": "example.com/a",
        "usages": ["client auth"],
    });
    let object = named(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        &json!({ "spec": spec }),
    );
    Ok(Row::cluster_wide(object)
        .ignores(json!([set("/spec/signerName", "example.com/b")]))
        .ignores(json!([set("/spec/usages", json!(["server auth"]))])))
}
