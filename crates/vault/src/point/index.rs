//! A line for each object: where it lies, and what can be asked of it without opening it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Digest, Entry};

/// One object of a point.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexEntry {
    /// The plural name, and the group after a dot where there is one.
    pub group_resource: String,
    /// Absent for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Which segment holds it.
    pub segment: u32,
    /// Where its JSON begins in the segment's tar archive.
    pub offset: u64,
    /// The length of its JSON.
    pub size: u64,
    /// The hash of its JSON.
    pub sha256: Digest,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl IndexEntry {
    /// The object as it went in.
    pub(super) fn with_json(self, json: Bytes) -> Entry {
        Entry {
            group_resource: self.group_resource,
            namespace: self.namespace,
            name: self.name,
            labels: self.labels,
            json,
        }
    }
}
