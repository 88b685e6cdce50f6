//! The envelope: `admission.k8s.io/v1` AdmissionReview, read with borrowed fields and answered in the form the
//! Kubernetes documentation gives. The object stays raw until somebody wants it.
//!
//! - `metadata`: what of an object decides whether anything concerns it
//! - `answer`: the way back

mod answer;
mod metadata;

use std::borrow::Cow;

use clusterbackup_core::object::GroupResource;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

pub use answer::AdmissionResponse;
pub use metadata::Metadata;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Causes quote what they are about, and that may be long.
const CAUSE_BYTES: usize = 512;

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
    /// Who asks for it.
    #[serde(borrow, default)]
    pub user_info: UserInfo<'a>,
    /// The object as it would be stored; `null` on DELETE.
    #[serde(borrow)]
    pub object: &'a RawValue,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
}

/// The author of a request.
#[derive(Debug, Default, Deserialize)]
pub struct UserInfo<'a> {
    /// As the API server has authenticated it.
    #[serde(borrow, default)]
    pub username: Cow<'a, str>,
    /// Empty where the authenticator gives none.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    /// A list of names; few reviews want to know.
    #[serde(borrow, default)]
    pub groups: Option<&'a RawValue>,
    /// Lists of values by their names, as the groups.
    #[serde(borrow, default)]
    pub extra: Option<&'a RawValue>,
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
    /// The version of the group that the object is written in.
    #[serde(borrow, default)]
    pub version: Cow<'a, str>,
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
        if request.operation == Operation::Update && request.old_object.is_none() {
            return Err(ReviewError::Malformed {
                uid: request.uid.into_owned(),
                cause: "an UPDATE comes without its oldObject".to_owned(),
            });
        }
        Ok(request)
    }

    /// The namespace the object is in; `None` for cluster-scoped ones. A Namespace is among these, although the API
    /// server states its own name for it.
    pub fn namespace(&self) -> Option<&str> {
        let is_namespace = self.resource.group.is_empty() && self.resource.resource == "namespaces";
        (!self.namespace.is_empty() && !is_namespace).then_some(self.namespace.as_ref())
    }

    /// The object that an UPDATE changes, as it is stored.
    pub fn existing(&self) -> Option<&'a RawValue> {
        self.old_object.filter(|_| self.operation == Operation::Update)
    }

    /// The resource as rules name it.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(self.resource.group.as_ref(), self.resource.resource.as_ref())
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
