//! What holds of any update to any object.

use clusterbackup_core::clash::{Existing, Outcome};
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::patch::{Draft, Pointer};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Kinds of which the table has all there is to say, by resource, group with version, and name.
const KINDS: [(&str, &str, &str); 12] = [
    ("pods", "v1", "Pod"),
    ("services", "v1", "Service"),
    ("persistentvolumeclaims", "v1", "PersistentVolumeClaim"),
    ("persistentvolumes", "v1", "PersistentVolume"),
    ("configmaps", "v1", "ConfigMap"),
    ("statefulsets", "apps/v1", "StatefulSet"),
    ("deployments", "apps/v1", "Deployment"),
    ("jobs", "batch/v1", "Job"),
    ("events", "events.k8s.io/v1", "Event"),
    ("csinodes", "storage.k8s.io/v1", "CSINode"),
    (
        "customresourcedefinitions",
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
    ),
    ("unknowns", "example.com/v1", "Unknown"),
];

/// Names at which the table has something to say, and few others.
fn name() -> impl Strategy<Value = String> {
    let names = vec![
        "metadata",
        "spec",
        "status",
        "data",
        "binaryData",
        "immutable",
        "labels",
        "finalizers",
        "ownerReferences",
        "annotations",
        "template",
        "containers",
        "name",
        "image",
        "env",
        "value",
        "valueFrom",
        "resources",
        "ports",
        "port",
        "nodePort",
        "type",
        "clusterIP",
        "clusterIPs",
        "selector",
        "matchLabels",
        "tolerations",
        "nodeSelector",
        "schedulingGates",
        "affinity",
        "nodeAffinity",
        "claimRef",
        "uid",
        "csi",
        "nfs",
        "drivers",
        "versions",
        "completions",
        "parallelism",
        "requests",
        "storage",
        "a",
        "b",
    ];
    prop::sample::select(names).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "a",
        "b",
        "ExternalName",
        "NodePort",
        "None",
        "Bound",
        "1Gi",
        "2Gi",
        "",
    ]);
    let scalar = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (-1_i64..3).prop_map(Value::from),
        4 => text.prop_map(Value::from),
    ];
    scalar.prop_recursive(
        5,
        48,
        5,
        |inner| prop_oneof![1 => vec(inner.clone(), 0..4).prop_map(Value::from), 3 => object_of(inner)],
    )
}

fn object_of(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    btree_map(name(), inner, 0..6).prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// What the API server sends: metadata is an object, and labels are a map of texts.
fn object() -> impl Strategy<Value = Value> {
    let texts = || btree_map(name(), "[a-b]", 0..3);
    (object_of(value()), value(), vec("[a-c]", 0..3), texts()).prop_map(
        |(mut object, spec, finalizers, labels)| {
            object["metadata"] = json!({"finalizers": finalizers, "labels": labels});
            object["spec"] = spec;
            object
        },
    )
}

/// A kind, an object of it, and an update to it.
fn update() -> impl Strategy<Value = (GroupResource, Value, Value)> {
    (prop::sample::select(KINDS.to_vec()), object(), object()).prop_map(|(kind, old, new)| {
        let (resource, api_version, name) = kind;
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let typed = |mut object: Value| {
            object["apiVersion"] = json!(api_version);
            object["kind"] = json!(name);
            object
        };
        (GroupResource::new(group, resource), typed(old), typed(new))
    })
}

/// The places that `new` only leaves out or nulls, of objects that are there on both sides.
fn left_out(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    place: &mut Pointer,
    places: &mut Vec<Pointer>,
) {
    for (key, value) in old {
        place.push(key);
        match (value, new.get(key)) {
            (Value::Null, _) => {}
            (_, None | Some(Value::Null)) => places.push(place.clone()),
            (Value::Object(old), Some(Value::Object(new))) => left_out(old, new, place, places),
            _ => {}
        }
        place.pop();
    }
}

/// What the API server writes for itself, and what only means something in the cluster.
fn is_servers(place: &Pointer) -> bool {
    let tokens: Vec<_> = place.tokens().iter().map(String::as_str).collect();
    matches!(
        tokens.as_slice(),
        ["apiVersion" | "kind"] | ["metadata", "uid" | "name"]
    )
}

/// What the conflict policy Patch makes of an update, before rules.
fn patched(existing: &Existing<'_>, new: &Value) -> Draft {
    let mut draft = Draft::new(new.clone());
    existing.add_onto(&mut draft).unwrap();
    existing.put_back(&mut draft).unwrap();
    draft
}

/// What the conflict policy Skip makes of it.
fn skipped(existing: &Existing<'_>, new: &Value) -> Draft {
    let mut draft = Draft::new(new.clone());
    existing.retain(&mut draft).unwrap();
    draft
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_operations_make_the_result_of_what_the_client_sent((resource, old, new) in update()) {
        let existing = Existing::new(&resource, &old, None);
        for draft in [patched(&existing, &new), skipped(&existing, &new)] {
            let mut replayed = new.clone();
            json_patch::patch(&mut replayed, draft.operations()).unwrap();
            prop_assert_eq!(&replayed, draft.value());
        }
    }

    #[test]
    fn what_the_client_only_leaves_out_of_a_kind_without_a_table_is_never_lost(old in object(), new in object()) {
        let resource = GroupResource::new("example.com", "unknowns");
        let existing = Existing::new(&resource, &old, None);
        let result = patched(&existing, &new).into_parts().0;
        let mut places = Vec::new();
        left_out(old.as_object().unwrap(), new.as_object().unwrap(), &mut Pointer::default(), &mut places);
        for place in places.iter().filter(|place| !is_servers(place)) {
            prop_assert_eq!(place.lookup(&result), place.lookup(&old), "{}", place);
        }
    }

    #[test]
    fn the_result_loses_nothing_and_is_final((resource, old, new) in update()) {
        let existing = Existing::new(&resource, &old, None);
        let result = patched(&existing, &new).into_parts().0;
        prop_assert!(existing.losses(&result).is_empty(), "{:?}", existing.losses(&result));
        let again = patched(&existing, &result);
        prop_assert_eq!(again.value(), &result);
    }

    #[test]
    fn an_update_to_the_same_changes_nothing((resource, old, _) in update()) {
        let existing = Existing::new(&resource, &old, None);
        prop_assert!(existing.is_only_labelled(&old));
        for draft in [patched(&existing, &old), skipped(&existing, &old)] {
            prop_assert_eq!(draft.operations(), []);
        }
    }

    #[test]
    fn what_is_skipped_differs_in_nothing_that_counts((resource, old, new) in update()) {
        let existing = Existing::new(&resource, &old, None);
        let result = skipped(&existing, &new).into_parts().0;
        prop_assert!(existing.is_only_labelled(&result), "{:?}", existing.fields(&result, Outcome::Changed));
    }
}
