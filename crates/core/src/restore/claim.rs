//! Claims: which get a new volume, and what that is filled from.

#[cfg(test)]
mod tests;

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
