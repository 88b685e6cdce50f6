//! What comes along with what is taken, when kinds have their turn, and what is refused.

use serde_json::json;

use super::super::sample::{id, kind, terms};
use super::super::{Collisions, Wave};
use super::*;
use crate::inclusion::{ClusterScope, Types};
use crate::selection::Filter;

const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";
const ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
const BINDINGS: &str = "clusterrolebindings.rbac.authorization.k8s.io";
const PRIORITIES: &str = "priorityclasses.scheduling.k8s.io";

fn choice(objects: &[ObjectId]) -> Choice {
    Choice {
        filter: Filter::default(),
        types: Types::default(),
        cluster_scope: ClusterScope::Belonging,
        objects: objects.iter().cloned().collect(),
    }
}

fn definition(plural: &str, strategy: &str) -> Value {
    json!({"spec": {"group": "example.com", "names": {"kind": "Any", "plural": plural}, "conversion": {"strategy": strategy}}})
}

#[test]
fn what_is_taken_brings_along_what_it_can_not_be_without() {
    let mut survey = Survey::default();
    let pod = id("pods", "shop/web");
    survey.choose(pod.clone());
    let volumes = json!([{"persistentVolumeClaim": {"claimName": "data"}}]);
    survey.note(
        &pod,
        &json!({"spec": {"priorityClassName": "high", "volumes": volumes}}),
    );
    survey.choose(id("serviceaccounts", "shop/web"));
    survey.choose(id("widgets.example.com", "shop/a"));
    let subject =
        |namespace: &str| json!([{"kind": "ServiceAccount", "namespace": namespace, "name": "web"}]);
    let binding = |namespace: &str| json!({"subjects": subject(namespace), "roleRef": {"name": namespace}});
    let pending = vec![
        (id(ROLES, "shop"), Value::Null),
        (id(ROLES, "bank"), Value::Null),
        (id(BINDINGS, "shop-reads"), binding("shop")),
        (id(BINDINGS, "bank-reads"), binding("bank")),
        (id("persistentvolumes", "pv-1"), json!({})),
        (id("persistentvolumes", "pv-2"), json!({})),
        (
            id("persistentvolumeclaims", "shop/data"),
            json!({"spec": {"volumeName": "pv-1"}}),
        ),
        (
            id("persistentvolumeclaims", "shop/logs"),
            json!({"spec": {"volumeName": "pv-2"}}),
        ),
        (id(PRIORITIES, "high"), Value::Null),
        (id(PRIORITIES, "low"), Value::Null),
        (
            id(DEFINITIONS, "widgets.example.com"),
            definition("widgets", "None"),
        ),
        (
            id(DEFINITIONS, "gadgets.example.com"),
            definition("gadgets", "None"),
        ),
        (id("namespaces", "shop"), Value::Null),
        (id("namespaces", "bank"), Value::Null),
    ];
    let expected = BTreeSet::from([
        id(ROLES, "shop"),
        id(BINDINGS, "shop-reads"),
        id("persistentvolumes", "pv-1"),
        id("persistentvolumeclaims", "shop/data"),
        id(PRIORITIES, "high"),
        id(DEFINITIONS, "widgets.example.com"),
        id("namespaces", "shop"),
    ]);
    assert_eq!(survey.settle(pending), expected);
    assert!(expected.iter().all(|object| survey.takes(object)));
}

#[test]
fn custom_resources_that_a_webhook_converts_come_after_what_runs_it() {
    let mut survey = Survey::default();
    survey.note(&id(DEFINITIONS, "a"), &definition("converted", "Webhook"));
    survey.note(&id(DEFINITIONS, "b"), &definition("plain", "None"));
    for (text, wave) in [
        ("converted.example.com", Wave::Converted),
        ("plain.example.com", Wave::Rest),
        ("converted.other.com", Wave::Rest),
        ("deployments.apps", Wave::Controllers),
    ] {
        assert_eq!(survey.wave(&kind(text)), wave, "{text}");
    }
    assert!(Wave::Controllers < Wave::Converted && Wave::Services < Wave::Converted);
}

#[test]
fn a_restore_that_could_not_do_what_was_asked_is_refused_by_name() {
    let taken = |objects: &[ObjectId]| {
        let mut survey = Survey::default();
        for object in objects {
            survey.choose(object.clone());
        }
        survey
    };
    let web = id("configmaps", "shop/web");
    let lost = id("configmaps", "shop/lost");
    for (survey, named, mappings, expected) in [
        (taken(&[]), &[][..], &[][..], vec![Problem::Nothing]),
        (
            taken(std::slice::from_ref(&web)),
            &[],
            &[("shop", "staging")],
            vec![],
        ),
        (
            taken(&[id("namespaces", "shop")]),
            &[],
            &[("shop", "staging")],
            vec![],
        ),
        (
            taken(std::slice::from_ref(&web)),
            &[],
            &[("bank", "staging")],
            vec![Problem::NoSuchNamespace("bank".to_owned())],
        ),
        (
            taken(std::slice::from_ref(&web)),
            &[web.clone(), lost.clone()],
            &[],
            vec![Problem::NoSuchObject(lost)],
        ),
    ] {
        assert_eq!(
            survey.problems(&choice(named), &terms(mappings)),
            expected,
            "{named:?} {mappings:?}"
        );
    }
}

#[test]
fn objects_that_would_become_one_are_named_both() {
    let terms = terms(&[("shop", "all"), ("till", "all")]);
    let mut collisions = Collisions::default();
    let mut note = |name: &str| {
        let origin = id("configmaps", name);
        let problem = collisions.note(&origin, &terms.mappings.place(&origin));
        problem.map(|problem| problem.to_string())
    };
    assert_eq!(
        (note("shop/web"), note("till/db"), note("bank/web")),
        (None, None, None)
    );
    let problem = note("till/web").unwrap();
    for part in ["configmaps shop/web", "configmaps till/web", "configmaps all/web"] {
        assert!(problem.contains(part), "{problem}");
    }
}
