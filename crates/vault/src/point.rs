//! What one recovery point is made of. Layout, parts and the commit are in `docs/vault.md`.
//!
//! - `layout`: where the parts lie
//! - `digest`: SHA-256
//! - `document`: JSON in clear text that carries its own hash
//! - `manifest`: what says that the point exists, and what it is made of
//! - `compression`: how parts are compressed
//! - `part`: one blob on its way to the store
//! - `segment`: objects as a tar archive
//! - `lines`: JSON lines, compressed as they come
//! - `index`: a line for each object
//! - `writer`: makes a point
//! - `reader`: reads it
//! - `survey`: which of its objects a restore takes
//! - `data`: what it has of the data of claims
//! - `verify`: compares all of it with what was written
//! - `error`: what can go wrong

mod compression;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
mod data;
mod digest;
pub(crate) mod document;
mod error;
#[cfg(test)]
mod hostile;
mod index;
pub(crate) mod layout;
pub(crate) mod lines;
mod manifest;
pub(crate) mod part;
pub(crate) mod reader;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod segment;
mod survey;
mod verify;
mod writer;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::data::data;
pub use self::digest::Digest;
pub use self::error::{Damage, PointError};
pub use self::index::IndexEntry;
pub use self::layout::{Attempt, BadAttempt, Part, PartFile};
pub use self::manifest::{
    BackupName, Begin, LogLevel, LogLine, Manifest, PointPhase, PointResult, PointVolume, Snapshot, Stored,
};
pub use self::reader::PointReader;
pub use self::survey::survey;
pub use self::verify::{Verification, verify};
pub use self::writer::{Added, PointWriter};

/// Names a recovery point for ever: the UID of its Backup, so that a repeated commit is recognised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PointId(String);

/// One object as it goes into a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The plural name, and the group after a dot where there is one: `deployments.apps`, `pods`.
    pub group_resource: String,
    /// Absent for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The object as JSON, as the API server gave it.
    pub json: Bytes,
}

/// A text that can't name a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no recovery point: it must be the UID of a Backup, as 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f"
)]
pub struct BadPointId(String);

impl PointId {
    /// From the UID of a Backup.
    pub fn new(uid: impl Into<String>) -> Result<Self, BadPointId> {
        let uid = uid.into();
        let lengths = uid.split('-').map(str::len);
        let good = lengths.eq([8, 4, 4, 4, 12])
            && uid
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        if good { Ok(Self(uid)) } else { Err(BadPointId(uid)) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PointId {
    type Error = BadPointId;

    fn try_from(uid: String) -> Result<Self, BadPointId> {
        Self::new(uid)
    }
}

impl From<PointId> for String {
    fn from(id: PointId) -> Self {
        id.0
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_by_a_uid() {
        let uid = "0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f";
        assert_eq!(PointId::new(uid).unwrap().as_str(), uid);
        for bad in [
            "",
            "a",
            "../../vault.json",
            &uid.to_uppercase(),
            &uid[1..],
            &format!("{uid}-"),
        ] {
            assert_eq!(PointId::new(bad), Err(BadPointId(bad.to_owned())));
        }
    }
}
