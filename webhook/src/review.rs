//! The envelope: `admission.k8s.io/v1` AdmissionReview, read with borrowed fields and answered in the form the
//! Kubernetes documentation gives. The object stays raw until somebody wants it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clusterbackup_core::object::GroupResource;
use json_patch::PatchOperation;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thiserror::Error;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The API server cuts a warning after this many bytes, and drops those beyond 4096 in all.
const WARNING_BYTES: usize = 256;
const WARNINGS: usize = 8;

/// Causes quote what they are about, and that may be long.
const CAUSE_BYTES: usize = 512;
/// A refusal names every problem of a rule set; somebody is to read it.
const MESSAGE_BYTES: usize = 16 << 10;

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
#[serde(bound(deserialize = "R: Deserialize<'de>"))]
struct Envelope<'a, R> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    request: Option<R>,
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

impl ReviewError {
    fn unreadable(cause: &str) -> Self {
        Self::Unreadable(shortened(cause, CAUSE_BYTES))
    }

    /// Looks again at what could not be read as a whole, to find out whom to answer.
    fn of(text: &str, error: &serde_json::Error) -> Self {
        let envelope = serde_json::from_str::<Envelope<'_, &RawValue>>(text);
        let request = match envelope.map(Envelope::open) {
            Ok(Ok(request)) => request.get(),
            Ok(Err(error)) => return error,
            Err(error) => return Self::unreadable(&format!("not JSON of its shape: {error}")),
        };
        match serde_json::from_str::<Identified<'_>>(request) {
            Ok(Identified { uid }) if !uid.is_empty() => Self::Malformed {
                uid: uid.into_owned(),
                cause: shortened(&error.to_string(), CAUSE_BYTES),
            },
            _ => Self::unreadable(&format!("its request has no uid, and {error}")),
        }
    }
}

impl<R> Envelope<'_, R> {
    /// What is in it, if it is a review at all.
    fn open(self) -> Result<R, ReviewError> {
        let (version, kind) = (&self.api_version, &self.kind);
        if kind != KIND || version != API_VERSION {
            return Err(ReviewError::unreadable(&format!(
                "it is {version:?} {kind:?}, not {API_VERSION:?} {KIND:?}"
            )));
        }
        self.request
            .ok_or_else(|| ReviewError::unreadable("it has no request"))
    }
}

impl<'a> AdmissionRequest<'a> {
    /// Reads a review out of a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        let text = std::str::from_utf8(body)
            .map_err(|error| ReviewError::unreadable(&format!("not JSON of its shape: {error}")))?;
        let request = match serde_json::from_str::<Envelope<'a, Self>>(text) {
            Ok(envelope) => envelope.open()?,
            Err(error) => return Err(ReviewError::of(text, &error)),
        };
        if request.uid.is_empty() {
            return Err(ReviewError::unreadable("its request has no uid"));
        }
        Ok(request)
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
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
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

/// Goes through the members of an object as far as its metadata.
struct Search<'s, 'a>(&'s mut Option<Metadata<'a>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Member {
    Metadata,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Visitor<'de> for Search<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(member) = members.next_key()? {
            match member {
                Member::Metadata => {
                    *self.0 = Some(members.next_value()?);
                    return Ok(());
                }
                Member::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'a> Metadata<'a> {
    /// Reads the metadata of `object` and nothing behind it: the API server writes what is large behind it.
    pub fn parse(object: &'a RawValue) -> Result<Self, serde_json::Error> {
        let mut found = None;
        let end = serde_json::Deserializer::from_str(object.get()).deserialize_map(Search(&mut found));
        // That the rest was not read is an error only where it was needed.
        found.map_or_else(|| end.map(|()| Self::default()), Ok)
    }

    /// Whether it is a server-side apply that creates the object. The API server has noted the author's ownership by
    /// now: as `Apply` alone, since an apply may bring none along, and otherwise as `Update`, whatever the object brings
    /// from a former life. (The request's options don't tell: they are `CreateOptions` either way.)
    pub fn is_server_side_apply(&self) -> bool {
        let owners = self.managed_fields.as_deref().unwrap_or_default();
        !owners.is_empty() && owners.iter().all(|owner| owner.operation == "Apply")
    }

    /// The object as far as it bears its name and what is noted on it.
    pub fn outline(&self) -> Result<Value, serde_json::Error> {
        let mut metadata = Map::new();
        if let Some(name) = &self.name {
            metadata.insert("name".to_owned(), name.as_ref().into());
        }
        if let Some(annotations) = self.annotations {
            metadata.insert("annotations".to_owned(), serde_json::from_str(annotations.get())?);
        }
        Ok(Value::Object(Map::from_iter([(
            "metadata".to_owned(),
            metadata.into(),
        )])))
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
    pub fn deny(uid: impl Into<String>, code: u16, message: &str) -> Self {
        let message = shortened(message, MESSAGE_BYTES);
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
            .map(|warning| shortened(&warning, WARNING_BYTES))
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

/// At most so many bytes of a text.
fn shortened(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit - '…'.len_utf8());
    format!("{}…", &text[..end])
}
