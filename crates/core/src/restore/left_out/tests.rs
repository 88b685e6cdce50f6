//! What is left out, and what looks alike and is not.

mod rows;

use serde_json::json;

use super::super::sample::{id, kind, prepared, terms};
use super::super::{Prepared, Snapshot, Volumes, prepare};
use super::*;
use crate::selection::Name;
use crate::yaml;
use rows::{ENDPOINTS, MADE, OF_NO_CLUSTER, OVER, Row};

fn reason_of(prepared: &Prepared) -> Option<LeftOut> {
    match prepared {
        Prepared::LeftOut(reason) => Some(*reason),
        Prepared::Create(_) | Prepared::WithoutData(_) => None,
    }
}

/// Named as people name it, with what it says beside its place.
fn object(place: &str, content: Value) -> Value {
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    let mut object = content;
    object["metadata"]["name"] = name.into();
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn check(rows: &[Row]) {
    for (text, place, content, expected) in rows {
        let content = yaml::to_json_documents(content).unwrap().remove(0);
        let reason = reason_of(&prepared(text, object(place, content.clone()), &[]));
        assert_eq!(reason, *expected, "{text} {place} {content}");
    }
}

#[test]
fn what_is_of_one_cluster_and_one_time_is_left_out() {
    check(OF_NO_CLUSTER);
}

#[test]
fn what_every_cluster_makes_by_itself_is_left_out_and_what_looks_alike_is_not() {
    check(MADE);
}

#[test]
fn what_has_ended_or_is_run_by_a_node_is_left_out() {
    check(OVER);
}

#[test]
fn endpoints_that_a_controller_writes_are_left_out() {
    check(ENDPOINTS);
}

#[test]
fn what_has_no_name_is_no_object() {
    for value in [
        json!(null),
        json!([]),
        json!({}),
        json!({"metadata": {"name": ""}}),
        json!({"metadata": {"name": 7}}),
    ] {
        assert_eq!(
            reason_of(&prepared("pods", value.clone(), &[])),
            Some(LeftOut::Unreadable),
            "{value}"
        );
    }
}

/// An object of `shop` that something made.
fn made(name: &str, by: (&str, &str, &str)) -> Value {
    let owner = json!({"apiVersion": by.0, "kind": by.1, "name": by.2, "uid": "u", "controller": true});
    object(
        &format!("shop/{name}"),
        json!({"metadata": {"ownerReferences": [owner]}}),
    )
}

#[test]
fn what_a_restored_controller_makes_anew_is_left_out_and_what_may_hold_data_is_not() {
    let set = ("apps/v1", "ReplicaSet", "web-1");
    let deployment = ("apps/v1", "Deployment", "web");
    let database = ("example.com/v1", "Database", "db");
    let mut survey = Survey::default();
    for (kind, name) in [
        ("replicasets.apps", "shop/web-1"),
        ("deployments.apps", "shop/web"),
        ("cronjobs.batch", "shop/nightly"),
        ("databases.example.com", "shop/db"),
        ("pods", "shop/claims"),
    ] {
        survey.choose(id(kind, name));
    }
    let anew = Some(LeftOut::ControlledByRestored);
    for (text, owner, expected) in [
        ("pods", set, anew),
        ("replicasets.apps", deployment, anew),
        ("jobs.batch", ("batch/v1", "CronJob", "nightly"), anew),
        ("resourceclaims.resource.k8s.io", ("v1", "Pod", "claims"), anew),
        ("pods", database, anew),
        ("pods", ("apps/v1", "ReplicaSet", "gone"), None),
        ("pods", ("other/v1", "ReplicaSet", "web-1"), None),
        ("persistentvolumeclaims", database, None),
        ("secrets", database, None),
        ("statefulsets.apps", database, None),
    ] {
        let prepared = prepare(made("a", owner), &kind(text), &terms(&[]), &survey);
        assert_eq!(reason_of(&prepared), expected, "{text} by {owner:?}");
    }
}

#[test]
fn a_claim_that_its_pod_makes_is_left_out_and_one_of_a_shrinking_set_is_not() {
    for (name, owner, expected) in [
        (
            "web-1-cache",
            ("v1", "Pod", "web-1"),
            Some(LeftOut::EphemeralClaim),
        ),
        ("cache-web-1", ("v1", "Pod", "web-1"), None),
        ("web-10-cache", ("v1", "Pod", "web-1"), None),
        ("web-1-cache", ("apps/v1", "StatefulSet", "web-1"), None),
    ] {
        let claim = made(name, owner);
        let prepared = prepared("persistentvolumeclaims", claim, &[]);
        assert_eq!(reason_of(&prepared), expected, "{name} by {owner:?}");
    }
}

#[test]
fn endpoints_of_a_service_that_selects_pods_are_left_out() {
    let mut survey = Survey::default();
    for (name, spec) in [
        ("selecting", json!({"selector": {"app": "web"}})),
        ("outside", json!({"selector": {}})),
        (
            "elsewhere",
            json!({"selector": {"app": "web"}, "type": "ExternalName"}),
        ),
    ] {
        survey.note(&id("services", &format!("shop/{name}")), &json!({"spec": spec}));
    }
    for (place, expected) in [
        ("shop/selecting", Some(LeftOut::ServedEndpoints)),
        ("bank/selecting", None),
        ("shop/outside", None),
        ("shop/elsewhere", None),
    ] {
        let endpoints = object(place, json!({"subsets": []}));
        let prepared = prepare(endpoints, &kind("endpoints"), &terms(&[]), &survey);
        assert_eq!(reason_of(&prepared), expected, "{place}");
    }
}

#[test]
fn a_volume_comes_back_as_it_is_where_only_that_keeps_what_it_holds() {
    let volume = |policy: &str, provisioned: bool| {
        let annotations = if provisioned {
            json!({"pv.kubernetes.io/provisioned-by": "csi"})
        } else {
            json!({})
        };
        let spec = json!({"persistentVolumeReclaimPolicy": policy, "claimRef": {"namespace": "shop", "name": "data"}});
        object(
            "pv-1",
            json!({"metadata": {"annotations": annotations}, "spec": spec}),
        )
    };
    let snapshot = Snapshot {
        driver: "csi".to_owned(),
        handle: "h".to_owned(),
        size_bytes: None,
        class: None,
    };
    let of = |claim: &str| Volumes::With([(Name::new("shop", claim), Ok(snapshot.clone()))].into());
    for (policy, provisioned, volumes, expected) in [
        ("Retain", false, Volumes::Without, None),
        ("Retain", false, of("other"), None),
        ("Retain", true, of("other"), None),
        ("Retain", true, Volumes::Without, Some(LeftOut::Provisioned)),
        ("Retain", true, of("data"), Some(LeftOut::FromSnapshot)),
        ("Delete", true, of("data"), Some(LeftOut::FromSnapshot)),
        ("Delete", true, of("other"), Some(LeftOut::Provisioned)),
        ("Delete", false, Volumes::Without, Some(LeftOut::Provisioned)),
    ] {
        let terms = Terms {
            volumes: volumes.clone(),
            ..terms(&[])
        };
        let prepared = prepare(
            volume(policy, provisioned),
            &kind("persistentvolumes"),
            &terms,
            &Survey::default(),
        );
        assert_eq!(
            reason_of(&prepared),
            expected,
            "{policy} {provisioned} {volumes:?}"
        );
    }
}

#[test]
fn of_namespaces_that_become_one_only_one_is_created() {
    let mut survey = Survey::default();
    for name in ["shop", "till", "bank"] {
        survey.choose(id("namespaces", name));
    }
    let terms = terms(&[("shop", "all"), ("till", "all")]);
    for (name, expected) in [
        ("shop", None),
        ("till", Some(LeftOut::MergedNamespace)),
        ("bank", None),
    ] {
        let prepared = prepare(object(name, json!({})), &kind("namespaces"), &terms, &survey);
        assert_eq!(reason_of(&prepared), expected, "{name}");
    }
}
