//! What holds of every object that a restore prepares, whatever somebody has made of it in the store.

use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_core::restore::{
    Conflicts, Mappings, Prepared, Restore, Snapshot, Survey, Terms, Volumes, prepare,
};
use clusterbackup_core::selection::Name;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

/// Kinds that a restore rewrites or judges, and one that it doesn't know.
fn restored_kind() -> impl Strategy<Value = GroupResource> {
    let kinds = vec![
        ("", "pods"),
        ("", "services"),
        ("", "secrets"),
        ("", "serviceaccounts"),
        ("", "persistentvolumes"),
        ("", "persistentvolumeclaims"),
        ("", "namespaces"),
        ("", "endpoints"),
        ("batch", "jobs"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("apiregistration.k8s.io", "apiservices"),
        ("coordination.k8s.io", "leases"),
        ("example.com", "widgets"),
    ];
    prop::sample::select(kinds).prop_map(|(group, resource)| GroupResource::new(group, resource))
}

/// An object of a recovery point, or what somebody has made of one: the fields that a restore looks at, with anything
/// or with what belongs there in them.
fn stored_object() -> impl Strategy<Value = Value> {
    let names = vec![
        "annotations",
        "apiVersion",
        "claimRef",
        "clientConfig",
        "clusterIP",
        "containers",
        "controller",
        "data",
        "dataSource",
        "finalizers",
        "generateName",
        "kind",
        "labels",
        "matchLabels",
        "metadata",
        "name",
        "namespace",
        "nodePort",
        "ownerReferences",
        "persistentVolumeReclaimPolicy",
        "phase",
        "port",
        "ports",
        "requests",
        "resourceVersion",
        "resources",
        "secrets",
        "selector",
        "service",
        "sideEffects",
        "spec",
        "status",
        "storage",
        "subjects",
        "template",
        "type",
        "uid",
        "versions",
        "volumeMounts",
        "volumeName",
        "volumes",
        "webhooks",
    ];
    let texts = vec![
        "",
        "1Gi",
        "Delete",
        "None",
        "Pod",
        "Retain",
        "ServiceAccount",
        "User",
        "VolumeSnapshot",
        "kubernetes.io/pvc-protection",
        "kube-api-access-x",
        "shop",
        "system:serviceaccount:shop:web",
        "system:serviceaccounts:shop",
        "web",
        "default-token-x",
    ];
    let key = move || prop::sample::select(names.clone()).prop_map(str::to_owned);
    let leaf = prop_oneof![
        4 => prop::sample::select(texts).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => (-1_i64..100).prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let map = move |inner: BoxedStrategy<Value>| {
        btree_map(key(), inner, 0..6).prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let inner_map = map.clone();
    let anything = leaf
        .prop_recursive(5, 48, 5, move |inner| {
            prop_oneof![2 => inner_map(inner.clone()), 1 => vec(inner, 0..4).prop_map(Value::from)]
        })
        .boxed();
    (
        map(anything.clone()),
        map(anything.clone()),
        map(anything),
        any::<bool>(),
    )
        .prop_map(|(mut object, mut metadata, spec, is_whole)| {
            if is_whole {
                metadata["name"] = "web".into();
                metadata["namespace"] = "shop".into();
                object["metadata"] = metadata;
                object["spec"] = spec;
            }
            object
        })
}

proptest! {
    #[test]
    fn preparing_twice_is_preparing_once_and_nothing_of_the_server_remains(
        object in stored_object(),
        kind in restored_kind(),
        with_data in any::<bool>(),
    ) {
        let snapshot = Snapshot {
            driver: "csi.example.com".to_owned(),
            handle: "handle-1".to_owned(),
            size_bytes: Some(1 << 31),
            class: None,
        };
        let volumes = if with_data {
            Volumes::With([(Name::new("shop", "web"), Ok(snapshot))].into())
        } else {
            Volumes::Without
        };
        let terms = Terms {
            restore: Restore { name: "friday".to_owned(), uid: "u".to_owned() },
            mappings: Mappings::default(),
            volumes,
            conflicts: Conflicts::Skip,
        };
        let mut survey = Survey::default();
        let id = ObjectId { kind: kind.clone(), namespace: Some("shop".to_owned()), name: "web".to_owned() };
        survey.note(&id, &object);
        survey.settle(vec![(id, object.clone())]);
        // The volume of a claim must not change between the two.
        let survey = Survey::default();
        let Prepared::Create(once) = prepare(object, &kind, &terms, &survey) else {
            return Ok(());
        };
        prop_assert_eq!(once.object.get("status"), None);
        for name in ["uid", "resourceVersion", "ownerReferences", "managedFields", "creationTimestamp", "generateName"] {
            prop_assert_eq!(once.object["metadata"].get(name), None);
        }
        let Prepared::Create(twice) = prepare(once.object.clone(), &kind, &terms, &survey) else {
            return Err(TestCaseError::fail("left out the second time"));
        };
        prop_assert_eq!(&once.object, &twice.object);
        prop_assert_eq!(&once.source, &twice.source);
        prop_assert!(!once.differs(&once.object, None));
    }
}
