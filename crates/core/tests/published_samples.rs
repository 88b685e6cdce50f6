//! The samples of rules that AKS Backup's documentation shows work as they stand there.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use clusterbackup_core::modifier::{Rename, RuleOutcome, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use serde_json::{Value, json};

/// What the rules make of an object.
fn apply(rules: &str, group_resource: (&str, &str), namespace: &str, object: &Value) -> Value {
    let rules = RuleSet::parse(rules).expect("the sample is valid");
    let group_resource = GroupResource::new(group_resource.0, group_resource.1);
    let name = object["metadata"]["name"].as_str().expect("objects have names");
    let target = Target {
        group_resource: &group_resource,
        name: ObjectName::Exact(name),
        original_namespace: Some(namespace),
    };
    let selection = rules.select(&target, object);
    let mut draft = Draft::new(object.clone());
    for result in rules.apply(&selection, &mut draft, &Rename::Allowed.into()) {
        assert!(!matches!(result.outcome, RuleOutcome::Failed(_)), "{result:?}");
    }
    draft.into_parts().0
}

fn claim(name: &str, labels: &Value, class: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "labels": labels},
           "spec": {"storageClassName": class}})
}

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": "nginx"}},
           "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}}})
}

const CLAIMS: (&str, &str) = ("", "persistentvolumeclaims");
const DEPLOYMENTS: (&str, &str) = ("apps", "deployments");

#[test]
fn a_claim_gets_another_class_and_loses_a_label() {
    let rules = include_str!("published/class-and-label.yaml");
    let labels = json!({"foo": "bar", "test": "x"});
    let before = claim("mysql-0", &labels, "standard");
    assert_eq!(
        apply(rules, CLAIMS, "bar", &before),
        claim("mysql-0", &json!({"foo": "bar"}), "premium")
    );
    for (namespace, object) in [
        ("other", before),
        ("bar", claim("my-mysql", &labels, "standard")),
        (
            "bar",
            claim("mysql-0", &json!({"foo": "x", "test": "x"}), "standard"),
        ),
    ] {
        assert_eq!(apply(rules, CLAIMS, namespace, &object), object);
    }
}

#[test]
fn add_inserts_a_container_from_quoted_json() {
    let rules = include_str!("published/add.yaml");
    let after = apply(rules, DEPLOYMENTS, "foo", &deployment("test-1"));
    let containers = json!([
        {"name": "nginx", "image": "nginx:1.14.2", "ports": [{"containerPort": 80}]},
        {"name": "web", "image": "web:1"},
    ]);
    assert_eq!(after["spec"]["template"]["spec"]["containers"], containers);
}

#[test]
fn remove_takes_a_label_away() {
    let rules = include_str!("published/remove.yaml");
    let before = claim("mysql", &json!({"foo": "bar", "test": "x"}), "standard");
    assert_eq!(
        apply(rules, CLAIMS, "foo", &before),
        claim("mysql", &json!({"foo": "bar"}), "standard")
    );
}

#[test]
fn replace_gives_another_class() {
    let rules = include_str!("published/replace.yaml");
    let labels = json!({"foo": "bar"});
    let after = apply(rules, CLAIMS, "foo", &claim("mysql", &labels, "standard"));
    assert_eq!(after, claim("mysql", &labels, "premium"));
}

#[test]
fn copy_doubles_a_container() {
    let rules = include_str!("published/copy.yaml");
    let after = apply(rules, DEPLOYMENTS, "bar", &deployment("test-1"));
    let container = json!({"name": "web", "image": "web:1"});
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"],
        json!([container, container])
    );
}

#[test]
fn test_guards_a_replace() {
    let rules = include_str!("published/test.yaml");
    let labels = json!({});
    for (before, after) in [("premium", "standard"), ("other", "other")] {
        let object = apply(rules, CLAIMS, "bar", &claim("any", &labels, before));
        assert_eq!(object, claim("any", &labels, after));
    }
}

/// Its list items are indented less than their key, which no YAML parser takes.
const REPLICAS: &str = include_str!("published/json-patch.yaml");

#[test]
fn a_number_in_quotes_is_a_number() {
    for namespace in ["default", "nginx"] {
        let after = apply(REPLICAS, DEPLOYMENTS, namespace, &deployment("nginxdep1"));
        assert_eq!(after["spec"]["replicas"], json!(12));
    }
    assert_eq!(
        apply(REPLICAS, DEPLOYMENTS, "other", &deployment("nginxdep1")),
        deployment("nginxdep1")
    );
}

#[test]
fn misplaced_list_items_are_warned_about() {
    let rules = RuleSet::parse(REPLICAS).expect("the sample is valid");
    let [warning] = rules.warnings() else {
        panic!("{:?}", rules.warnings())
    };
    assert_eq!(warning.line, 6);
    assert!(
        warning.message.contains("indented less than their key"),
        "{warning}"
    );
}

#[test]
fn a_merge_patch_sets_a_label() {
    let rules = include_str!("published/merge-patch.yaml");
    let after = apply(rules, DEPLOYMENTS, "nginx", &deployment("nginxdep"));
    assert_eq!(after["metadata"]["labels"], json!({"app": "nginx1"}));
}

#[test]
fn a_strategic_patch_finds_a_container_by_its_name() {
    let rules = include_str!("published/strategic-patch.yaml");
    let pod = |image: &str| {
        let containers =
            json!([{"name": "side", "image": "side:1"}, {"name": "nginx", "image": image, "tty": true}]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nginx-1"}, "spec": {"containers": containers}})
    };
    let expected = pod("mcr.microsoft.com/cbl-mariner/base/nginx:1.22");
    assert_eq!(apply(rules, ("", "pods"), "default", &pod("nginx:1")), expected);
    assert_eq!(
        apply(rules, ("", "pods"), "other", &pod("nginx:1")),
        pod("nginx:1")
    );
}
