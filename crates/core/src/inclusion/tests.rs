//! The tables: which kinds are listed, which objects are taken, what belongs to them.

use serde_json::json;

use super::*;
use crate::object::ObjectId;
use crate::selection::sample::labels;
use crate::selection::{EXCLUDE, Name, Namespaces};
use crate::selector::{LabelSelector, Operator, Requirement};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn filter(included: &[&str], excluded: &[&str]) -> Filter {
    Filter {
        namespaces: Namespaces::parse(&texts(included), &texts(excluded)).unwrap(),
        labels: LabelSelector::default(),
    }
}

fn labelled(filter: Filter) -> Filter {
    let web = Operator::In(vec!["web".to_owned()]);
    let app = Requirement::new("app".to_owned(), web).unwrap();
    Filter {
        labels: LabelSelector::new(vec![app]),
        ..filter
    }
}

fn inclusion(filter: Filter, said: Option<bool>, types: Types) -> Inclusion {
    Inclusion {
        cluster_scope: ClusterScope::of(said, &filter),
        filter,
        types,
        secrets: false,
    }
}

fn gr(text: &str) -> GroupResource {
    let (resource, group) = text.split_once('.').unwrap_or((text, ""));
    GroupResource::new(group, resource)
}

fn kind(text: &str, namespaced: bool) -> Kind {
    Kind {
        group_resource: gr(text),
        version: "v1".to_owned(),
        kind: "Any".to_owned(),
        namespaced,
        is_whole: true,
    }
}

fn cluster() -> Vec<Kind> {
    let inside = [
        "pods",
        "secrets",
        "configmaps",
        "endpoints",
        "events",
        "deployments.apps",
        "widgets.example.com",
    ];
    let outside = [
        "namespaces",
        "nodes",
        "persistentvolumes",
        "customresourcedefinitions.apiextensions.k8s.io",
    ];
    let inside = inside.into_iter().map(|name| kind(name, true));
    inside
        .chain(outside.into_iter().map(|name| kind(name, false)))
        .collect()
}

fn listed(inclusion: &Inclusion, served: &[Kind]) -> Vec<String> {
    let kinds = inclusion.kinds(served);
    kinds.iter().map(|kind| kind.group_resource.to_string()).collect()
}

const INSIDE: &[&str] = &[
    "pods",
    "configmaps",
    "endpoints",
    "deployments.apps",
    "widgets.example.com",
];
const OUTSIDE: &[&str] = &[
    "persistentvolumes",
    "customresourcedefinitions.apiextensions.k8s.io",
];

#[test]
fn objects_outside_of_namespaces_are_listed_where_all_namespaces_are_taken_or_the_instance_says_so() {
    let everything: Vec<_> = INSIDE.iter().chain(OUTSIDE).copied().collect();
    for (included, excluded, said, expected) in [
        (&[][..], &[][..], None, everything.as_slice()),
        (&["*"], &[], None, &everything),
        (&["shop"], &[], None, INSIDE),
        (&["shop-*"], &[], None, INSIDE),
        (&[], &["shop"], None, INSIDE),
        (&["shop"], &[], Some(true), &everything),
        (&[], &[], Some(false), INSIDE),
        (&["shop"], &[], Some(false), INSIDE),
    ] {
        let inclusion = inclusion(filter(included, excluded), said, Types::default());
        let seen = listed(&inclusion, &cluster());
        assert_eq!(seen, expected, "{included:?} without {excluded:?}, {said:?}");
    }
}

#[test]
fn kinds_are_named_by_their_plural_with_or_without_the_group_and_what_is_left_out_wins() {
    for (included, excluded, expected) in [
        (
            &[][..],
            &["configmaps"][..],
            &["pods", "endpoints", "deployments.apps", "widgets.example.com"][..],
        ),
        (
            &["*"],
            &["deployments", "*.example.com"],
            &["pods", "configmaps", "endpoints"],
        ),
        (&["deployments"], &[], &["deployments.apps"]),
        (&["deployments.apps", "pods"], &[], &["pods", "deployments.apps"]),
        (&["*.apps"], &[], &["deployments.apps"]),
        (&["deployments.extensions"], &[], &[]),
        (
            &["*s"],
            &["*.apps", "widgets", "endpoints"],
            &["pods", "configmaps"],
        ),
        (&["events"], &[], &[]),
    ] {
        let types = Types::parse(&texts(included), &texts(excluded)).unwrap();
        let inclusion = inclusion(filter(&["shop"], &[]), None, types);
        assert_eq!(
            listed(&inclusion, &cluster()),
            expected,
            "{included:?} without {excluded:?}"
        );
    }
}

#[test]
fn types_that_contradict_themselves_are_refused() {
    for (included, excluded, expected) in [
        (&["*", "pods"][..], &[][..], BadTypes::AllAndMore),
        (&[], &["*"], BadTypes::Nothing),
        (&["pods"], &["*", "pods"], BadTypes::Nothing),
        (&["pods", "a.b"], &["a.b"], BadTypes::Both("a.b".to_owned())),
    ] {
        let problem = Types::parse(&texts(included), &texts(excluded)).unwrap_err();
        assert_eq!(problem, expected, "{included:?} without {excluded:?}");
    }
    assert!(Types::parse(&texts(&["[a"]), &[]).is_err());
}

#[test]
fn a_named_kind_that_the_cluster_does_not_have_is_told() {
    let types = Types::parse(&texts(&["deploymets.apps", "pods", "*.example.com"]), &[]).unwrap();
    let inclusion = inclusion(filter(&[], &[]), None, types);
    assert_eq!(inclusion.idle_types(&cluster()), ["deploymets.apps"]);
}

#[test]
fn what_is_made_for_itself_never_goes_in_even_when_it_is_named() {
    let served: Vec<_> = NEVER
        .iter()
        .map(|name| kind(name, true))
        .chain([kind("backups.velero.io", true), kind("schedules.velero.io", true)])
        .collect();
    for types in [Types::default(), Types::parse(&texts(&["*.**"]), &[]).unwrap()] {
        let inclusion = inclusion(filter(&[], &[]), Some(true), types);
        assert_eq!(listed(&inclusion, &served), Vec::<String>::new());
    }
}

#[test]
fn secrets_go_in_only_where_they_are_wanted() {
    for (secrets, types, expected) in [
        (false, &[][..], false),
        (true, &[], true),
        (true, &["configmaps"], false),
        (true, &["secrets"], true),
        (false, &["secrets"], false),
    ] {
        let types_of = Types::parse(&texts(types), &[]).unwrap();
        let inclusion = Inclusion {
            secrets,
            ..inclusion(filter(&["shop"], &[]), None, types_of)
        };
        let there = listed(&inclusion, &cluster()).contains(&"secrets".to_owned());
        assert_eq!(there, expected, "{secrets} {types:?}");
    }
}

#[test]
fn a_kind_that_is_served_twice_is_read_once() {
    let inclusion = inclusion(filter(&[], &[]), None, Types::default());
    for (served, expected) in [
        (
            &["deployments.extensions", "deployments.apps"][..],
            &["deployments.apps"][..],
        ),
        (&["deployments.extensions"], &["deployments.extensions"]),
        (
            &["ingresses.networking.k8s.io", "ingresses.extensions"],
            &["ingresses.networking.k8s.io"],
        ),
        (
            &["services.serving.example", "services"],
            &["services.serving.example", "services"],
        ),
    ] {
        let served: Vec<_> = served.iter().map(|name| kind(name, true)).collect();
        assert_eq!(listed(&inclusion, &served), expected);
    }
}

#[test]
fn what_can_not_be_created_again_is_no_object_to_store() {
    let inclusion = inclusion(filter(&[], &[]), None, Types::default());
    let partial = Kind {
        is_whole: false,
        ..kind("podmetrics.metrics.k8s.io", true)
    };
    assert!(inclusion.kinds(&[partial]).is_empty());
}

#[test]
fn an_object_is_taken_by_namespace_and_labels_unless_it_is_left_out_or_going() {
    let inclusion = inclusion(labelled(filter(&["shop"], &[])), None, Types::default());
    let namespaces = BTreeSet::from(["shop"]);
    for (namespace, marks, deleting, expected) in [
        (Some("shop"), &[("app", "web")][..], false, true),
        (None, &[("app", "web")], false, true),
        (Some("bank"), &[("app", "web")], false, false),
        (Some("kube-system"), &[("app", "web")], false, false),
        (Some("shop"), &[("app", "db")], false, false),
        (Some("shop"), &[], false, false),
        (Some("shop"), &[("app", "web")], true, false),
        (Some("shop"), &[("app", "web"), (EXCLUDE, "true")], false, false),
        (Some("shop"), &[("app", "web"), (EXCLUDE, "false")], false, true),
    ] {
        let object = Facts {
            namespace,
            labels: &labels(marks),
            deleting,
        };
        let taken = inclusion.takes(object, &namespaces);
        assert_eq!(taken, expected, "{namespace:?} {marks:?} {deleting}");
    }
}

#[test]
fn a_namespace_goes_in_when_it_is_named_meant_by_its_labels_or_holds_something() {
    let all = filter(&[], &[]);
    let named = filter(&["shop"], &[]);
    for (filter, marks, holds, expected) in [
        (all.clone(), &[][..], false, true),
        (named.clone(), &[], false, true),
        (labelled(named), &[], false, true),
        (labelled(all.clone()), &[], false, false),
        (labelled(all.clone()), &[], true, true),
        (labelled(all), &[("app", "web")], false, true),
    ] {
        for said in [None, Some(true), Some(false)] {
            let inclusion = inclusion(filter.clone(), said, Types::default());
            let taken = inclusion.takes_namespace(&labels(marks), holds);
            assert_eq!(taken, expected, "{filter:?} {marks:?} {holds} {said:?}");
        }
    }
    let without = Types::parse(&[], &texts(&["namespaces"])).unwrap();
    let inclusion = inclusion(super::tests::filter(&["shop"], &[]), None, without);
    assert!(!inclusion.takes_namespace(&labels(&[]), true));
}

#[test]
fn what_objects_need_is_found_once_and_not_when_it_is_there() {
    let mut belongings = Belongings::default();
    let pod = json!({ "spec": {
        "priorityClassName": "high",
        "volumes": [
            { "name": "data", "persistentVolumeClaim": { "claimName": "data" } },
            { "name": "scratch", "ephemeral": {} },
            { "name": "config", "configMap": { "name": "c" } },
        ],
    } });
    belongings.note(&gr("pods"), Some("shop"), "web", &pod);
    belongings.note(&gr("pods"), Some("shop"), "web", &pod);
    let claim = json!({ "spec": { "volumeName": "pv-1" } });
    belongings.note(&gr("persistentvolumeclaims"), Some("shop"), "data", &claim);
    let unbound = json!({ "spec": { "volumeName": "" } });
    belongings.note(&gr("persistentvolumeclaims"), Some("shop"), "new", &unbound);
    belongings.note(&gr("serviceaccounts"), Some("shop"), "web", &json!({}));
    let binding = json!({ "roleRef": { "name": "reader" } });
    let bindings = gr("clusterrolebindings.rbac.authorization.k8s.io");
    belongings.note(&bindings, None, "shop-reads", &binding);
    belongings.note_kind(&gr("widgets.example.com"));
    belongings.note_kind(&gr("pods"));

    let named =
        |taken: BTreeSet<ObjectId>| -> Vec<String> { taken.iter().map(ToString::to_string).collect() };
    let expected = [
        "clusterroles.rbac.authorization.k8s.io reader",
        "customresourcedefinitions.apiextensions.k8s.io widgets.example.com",
        "persistentvolumeclaims shop/web-scratch",
        "persistentvolumes pv-1",
        "priorityclasses.scheduling.k8s.io high",
    ];
    assert_eq!(named(belongings.take()), expected);
    assert!(belongings.take().is_empty());
    assert_eq!(*belongings.accounts(), BTreeSet::from([Name::new("shop", "web")]));
}

#[test]
fn a_binding_belongs_to_the_service_accounts_that_it_names() {
    let accounts = BTreeSet::from([Name::new("shop", "web")]);
    for (kind, namespace, name, expected) in [
        ("ServiceAccount", "shop", "web", true),
        ("ServiceAccount", "bank", "web", false),
        ("ServiceAccount", "shop", "db", false),
        ("User", "shop", "web", false),
    ] {
        let subject = json!({ "kind": kind, "namespace": namespace, "name": name });
        let binding = json!({ "subjects": [{ "kind": "Group", "name": "g" }, subject] });
        assert_eq!(is_bound_to(&binding, &accounts), expected, "{binding}");
    }
    assert!(!is_bound_to(&json!({}), &accounts));
}

#[test]
fn what_belongs_is_sought_as_far_as_the_instance_lets_it() {
    let definitions = "customresourcedefinitions.apiextensions.k8s.io";
    let claims = "persistentvolumeclaims";
    for (said, included, excluded, sought, expected) in [
        (None, &[][..], &[][..], "persistentvolumes", true),
        (Some(true), &[], &[], "persistentvolumes", true),
        (Some(false), &[], &[], "persistentvolumes", false),
        (Some(false), &[], &[], definitions, false),
        (Some(false), &[], &[], claims, true),
        (None, &["pods"], &[], claims, false),
        (None, &["widgets"], &[], definitions, true),
        (None, &[], &[definitions], definitions, false),
        (None, &[], &["persistentvolumes"], "persistentvolumes", false),
    ] {
        let types = Types::parse(&texts(included), &texts(excluded)).unwrap();
        let inclusion = inclusion(filter(&["shop"], &[]), said, types);
        let seeks = inclusion.seeks(&gr(sought));
        assert_eq!(seeks, expected, "{said:?} {included:?} {excluded:?} {sought}");
    }
}
