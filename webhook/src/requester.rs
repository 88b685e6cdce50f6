//! `/requester`: who writes an instance, a restore or a hook is written into it, whatever a client sends. Backups and
//! restores have the rights of that user and no others, so nobody gains any through us.
//!
//! Who changes what an object says takes it over: its requester is from then on the one who wrote the change. An update
//! that changes nothing of that, a label say, leaves the requester who he was.

use clusterbackup_api::requester::Requester;
use clusterbackup_api::{GROUP, HOOK_GROUP, labels};
use json_patch::PatchOperation;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::review::{AdmissionRequest, AdmissionResponse, Operation};

/// Where the requester of a kind stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In `spec.requester`.
    Spec,
    /// In an annotation: the schema may be somebody else's.
    Annotation,
}

/// Answers one review.
pub fn review(request: &AdmissionRequest<'_>) -> AdmissionResponse {
    let uid = request.uid.as_ref();
    let recorded = match Place::of(request) {
        Some(place) => record(request, place),
        None => Ok(Vec::new()),
    };
    match recorded.and_then(|operations| AdmissionResponse::allow(uid).with_patch(&operations)) {
        Ok(response) => response,
        Err(error) => AdmissionResponse::deny(uid, 400, &format!("the object can't be read: {error}")),
    }
}

/// Who sends the request, as far as it is recorded.
pub(crate) fn of(request: &AdmissionRequest<'_>) -> Result<Requester, serde_json::Error> {
    let user = &request.user_info;
    let requester = Requester {
        username: user.username.as_ref().to_owned(),
        uid: Some(user.uid.as_ref().to_owned()),
        groups: user.groups.map(read).transpose()?.unwrap_or_default(),
        extra: user.extra.map(read).transpose()?.unwrap_or_default(),
    };
    Ok(requester.bounded())
}

impl Place {
    /// That of the kind in a request; none for kinds without a requester.
    fn of(request: &AdmissionRequest<'_>) -> Option<Self> {
        match (request.kind.group.as_ref(), request.kind.kind.as_ref()) {
            (GROUP, "BackupInstance" | "Restore") => Some(Self::Spec),
            (HOOK_GROUP, "BackupHook" | "RestoreHook") => Some(Self::Annotation),
            _ => None,
        }
    }

    /// What is recorded in an object.
    fn recorded(self, object: &Value) -> Option<&Value> {
        match self {
            Self::Spec => object.get("spec")?.get("requester"),
            Self::Annotation => object.get("metadata")?.get("annotations")?.get(labels::REQUESTER),
        }
    }

    /// What an object says, without its requester.
    fn said(self, object: &Value) -> Option<Value> {
        let mut spec = object.get("spec")?.clone();
        if let (Self::Spec, Value::Object(fields)) = (self, &mut spec) {
            fields.remove("requester");
        }
        Some(spec)
    }

    fn written(self, requester: &Requester) -> Result<Value, serde_json::Error> {
        match self {
            Self::Spec => serde_json::to_value(requester),
            Self::Annotation => serde_json::to_string(requester).map(Value::String),
        }
    }

    fn path(self) -> String {
        match self {
            Self::Spec => "/spec/requester".to_owned(),
            Self::Annotation => format!("/metadata/annotations/{}", labels::REQUESTER.replace('/', "~1")),
        }
    }
}

/// The operations after which the object names its requester.
fn record(request: &AdmissionRequest<'_>, place: Place) -> Result<Vec<PatchOperation>, serde_json::Error> {
    let object: Value = read(request.object)?;
    let wanted = match request.operation {
        Operation::Create => Some(place.written(&of(request)?)?),
        Operation::Update => {
            let existing: Value = request.existing().map_or(Ok(Value::Null), read)?;
            if place.said(&existing) == place.said(&object) {
                place.recorded(&existing).cloned()
            } else {
                Some(place.written(&of(request)?)?)
            }
        }
        Operation::Delete | Operation::Connect => return Ok(Vec::new()),
    };
    let sent = place.recorded(&object);
    let operations = match wanted {
        _ if sent == wanted.as_ref() => json!([]),
        Some(wanted) if place == Place::Annotation && object.pointer("/metadata/annotations").is_none() => {
            json!([{ "op": "add", "path": "/metadata/annotations", "value": { labels::REQUESTER: wanted } }])
        }
        // A spec that is none is refused by its schema.
        Some(_) if place == Place::Spec && !object["spec"].is_object() => json!([]),
        Some(wanted) => json!([{ "op": "add", "path": place.path(), "value": wanted }]),
        None => json!([{ "op": "remove", "path": place.path() }]),
    };
    serde_json::from_value(operations)
}

fn read<T: serde::de::DeserializeOwned>(raw: &RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(raw.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of an object that `jane` creates, or makes of `old`.
    fn stored(kind: &str, object: &Value, old: Option<&Value>) -> Value {
        let group = if kind.ends_with("Hook") { HOOK_GROUP } else { GROUP };
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "kind": {"group": group, "version": "v1alpha1", "kind": kind},
            "resource": {"group": group, "version": "v1alpha1", "resource": "any"},
            "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
            "userInfo": {"username": "jane", "groups": ["team"], "extra": {"oid": ["7"]}},
            "object": object, "oldObject": old,
        }});
        let body = review.to_string();
        let request = AdmissionRequest::parse(body.as_bytes()).unwrap();
        let place = Place::of(&request).unwrap();
        let mut object = object.clone();
        json_patch::patch(&mut object, &record(&request, place).unwrap()).unwrap();
        object
    }

    fn jane() -> Value {
        json!({"username": "jane", "groups": ["team"], "extra": {"oid": ["7"]}})
    }

    #[test]
    fn who_creates_an_object_is_its_requester_whatever_it_says() {
        for spec in [
            json!({}),
            json!({"requester": {"username": "root"}}),
            json!({"requester": null}),
        ] {
            for kind in ["BackupInstance", "Restore"] {
                let stored = stored(kind, &json!({"spec": spec}), None);
                assert_eq!(stored["spec"]["requester"], jane(), "{kind}: {spec}");
            }
        }
        for metadata in [
            json!({"name": "a"}),
            json!({"annotations": {"a": "b"}}),
            json!({"annotations": {labels::REQUESTER: "{\"username\":\"root\"}"}}),
        ] {
            let object = json!({"metadata": metadata, "spec": {}});
            let stored = stored("BackupHook", &object, None);
            let text = stored["metadata"]["annotations"][labels::REQUESTER]
                .as_str()
                .unwrap();
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), jane(), "{metadata}");
        }
    }

    #[test]
    fn who_changes_what_an_instance_says_takes_it_over() {
        let root = json!({"username": "root"});
        let old = json!({"spec": {"snapshotVolumes": true, "requester": root}});
        let requester = |spec: Value| {
            let stored = stored("BackupInstance", &json!({"spec": spec}), Some(&old));
            stored["spec"].get("requester").cloned()
        };
        for (spec, expected) in [
            (json!({"snapshotVolumes": false, "requester": root}), jane()),
            (json!({"snapshotVolumes": true}), root.clone()),
            (
                json!({"snapshotVolumes": true, "requester": jane()}),
                root.clone(),
            ),
            (json!({"snapshotVolumes": true, "requester": root}), root.clone()),
        ] {
            assert_eq!(requester(spec.clone()), Some(expected), "{spec}");
        }
    }

    #[test]
    fn an_object_of_nobody_stays_nobodys_until_somebody_changes_what_it_says() {
        let old = json!({"metadata": {}, "spec": {"restoreHook": []}});
        let forged =
            json!({"metadata": {"annotations": {labels::REQUESTER: "{}"}}, "spec": {"restoreHook": []}});
        let kept = stored("RestoreHook", &forged, Some(&old));
        assert_eq!(kept["metadata"]["annotations"], json!({}));
        let changed = json!({"metadata": {}, "spec": {"restoreHook": [{}]}});
        let taken = stored("RestoreHook", &changed, Some(&old));
        assert!(taken["metadata"]["annotations"][labels::REQUESTER].is_string());
    }
}
