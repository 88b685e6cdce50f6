//! The metadata of a restored object: what a person wrote, and who restores it.

use serde_json::{Map, Value};

use super::fields::{self, text};
use super::{INTERCEPT, ORIGINAL_NAMESPACE, PATCHED_BY, REPLACES, RESTORE, RESTORE_UID, Terms};
use crate::cut::TEMPORARY_GROUP;
use crate::interception::{MODIFIED, RestoreLabel};
use crate::object::{GroupResource, ObjectId};

/// What is kept of an object's metadata; all else is the API server's, or is linked at the end.
const KEPT: [&str; 5] = ["annotations", "finalizers", "labels", "name", "namespace"];

/// Labels of other restores, of ways into the cluster, and of a backup that ran while the object was stored.
const OLD_LABELS: [&str; 5] = [
    INTERCEPT,
    RESTORE,
    TEMPORARY_GROUP,
    "velero.io/backup-name",
    "velero.io/restore-name",
];

/// Annotations that only ever hold for the object that they were written on.
const OLD_ANNOTATIONS: [&str; 8] = [
    MODIFIED,
    ORIGINAL_NAMESPACE,
    PATCHED_BY,
    REPLACES,
    RESTORE_UID,
    "clusterbackup.io/requester",
    "clusterbackup.io/thaw-acknowledged",
    // Who led by this object before there were Leases.
    "control-plane.alpha.kubernetes.io/leader",
];

/// Finalizers that Kubernetes sets by itself where they are needed. Elsewhere nobody would ever take them off.
const SELF_SET_FINALIZERS: [&str; 9] = [
    "batch.kubernetes.io/job-tracking",
    "foregroundDeletion",
    "kubernetes.io/pv-protection",
    "kubernetes.io/pvc-protection",
    "orphan",
    "service.kubernetes.io/load-balancer-cleanup",
    "snapshot.storage.kubernetes.io/pvc-as-source-protection",
    "external-provisioner.volume.kubernetes.io/finalizer",
    "customresourcecleanup.apiextensions.k8s.io",
];

/// Which object it is; `None` if it isn't one.
pub(super) fn id(kind: &GroupResource, object: &Value) -> Option<ObjectId> {
    Some(ObjectId {
        kind: kind.clone(),
        namespace: text(object, "/metadata/namespace").map(str::to_owned),
        name: text(object, "/metadata/name")?.to_owned(),
    })
}

/// Leaves of the metadata what a person wrote, and says where the object comes from.
pub(super) fn renew(object: &mut Value, origin: &ObjectId, target: &ObjectId, terms: &Terms) {
    fields::remove(object, "", &["status"]);
    fields::retain(object, "/metadata", "finalizers", is_of_a_person);
    let Some(metadata) = fields::members_mut(object, "/metadata") else {
        return;
    };
    metadata.retain(|name, _| KEPT.contains(&name.as_str()));
    metadata.insert("name".to_owned(), target.name.clone().into());
    if let Some(namespace) = &target.namespace {
        metadata.insert("namespace".to_owned(), namespace.clone().into());
    }

    let mut labels = take(metadata, "labels");
    labels.retain(|name, _| !OLD_LABELS.contains(&name.as_str()));
    if origin.kind.as_str() == "namespaces" {
        labels.remove("kubernetes.io/metadata.name");
    }
    let value = RestoreLabel::value_for(&terms.restore.name).into_owned();
    labels.insert(RESTORE.to_owned(), value.into());
    metadata.insert("labels".to_owned(), labels.into());

    let mut annotations = take(metadata, "annotations");
    annotations.retain(|name, _| !OLD_ANNOTATIONS.contains(&name.as_str()));
    annotations.insert(RESTORE_UID.to_owned(), terms.restore.uid.clone().into());
    if let Some(namespace) = &origin.namespace
        && origin.namespace != target.namespace
    {
        annotations.insert(ORIGINAL_NAMESPACE.to_owned(), namespace.clone().into());
    }
    metadata.insert("annotations".to_owned(), annotations.into());
}

fn is_of_a_person(finalizer: &Value) -> bool {
    let name = finalizer.as_str().unwrap_or_default();
    let is_of_attacher = name.starts_with("external-attacher/");
    !is_of_attacher && !name.starts_with("clusterbackup.io/") && !SELF_SET_FINALIZERS.contains(&name)
}

/// The map of that name; anything that is none is taken out as well.
fn take(metadata: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match metadata.remove(name) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::{created, kind};
    use super::*;

    #[test]
    fn of_metadata_what_a_person_wrote_stays_and_the_restore_is_named() {
        let stored = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "metadata": {
            "name": "web", "generateName": "web-", "namespace": "shop", "uid": "1", "resourceVersion": "2",
            "generation": 3, "creationTimestamp": "2026-11-22T00:00:00Z", "deletionTimestamp": "2026-11-22T00:00:00Z",
            "deletionGracePeriodSeconds": 0, "selfLink": "/x", "managedFields": [{}],
            "ownerReferences": [{"uid": "o"}],
            "labels": {"app": "web", "velero.io/restore-name": "old", "velero.io/backup-name": "old",
                "clusterbackup.io/restore-name": "older", "clusterbackup.io/intercept": "shop",
                "clusterbackup.io/group": "x", "clusterbackup.io/resource-modifier": "true"},
            "annotations": {"note": "mine", "clusterbackup.io/modified": "[]", "clusterbackup.io/restore-uid": "old",
                "clusterbackup.io/original-namespace": "bank", "clusterbackup.io/requester": "{}"},
            "finalizers": ["example.com/guard"],
        }, "status": {"x": 1}});
        let metadata = json!({
            "name": "web", "namespace": "shop",
            "labels": {"app": "web", "clusterbackup.io/resource-modifier": "true", "clusterbackup.io/restore-name": "friday"},
            "annotations": {"note": "mine", "clusterbackup.io/restore-uid": "7f1c"},
            "finalizers": ["example.com/guard"],
        });
        assert_eq!(
            created("configmaps", stored, &[]),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "metadata": metadata})
        );
    }

    #[test]
    fn an_object_says_where_it_comes_from_where_it_went_elsewhere() {
        let stored = || json!({"metadata": {"name": "web", "namespace": "shop"}});
        for (mappings, namespace, original) in [
            (&[("shop", "staging")][..], "staging", Some("shop")),
            (&[("bank", "staging")], "shop", None),
        ] {
            let object = created("configmaps", stored(), mappings);
            assert_eq!(object["metadata"]["namespace"], namespace);
            assert_eq!(fields::annotation(&object, ORIGINAL_NAMESPACE), original);
        }
    }

    #[test]
    fn a_namespace_gets_its_new_name_and_nothing_of_the_old_one() {
        let stored = json!({"metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop", "team": "a"}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}});
        let metadata = json!({"name": "staging", "labels": {"team": "a", RESTORE: "friday"},
            "annotations": {RESTORE_UID: "7f1c"}});
        assert_eq!(
            created("namespaces", stored, &[("shop", "staging")]),
            json!({ "metadata": metadata })
        );
    }

    #[test]
    fn finalizers_of_a_person_stay_and_those_that_kubernetes_sets_by_itself_go() {
        for (finalizers, left) in [
            (
                json!(["example.com/a", "kubernetes.io/pvc-protection"]),
                json!(["example.com/a"]),
            ),
            (
                json!(["external-attacher/csi-example-com", "kubernetes.io/pv-protection"]),
                Value::Null,
            ),
            (json!(["clusterbackup.io/node-tasks"]), Value::Null),
            (json!([]), json!([])),
        ] {
            let object = json!({"metadata": {"name": "a", "finalizers": finalizers}});
            let object = created("widgets.example.com", object, &[]);
            assert_eq!(object["metadata"]["finalizers"], left, "{finalizers}");
        }
    }

    #[test]
    fn a_restore_with_a_long_name_is_told_by_a_label_that_fits() {
        let mut terms = super::super::sample::terms(&[]);
        terms.restore.name = "a".repeat(64);
        let object = json!({"metadata": {"name": "web", "namespace": "shop"}});
        let prepared = super::super::prepare(
            object,
            &kind("configmaps"),
            &terms,
            &super::super::Survey::default(),
        );
        let object = super::super::sample::ready(prepared).object;
        let value = fields::label(&object, RESTORE).unwrap();
        assert_eq!(value.len(), 63);
        assert!(RestoreLabel::new(value).stands_for(&terms.restore.name));
    }
}
