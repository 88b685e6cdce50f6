//! The answer to a review, in the form the Kubernetes documentation gives.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use json_patch::PatchOperation;
use serde::Serialize;

use super::{API_VERSION, KIND, shortened};

/// The API server cuts a warning after this many bytes, and drops those beyond 4096 in all.
const WARNING_BYTES: usize = 256;
const WARNINGS: usize = 8;

/// A refusal names every problem of a rule set; somebody is to read it.
const MESSAGE_BYTES: usize = 16 << 10;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
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
        let status = Status {
            code,
            // Without a reason, 409 is a conflict of versions, after which the API server tries a patch again by itself.
            reason: (code == 409).then_some("AlreadyExists"),
            message,
        };
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
