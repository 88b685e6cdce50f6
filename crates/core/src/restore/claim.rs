//! Claims: which get a new volume, and what that is filled from.

use serde_json::{Value, json};
use thiserror::Error;

use super::fields::{members_mut, remove, text};
use super::{NoData, RESTORE_UID, Ready, Snapshot, Survey, Terms};
use crate::cut::snapshot_name;
use crate::inclusion::Kind;
use crate::object::ObjectId;
use crate::quantity::Quantity;
use crate::selection::Name;

const API_VERSION: &str = "snapshot.storage.k8s.io/v1";
const GROUP: &str = "snapshot.storage.k8s.io";
const REQUEST: &str = "/spec/resources/requests/storage";

/// Annotation of snapshots: the claim.
pub const CLAIM: &str = "clusterbackup.io/claim";

/// What a claim is filled from. Both are to be created before it, and stay until it has its volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The VolumeSnapshotContent; it never deletes the snapshot.
    pub content: Value,
    /// The VolumeSnapshot, in the namespace of the claim.
    pub snapshot: Value,
    /// The name of both.
    name: String,
    /// What the claim has to ask for at least.
    size_bytes: Option<u64>,
}

/// What the claim that is created lacks of the one that was backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Warning {
    /// Data was asked for, and a person has left it out of the backup.
    #[error("it comes back empty: when it was backed up, the instance or a label has left its data out")]
    Empty,
    /// Nothing makes a volume for it.
    #[error(
        "it waits for a volume: its own does not come back, and it names no class by which one is made; create a volume for it"
    )]
    NoVolume,
}

/// What a claim is filled from, if anything.
pub(super) fn source(origin: &ObjectId, claim: &Value, target: &ObjectId, terms: &Terms) -> Option<Source> {
    if origin.kind != Kind::claims() {
        return None;
    }
    let was = Name::new(origin.namespace.as_deref()?, &origin.name);
    let snapshot = terms.volumes.snapshot(&was)?;
    let uid = terms.restore.uid.as_str();
    let name = snapshot_name(&was.name, &[uid, &was.namespace, &was.name]);
    let metadata = |namespace: Option<&String>| json!({"name": name, "namespace": namespace, "labels": {RESTORE_UID: uid}, "annotations": {CLAIM: target.name}});
    let of_class = |mut object: Value| {
        if let Some(class) = &snapshot.class {
            object["spec"]["volumeSnapshotClassName"] = class.as_str().into();
        }
        without_nulls(object)
    };
    Some(Source {
        content: of_class(json!({
            "apiVersion": API_VERSION,
            "kind": "VolumeSnapshotContent",
            "metadata": metadata(None),
            "spec": {
                "deletionPolicy": "Retain",
                "driver": snapshot.driver,
                "source": {"snapshotHandle": snapshot.handle},
                "sourceVolumeMode": text(claim, "/spec/volumeMode").unwrap_or("Filesystem"),
                "volumeSnapshotRef": {
                    "apiVersion": API_VERSION,
                    "kind": "VolumeSnapshot",
                    "namespace": target.namespace,
                    "name": name,
                },
            },
        })),
        snapshot: of_class(json!({
            "apiVersion": API_VERSION,
            "kind": "VolumeSnapshot",
            "metadata": metadata(target.namespace.as_ref()),
            "spec": {"source": {"volumeSnapshotContentName": name}},
        })),
        size_bytes: snapshot.size_bytes,
        name,
    })
}

/// An object whose metadata says nothing that it hasn't.
fn without_nulls(mut object: Value) -> Value {
    if let Some(metadata) = members_mut(&mut object, "/metadata") {
        metadata.retain(|_, value| !value.is_null());
    }
    object
}

/// What binding and provisioning wrote on a claim.
const BINDING: [&str; 7] = [
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "velero.io/volume-snapshot-name",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-resizer",
];

/// Makes a claim ask for what it is filled from, for the volume that it had, or for a new one.
pub(super) fn rewrite(claim: &mut Value, source: Option<&Source>, terms: &Terms, survey: &Survey) {
    remove(claim, "/metadata/annotations", &BINDING);
    if !comes_back(claim, terms, survey) {
        remove(claim, "/spec", &["volumeName"]);
    }
    let of_the_past = |path: &str| {
        matches!(
            text(claim, path),
            Some("VolumeSnapshot" | "PersistentVolumeClaim")
        )
    };
    if source.is_some() || of_the_past("/spec/dataSource/kind") || of_the_past("/spec/dataSourceRef/kind") {
        remove(claim, "/spec", &["dataSource", "dataSourceRef"]);
    }
    if let Some(source) = source {
        fill(claim, source);
    }
}

/// Whether the volume of a claim is restored as it was.
fn comes_back(claim: &Value, terms: &Terms, survey: &Survey) -> bool {
    let volume = text(claim, "/spec/volumeName").and_then(|volume| survey.volume(volume));
    volume.is_some_and(|volume| volume.left_out(&terms.volumes).is_none())
}

/// Why a claim, as it is stored, can't get the data that is asked for.
pub(super) fn lacks(origin: &ObjectId, claim: &Value, terms: &Terms, survey: &Survey) -> Option<NoData> {
    if !had_data(origin, claim) || is_classless(claim) || comes_back(claim, terms, survey) {
        return None;
    }
    let reason = data(origin, terms)?.err()?;
    (!reason.is_intended()).then_some(reason)
}

/// What is to be warned of, of an object as it is stored.
pub(super) fn warning(
    origin: &ObjectId,
    claim: &Value,
    source: Option<&Source>,
    terms: &Terms,
    survey: &Survey,
) -> Option<Warning> {
    if !had_data(origin, claim) || source.is_some() || comes_back(claim, terms, survey) {
        None
    } else if is_classless(claim) {
        Some(Warning::NoVolume)
    } else {
        data(origin, terms).map(|_| Warning::Empty)
    }
}

/// Whether it is a claim that had a volume.
fn had_data(origin: &ObjectId, claim: &Value) -> bool {
    origin.kind == Kind::claims() && text(claim, "/spec/volumeName").is_some()
}

/// Whether nothing makes a volume for a claim.
fn is_classless(claim: &Value) -> bool {
    claim.pointer("/spec/storageClassName") == Some(&"".into())
}

/// What there is of what a claim held; none where that isn't asked for.
fn data<'a>(origin: &ObjectId, terms: &'a Terms) -> Option<Result<&'a Snapshot, NoData>> {
    let claim = Name::new(origin.namespace.as_deref()?, &origin.name);
    terms.volumes.data(&claim)
}

impl Ready {
    /// Makes a claim ask for what its snapshot turns out to need.
    pub fn ask_for(&mut self, needed: &str) {
        raise(&mut self.object, needed);
    }
}

fn fill(claim: &mut Value, source: &Source) {
    let reference = json!({"apiGroup": GROUP, "kind": "VolumeSnapshot", "name": source.name});
    if let Some(spec) = members_mut(claim, "/spec") {
        spec.insert("dataSource".to_owned(), reference);
    }
    if let Some(needed) = source.size_bytes {
        raise(claim, &needed.to_string());
    }
}

/// Makes a claim ask for that much at least.
fn raise(claim: &mut Value, needed: &str) {
    let is_enough = text(claim, REQUEST).and_then(Quantity::parse) >= Quantity::parse(needed);
    if !is_enough && let Some(request) = claim.pointer_mut(REQUEST) {
        *request = needed.into();
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{id, kind, ready, terms};
    use super::super::{Prepared, Volumes, prepare};
    use super::*;
    use crate::cut::SkipReason;

    const PROVISIONED: &str = "volume.kubernetes.io/storage-provisioner";

    fn claim(spec: &Value) -> Value {
        json!({"metadata": {"name": "data", "namespace": "shop", "annotations": {PROVISIONED: "csi", "note": "mine",
            "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
            "volume.kubernetes.io/selected-node": "node-1"}}, "spec": spec})
    }

    fn with_data(mappings: &[(&str, &str)], size_bytes: Option<u64>) -> Terms {
        let snapshot = Snapshot {
            driver: "csi.example.com".to_owned(),
            handle: "handle-1".to_owned(),
            size_bytes,
            class: Some("snapshots".to_owned()),
        };
        Terms {
            volumes: Volumes::With([(Name::new("shop", "data"), Ok(snapshot))].into()),
            ..terms(mappings)
        }
    }

    fn prepared(claim: Value, terms: &Terms, survey: &Survey) -> Ready {
        ready(prepare(claim, &kind("persistentvolumeclaims"), terms, survey))
    }

    #[test]
    fn a_claim_asks_for_a_new_volume_unless_its_own_comes_back() {
        let volume = |policy: &str| json!({"spec": {"persistentVolumeReclaimPolicy": policy}});
        let mut survey = Survey::default();
        survey.note(&id("persistentvolumes", "kept"), &volume("Retain"));
        survey.note(&id("persistentvolumes", "gone"), &volume("Delete"));
        for (volume, expected) in [
            ("kept", json!("kept")),
            ("gone", Value::Null),
            ("unknown", Value::Null),
        ] {
            let ready = prepared(claim(&json!({"volumeName": volume})), &terms(&[]), &survey);
            assert_eq!(ready.object["spec"]["volumeName"], expected, "{volume}");
            let annotations = json!({"note": "mine", RESTORE_UID: "7f1c"});
            assert_eq!(ready.object["metadata"]["annotations"], annotations);
            assert_eq!(ready.source, None);
        }
    }

    /// A restore with data, of a point that has none of the claim.
    fn lacking(reason: Option<NoData>) -> Terms {
        let reason = reason.map(|reason| (Name::new("shop", "data"), Err(reason)));
        Terms {
            volumes: Volumes::With(reason.into_iter().collect()),
            ..terms(&[])
        }
    }

    fn bound(class: &str) -> Value {
        json!({"volumeName": "pv-1", "storageClassName": class})
    }

    /// Knows a volume that comes back as it was.
    fn kept() -> Survey {
        let mut survey = Survey::default();
        let retained = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        survey.note(&id("persistentvolumes", "kept"), &retained);
        survey
    }

    #[test]
    fn a_claim_that_lacks_what_it_had_is_warned_of() {
        let left_out = lacking(Some(NoData::Skipped(SkipReason::Excluded)));
        for (spec, terms, expected) in [
            (bound("fast"), with_data(&[], None), None),
            (bound("fast"), left_out.clone(), Some(Warning::Empty)),
            (bound("fast"), terms(&[]), None),
            (bound(""), with_data(&[], None), None),
            (bound(""), terms(&[]), Some(Warning::NoVolume)),
            (bound(""), lacking(None), Some(Warning::NoVolume)),
            (
                json!({"volumeName": "kept", "storageClassName": ""}),
                lacking(None),
                None,
            ),
            (json!({"storageClassName": "fast"}), left_out, None),
        ] {
            let ready = prepared(claim(&spec), &terms, &kept());
            assert_eq!(ready.warning, expected, "{spec} {:?}", terms.volumes);
        }
    }

    #[test]
    fn a_claim_never_comes_back_empty_unless_that_was_asked_for() {
        let failed = NoData::Skipped(SkipReason::HookFailed);
        let unbound = json!({"storageClassName": "fast"});
        let retained = json!({"volumeName": "kept", "storageClassName": "fast"});
        for (spec, terms, expected) in [
            (bound("fast"), lacking(None), Some(NoData::NotStored)),
            (bound("fast"), lacking(Some(failed)), Some(failed)),
            (bound("fast"), with_data(&[], None), None),
            (bound("fast"), terms(&[]), None),
            (unbound, lacking(None), None),
            (retained, lacking(None), None),
        ] {
            let kind = kind("persistentvolumeclaims");
            let reason = match prepare(claim(&spec), &kind, &terms, &kept()) {
                Prepared::WithoutData(reason) => Some(reason),
                _ => None,
            };
            assert_eq!(reason, expected, "{spec} {:?}", terms.volumes);
        }
    }

    #[test]
    fn a_claim_without_data_is_not_filled_from_what_it_once_was_made_of() {
        let reference = |kind: &str| json!({"kind": kind, "name": "seed"});
        for (kind, stays) in [
            ("VolumeSnapshot", false),
            ("PersistentVolumeClaim", false),
            ("Image", true),
        ] {
            let spec = json!({"dataSource": reference(kind), "dataSourceRef": reference(kind)});
            let ready = prepared(claim(&spec), &terms(&[]), &Survey::default());
            let has = ["dataSource", "dataSourceRef"].map(|name| ready.object["spec"].get(name).is_some());
            assert_eq!(has, [stays; 2], "{kind}");
        }
    }

    #[test]
    fn a_claim_is_filled_from_its_snapshot_by_a_content_that_keeps_it() {
        for (mappings, namespace) in [(&[][..], "shop"), (&[("shop", "staging")], "staging")] {
            let spec = json!({"volumeName": "pv-1", "volumeMode": "Block", "dataSourceRef": {"kind": "Image", "name": "a"}});
            let ready = prepared(claim(&spec), &with_data(mappings, None), &Survey::default());
            let source = ready.source.unwrap();
            let name = source.name.as_str();
            assert_eq!(
                ready.object["spec"],
                json!({"volumeMode": "Block", "dataSource": {"apiGroup": GROUP, "kind": "VolumeSnapshot", "name": name}})
            );
            let (labels, annotations) = (json!({RESTORE_UID: "7f1c"}), json!({CLAIM: "data"}));
            assert_eq!(
                source.content,
                json!({"apiVersion": API_VERSION, "kind": "VolumeSnapshotContent",
                    "metadata": {"name": name, "labels": labels, "annotations": annotations},
                    "spec": {"deletionPolicy": "Retain", "driver": "csi.example.com", "volumeSnapshotClassName": "snapshots",
                        "source": {"snapshotHandle": "handle-1"}, "sourceVolumeMode": "Block",
                        "volumeSnapshotRef": {"apiVersion": API_VERSION, "kind": "VolumeSnapshot", "namespace": namespace, "name": name}}})
            );
            assert_eq!(
                source.snapshot,
                json!({"apiVersion": API_VERSION, "kind": "VolumeSnapshot",
                    "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations},
                    "spec": {"volumeSnapshotClassName": "snapshots", "source": {"volumeSnapshotContentName": name}}})
            );
        }
    }

    #[test]
    fn a_claim_asks_for_at_least_what_its_snapshot_needs() {
        const GIB: u64 = 1 << 30;
        for (request, needed, expected) in [
            ("1Gi", Some(2 * GIB), "2147483648"),
            ("2Gi", Some(2 * GIB), "2Gi"),
            ("3Gi", Some(2 * GIB), "3Gi"),
            ("1Gi", None, "1Gi"),
        ] {
            let spec = json!({"resources": {"requests": {"storage": request}}});
            let ready = prepared(claim(&spec), &with_data(&[], needed), &Survey::default());
            assert_eq!(
                ready.object.pointer(REQUEST),
                Some(&json!(expected)),
                "{request} {needed:?}"
            );
        }
    }

    #[test]
    fn names_of_snapshots_follow_from_restore_and_claim_and_are_never_too_long() {
        let name = |uid: &str, claim: &str| {
            let mut terms = with_data(&[], None);
            terms.restore.uid = uid.to_owned();
            if let Volumes::With(snapshots) = &mut terms.volumes {
                let snapshot = snapshots.pop_first().unwrap().1;
                snapshots.insert(Name::new("shop", claim), snapshot);
            }
            let object = json!({"metadata": {"name": claim, "namespace": "shop"}, "spec": {}});
            prepared(object, &terms, &Survey::default()).source.unwrap().name
        };
        assert_eq!(name("a", "data"), name("a", "data"));
        let long = "d".repeat(253);
        let names = [
            name("a", "data"),
            name("b", "data"),
            name("a", "logs"),
            name("a", &long),
            name("b", &long),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
    }
}
