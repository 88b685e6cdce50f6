//! The envelope: `admission.k8s.io/v1` AdmissionReview, read with borrowed fields and answered in the form the
//! Kubernetes documentation gives. The object stays raw until somebody wants it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clusterbackup_core::object::GroupResource;
use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The API server cuts a warning after this many bytes, and drops those beyond 4096 in all.
const WARNING_BYTES: usize = 256;
const WARNINGS: usize = 8;

/// What the API server asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionRequest<'a> {
    /// Identifies the review; every answer repeats it.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The kind of the object.
    #[serde(borrow)]
    pub kind: Kind<'a>,
    /// The resource it is a kind of.
    #[serde(borrow)]
    pub resource: Resource<'a>,
    /// Missing or empty where the API server is to make the name.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    /// What is being done to the object.
    pub operation: Operation,
    /// The object as it would be stored; `null` on DELETE.
    #[serde(borrow)]
    pub object: &'a RawValue,
}

/// `group/version, Kind` of an object.
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    /// Its API group; empty for the core group.
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    /// Its kind.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

/// The resource of an object.
#[derive(Debug, Deserialize)]
pub struct Resource<'a> {
    /// Its API group; empty for the core group.
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    /// Its plural name.
    #[serde(borrow)]
    pub resource: Cow<'a, str>,
}

/// The operations of admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// A new object.
    Create,
    /// A changed one.
    Update,
    /// A deletion.
    Delete,
    /// A connection to a subresource.
    Connect,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

/// Only the uid of a request that can't be read otherwise.
#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
}

/// Why a body is no review.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// Nothing to answer to: the caller gets an HTTP error.
    #[error("the body is no {KIND}: {0}")]
    Unreadable(String),
    /// The request has a uid, so that the answer can be a review.
    #[error("the {KIND} can't be read: {cause}")]
    Malformed {
        /// The uid of the request.
        uid: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl<'a> AdmissionRequest<'a> {
    /// Reads a review out of a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        let unreadable = |cause: String| ReviewError::Unreadable(cause);
        let envelope: Envelope<'a> = serde_json::from_slice(body)
            .map_err(|error| unreadable(format!("not JSON of its shape: {error}")))?;
        if envelope.kind != KIND || envelope.api_version != API_VERSION {
            let (version, kind) = (&envelope.api_version, &envelope.kind);
            return Err(unreadable(format!(
                "it is {version:?} {kind:?}, not {API_VERSION:?} {KIND:?}"
            )));
        }
        let raw = envelope
            .request
            .ok_or_else(|| unreadable("it has no request".to_owned()))?
            .get();
        match serde_json::from_str::<Self>(raw) {
            Ok(request) if request.uid.is_empty() => Err(unreadable("its request has no uid".to_owned())),
            Ok(request) => Ok(request),
            Err(error) => Err(match serde_json::from_str::<Identified<'_>>(raw) {
                Ok(Identified { uid }) if !uid.is_empty() => ReviewError::Malformed {
                    uid: uid.into_owned(),
                    cause: error.to_string(),
                },
                _ => unreadable(format!("its request has no uid, and {error}")),
            }),
        }
    }

    /// The namespace the object is in; `None` for cluster-scoped ones. A Namespace is among these, although the API
    /// server states its own name for it.
    pub fn namespace(&self) -> Option<&str> {
        let is_namespace = self.resource.group.is_empty() && self.resource.resource == "namespaces";
        (!self.namespace.is_empty() && !is_namespace).then_some(self.namespace.as_ref())
    }

    /// The resource as rules name it.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(self.resource.group.as_ref(), self.resource.resource.as_ref())
    }
}

/// What of an object's metadata decides whether anything concerns it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Missing where the API server is to make the name.
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    /// What it makes the name from.
    #[serde(borrow, default)]
    pub generate_name: Option<Cow<'a, str>>,
    /// Its labels.
    #[serde(borrow, default)]
    pub labels: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    /// Who owns its fields, the author of the request included.
    #[serde(borrow, default)]
    managed_fields: Option<Vec<Ownership<'a>>>,
}

/// One owner of some fields.
#[derive(Debug, Deserialize)]
struct Ownership<'a> {
    /// `Apply` or `Update`.
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
}

impl<'a> Metadata<'a> {
    /// Reads the metadata of `object` and nothing else of it.
    pub fn parse(object: &'a RawValue) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow, default)]
            metadata: Metadata<'a>,
        }
        serde_json::from_str::<Object<'a>>(object.get()).map(|object| object.metadata)
    }

    /// Whether it is a server-side apply that creates the object. The API server has noted the author's ownership by
    /// now: as `Apply` alone, since an apply may bring none along, and otherwise as `Update`, whatever the object brings
    /// from a former life. (The request's options don't tell: they are `CreateOptions` either way.)
    pub fn is_server_side_apply(&self) -> bool {
        let owners = self.managed_fields.as_deref().unwrap_or_default();
        !owners.is_empty() && owners.iter().all(|owner| owner.operation == "Apply")
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(AsRef::as_ref)
    }
}

/// The answer to a review.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionResponse {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    patch: Option<JsonPatch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename = "Failure")]
struct Status {
    code: u16,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonPatch {
    patch_type: &'static str,
    /// Base64 of the operations.
    patch: String,
}

impl AdmissionResponse {
    /// Admits the object as it is.
    pub fn allow(uid: impl Into<String>) -> Self {
        Self {
            uid: uid.into(),
            allowed: true,
            status: None,
            patch: None,
            warnings: Vec::new(),
            audit_annotations: BTreeMap::new(),
        }
    }

    /// Refuses the object. `message` names what refuses it and the way out.
    pub fn deny(uid: impl Into<String>, code: u16, message: String) -> Self {
        let status = Status { code, message };
        Self {
            allowed: false,
            status: Some(status),
            ..Self::allow(uid)
        }
    }

    /// Changes the object by `operations`.
    pub fn with_patch(mut self, operations: &[PatchOperation]) -> Result<Self, serde_json::Error> {
        if !operations.is_empty() {
            let patch = STANDARD.encode(serde_json::to_vec(operations)?);
            self.patch = Some(JsonPatch {
                patch_type: "JSONPatch",
                patch,
            });
        }
        Ok(self)
    }

    /// Tells the client; as many and as much of them as the API server passes on.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        let more = warnings.len().saturating_sub(WARNINGS);
        self.warnings = warnings
            .into_iter()
            .take(WARNINGS)
            .map(|warning| shortened(&warning))
            .collect();
        if more > 0 {
            self.warnings.push(format!("and {more} more warnings"));
        }
        self
    }

    /// Writes into the audit log; the API server puts the webhook's name before the key.
    #[must_use]
    pub fn with_audit(mut self, key: &'static str, value: String) -> Self {
        self.audit_annotations.insert(key, value);
        self
    }

    /// Whether the object is admitted.
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// The review as it goes over the wire.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Review<'a> {
            api_version: &'static str,
            kind: &'static str,
            response: &'a AdmissionResponse,
        }
        serde_json::to_vec(&Review {
            api_version: API_VERSION,
            kind: KIND,
            response: self,
        })
    }
}

fn shortened(warning: &str) -> String {
    if warning.len() <= WARNING_BYTES {
        return warning.to_owned();
    }
    let mut end = WARNING_BYTES - '…'.len_utf8();
    while !warning.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &warning[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    #[test]
    fn an_object_that_is_owned_by_applies_alone_is_created_by_one() {
        for (operations, is_apply) in [
            (
                json!([{"operation": "Apply", "manager": "kubectl", "fieldsV1": {"f:data": {}}}]),
                true,
            ),
            (
                json!([{"operation": "Update", "manager": "kubectl-create"}]),
                false,
            ),
            (json!([{"operation": "Apply"}, {"operation": "Update"}]), false),
            (json!([]), false),
            (json!(null), false),
        ] {
            let object = to_raw_value(&json!({"metadata": {"managedFields": operations}})).unwrap();
            let metadata = Metadata::parse(&object).unwrap();
            assert_eq!(metadata.is_server_side_apply(), is_apply, "{operations}");
        }
    }
}
