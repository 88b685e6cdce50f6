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
