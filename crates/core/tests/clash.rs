//! What a restored object makes of the one in the cluster, kind by kind. What the API server says to the table is tried
//! in the scenarios; here is what it can't tell: what comes back, what belongs together, what is the cluster's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use clusterbackup_core::clash::{Existing, Outcome, Reason};
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::patch::Draft;
use serde_json::{Value, json};

/// A kind by its resource, group with version, and name.
type Kind = (&'static str, &'static str, &'static str);

const POD: Kind = ("pods", "v1", "Pod");
const DEPLOYMENT: Kind = ("deployments", "apps/v1", "Deployment");
const STATEFUL_SET: Kind = ("statefulsets", "apps/v1", "StatefulSet");
const JOB: Kind = ("jobs", "batch/v1", "Job");
const BUDGET: Kind = ("poddisruptionbudgets", "policy/v1", "PodDisruptionBudget");
const SERVICE: Kind = ("services", "v1", "Service");
const ENDPOINT_SLICE: Kind = ("endpointslices", "discovery.k8s.io/v1", "EndpointSlice");
const CLAIM: Kind = ("persistentvolumeclaims", "v1", "PersistentVolumeClaim");
const VOLUME: Kind = ("persistentvolumes", "v1", "PersistentVolume");
const CONFIG_MAP: Kind = ("configmaps", "v1", "ConfigMap");
const SERVICE_ACCOUNT: Kind = ("serviceaccounts", "v1", "ServiceAccount");
const CLUSTER_ROLE: Kind = ("clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole");
const WEBHOOKS: Kind = (
    "validatingwebhookconfigurations",
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
);
const DEFINITION: Kind = (
    "customresourcedefinitions",
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
);

/// The restored object onto the live one, without what tells the kind, and what is said of the fields that stay.
fn onto(kind: Kind, live: Value, sent: Value, custom: Option<&CustomKind>) -> (Value, Vec<String>) {
    let (resource, api_version, name) = kind;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let group_resource = GroupResource::new(group, resource);
    let typed = |mut object: Value| {
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(name);
        object
    };
    let live = typed(live);
    let existing = Existing::new(&group_resource, &live, custom);
    let mut draft = Draft::new(typed(sent));
    let kept = existing.add_onto(&mut draft).unwrap();
    let put_back = existing.put_back(&mut draft).unwrap();
    let said = kept.iter().chain(&put_back).map(|field| match field.outcome {
        Outcome::Kept(reason) => format!("{} {}", field.path, reason.name()),
        Outcome::Changed => panic!("{field:?} is kept"),
    });
    let said = said.collect();
    let mut result = draft.into_parts().0;
    for field in ["apiVersion", "kind"] {
        result.as_object_mut().unwrap().remove(field);
    }
    (result, said)
}

#[track_caller]
fn check(kind: Kind, live: Value, sent: Value, result: &Value, said: &[&str]) {
    let description = format!("{}: {sent} onto {live}", kind.2);
    let (found, found_said) = onto(kind, live, sent, None);
    assert_eq!(&found, result, "{description}");
    assert_eq!(found_said, said, "{description}");
}

/// The containers of a Deployment.
fn containers(containers: &Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

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
fn a_service_keeps_its_addresses_and_ports_while_its_type_has_a_use_for_them() {
    let live = json!({"spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 30001,
        "loadBalancerClass": "a",
        "ports": [{"name": "http", "port": 80, "nodePort": 30080}, {"name": "old", "port": 81, "nodePort": 30081}],
    }});
    let addresses = json!({
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    });
    let with_addresses = |mut spec: Value| {
        for (field, value) in addresses.as_object().unwrap() {
            spec[field] = value.clone();
        }
        json!({"spec": spec})
    };
    let ports = json!([{"name": "http", "port": 8080}]);
    let (as_balancer, said) = onto(
        SERVICE,
        live.clone(),
        json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.9.9.9", "clusterIPs": ["10.9.9.9"],
            "ports": [{"name": "http", "port": 8080, "nodePort": 32000}]}}),
        None,
    );
    let mut expected = live.clone();
    expected["spec"]["ports"][0]["port"] = json!(8080);
    assert_eq!(as_balancer, expected);
    for allocated in ["/spec/clusterIP", "/spec/clusterIPs", "/spec/ports/0/nodePort"] {
        assert!(said.contains(&format!("{allocated} Allocated")), "{said:?}");
    }

    let inside = json!({"spec": {"type": "ClusterIP", "ports": ports}});
    let (result, _) = onto(SERVICE, live.clone(), inside, None);
    let kept = json!({"name": "old", "port": 81, "nodePort": 30081});
    let expected = with_addresses(json!({"type": "ClusterIP", "ports": [ports[0], kept]}));
    assert_eq!(result, expected);

    let outside = json!({"spec": {"type": "ExternalName", "externalName": "a.example.com", "ports": []}});
    let (result, _) = onto(SERVICE, live, outside, None);
    for gone in [
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "ipFamilyPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
    ] {
        assert_eq!(result["spec"].get(gone), None, "{gone}");
    }
}

/// A cluster of the scenarios has one family of addresses.
#[test]
fn a_second_address_may_come_and_go_and_the_first_may_not() {
    let service = |addresses: &[&str], policy: &str| json!({"spec": {"type": "ClusterIP", "clusterIP": addresses.first(), "clusterIPs": addresses, "ipFamilyPolicy": policy}});
    let one = service(&["10.0.0.1"], "SingleStack");
    let two = service(&["10.0.0.1", "fd00::1"], "PreferDualStack");
    for (live, sent, is_taken) in [
        (&one, &two, true),
        (&two, &one, true),
        (&two, &service(&["10.0.0.1"], "PreferDualStack"), false),
        (&two, &service(&["fd00::1"], "SingleStack"), false),
        (&two, &service(&["fd00::1", "10.0.0.1"], "PreferDualStack"), false),
        (&one, &service(&["10.0.0.2"], "SingleStack"), false),
        (&one, &service(&["None"], "SingleStack"), false),
        (
            &service(&["None"], "SingleStack"),
            &service(&["None"], "PreferDualStack"),
            true,
        ),
    ] {
        let group_resource = GroupResource::new("", "services");
        let typed = |object: &Value| {
            let mut object = object.clone();
            object["apiVersion"] = json!("v1");
            object["kind"] = json!("Service");
            object
        };
        let (live, mut draft) = (typed(live), Draft::new(typed(sent)));
        let put_back = Existing::new(&group_resource, &live, None)
            .put_back(&mut draft)
            .unwrap();
        assert_eq!(put_back.is_empty(), is_taken, "{sent} onto {live}: {put_back:?}");
    }
}

#[test]
fn what_the_cluster_gave_stays_and_what_another_cluster_gave_is_dropped() {
    let meta = |metadata: Value| json!({"metadata": metadata});
    let owner = |uid: &str| meta(json!({"ownerReferences": [{"uid": uid}]}));
    let aggregated = |verb: &str| json!({"aggregationRule": {}, "rules": [{"verbs": [verb]}]});
    let managed = |address: &str| json!({"metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": "a"}}, "endpoints": [{"addresses": [address]}]});
    let revision = |number: &str| meta(json!({"annotations": {"deployment.kubernetes.io/revision": number}}));
    let bound = |by: &str| meta(json!({"annotations": {"pv.kubernetes.io/bind-completed": by}}));
    let said_meta = |name: &'static str| vec![name];
    for (kind, live, sent, result, said) in [
        (
            CONFIG_MAP,
            owner("live"),
            owner("dead"),
            owner("live"),
            said_meta("/metadata/ownerReferences Allocated"),
        ),
        (
            CONFIG_MAP,
            meta(json!({})),
            owner("dead"),
            meta(json!({})),
            said_meta("/metadata/ownerReferences Allocated"),
        ),
        (
            CONFIG_MAP,
            owner("live"),
            meta(json!({})),
            owner("live"),
            said_meta("/metadata/ownerReferences LeftOut"),
        ),
        (
            CLUSTER_ROLE,
            aggregated("live"),
            aggregated("dead"),
            aggregated("live"),
            vec!["/rules Allocated"],
        ),
        (
            ENDPOINT_SLICE,
            managed("10.0.0.1"),
            managed("10.9.9.9"),
            managed("10.0.0.1"),
            vec!["/endpoints Allocated"],
        ),
        (
            DEPLOYMENT,
            revision("5"),
            revision("2"),
            revision("5"),
            vec!["/metadata/annotations/deployment.kubernetes.io~1revision Allocated"],
        ),
        (
            CLAIM,
            meta(json!({"annotations": {}})),
            bound("yes"),
            meta(json!({"annotations": {}})),
            vec!["/metadata/annotations/pv.kubernetes.io~1bind-completed Allocated"],
        ),
        (
            SERVICE_ACCOUNT,
            json!({"secrets": [{"name": "live"}]}),
            json!({"secrets": [{"name": "dead"}]}),
            json!({"secrets": [{"name": "live"}]}),
            vec!["/secrets Allocated"],
        ),
    ] {
        check(kind, live, sent, &result, &said);
    }
    let own = json!({"endpoints": [{"addresses": ["10.9.9.9"]}]});
    let other = json!({"endpoints": [{"addresses": ["10.0.0.1"]}]});
    check(ENDPOINT_SLICE, other, own.clone(), &own, &[]);
    let role = |verb: &str| json!({"rules": [{"verbs": [verb]}]});
    check(CLUSTER_ROLE, role("live"), role("sent"), &role("sent"), &[]);
}

#[test]
fn a_volume_keeps_the_uid_of_its_claim_only_while_it_is_for_the_same_claim() {
    let claimed = |claim: Value| json!({"spec": {"claimRef": claim}});
    let live =
        || claimed(json!({"namespace": "shop", "name": "data", "uid": "live", "resourceVersion": "7"}));
    for (sent, result) in [
        (
            json!({"namespace": "shop", "name": "data", "uid": "dead"}),
            json!({"namespace": "shop", "name": "data", "uid": "live", "resourceVersion": "7"}),
        ),
        (
            json!({"namespace": "shop", "name": "other", "uid": "dead"}),
            json!({"namespace": "shop", "name": "other"}),
        ),
    ] {
        let (found, _) = onto(VOLUME, live(), claimed(sent), None);
        assert_eq!(found, claimed(result));
    }
    let (found, _) = onto(VOLUME, live(), json!({"spec": {}}), None);
    assert_eq!(found, live());
}

#[test]
fn finalizers_are_united_and_none_comes_while_the_object_is_being_deleted() {
    let object = |finalizers: Value, deleted: Option<&str>| json!({"metadata": {"finalizers": finalizers, "deletionTimestamp": deleted}});
    let sent = object(json!(["b/b", "c/c"]), None);
    let (united, _) = onto(
        CONFIG_MAP,
        object(json!(["a/a", "b/b"]), None),
        sent.clone(),
        None,
    );
    assert_eq!(united["metadata"]["finalizers"], json!(["a/a", "b/b", "c/c"]));
    let (frozen, said) = onto(CONFIG_MAP, object(json!(["a/a", "b/b"]), Some("now")), sent, None);
    assert_eq!(frozen["metadata"]["finalizers"], json!(["a/a", "b/b"]));
    assert!(
        said.contains(&"/metadata/finalizers/2 Immutable".to_owned()),
        "{said:?}"
    );
}

#[test]
fn the_status_of_built_in_kinds_and_the_servers_metadata_are_left_as_sent() {
    let live = json!({"metadata": {"uid": "live", "resourceVersion": "7", "managedFields": [{}]}, "status": {"a": 1}});
    let sent = json!({"metadata": {"uid": "sent"}, "status": {"b": 1}});
    check(DEPLOYMENT, live, sent.clone(), &sent, &[]);
}

#[test]
fn a_pod_changes_by_its_images_alone() {
    let pod = |image: &str, command: &str| {
        json!({"spec": {"nodeName": "n1", "containers": [
            {"name": "web", "image": image, "command": [command]},
            {"name": "proxy", "image": "p:1"},
        ]}})
    };
    let mut sent = pod("w:0", "other");
    sent["spec"].as_object_mut().unwrap().remove("nodeName");
    sent["spec"]["containers"].as_array_mut().unwrap().swap(0, 1);
    sent["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "new", "image": "n:0"}));
    check(
        POD,
        pod("w:1", "run"),
        sent,
        &pod("w:0", "run"),
        &[
            "/spec/nodeName LeftOut",
            "/spec/containers/0/command Immutable",
            "/spec/containers/2 Immutable",
        ],
    );
    let grace = |seconds: i64| json!({"spec": {"terminationGracePeriodSeconds": seconds}});
    check(POD, grace(-1), grace(1), &grace(1), &[]);
    check(
        POD,
        grace(-1),
        grace(5),
        &grace(-1),
        &["/spec/terminationGracePeriodSeconds Immutable"],
    );
}

#[test]
fn the_labels_of_a_job_that_hold_its_uid_stay() {
    let job = |uid: &str, tier: &str| {
        let labels = json!({"batch.kubernetes.io/controller-uid": uid, "tier": tier});
        json!({"metadata": {"labels": labels}, "spec": {
            "suspend": true,
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
            "template": {"metadata": {"labels": labels}},
        }})
    };
    let (result, _) = onto(JOB, job("live", "a"), job("dead", "b"), None);
    assert_eq!(result, job("live", "b"));
}

#[test]
fn a_version_of_which_objects_are_stored_does_not_go() {
    let definition = |versions: &[&str], stored: &[&str]| {
        let versions: Vec<_> = versions.iter().map(|name| json!({"name": name})).collect();
        json!({"spec": {"versions": versions}, "status": {"storedVersions": stored}})
    };
    let versions = |live: &[&str], sent: &[&str], stored: &[&str]| {
        let (result, said) = onto(DEFINITION, definition(live, stored), definition(sent, &[]), None);
        let names: Vec<_> = result["spec"]["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|version| version["name"].clone())
            .collect();
        (json!(names), said)
    };
    assert_eq!(
        versions(&["v1", "v2"], &["v2"], &["v2"]),
        (json!(["v2"]), Vec::new())
    );
    assert_eq!(
        versions(&["v1", "v2"], &["v2"], &["v1", "v2"]),
        (json!(["v1", "v2"]), vec!["/spec/versions Immutable".to_owned()])
    );
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
