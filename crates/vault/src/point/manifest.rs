//! What says that a point exists, and what it is made of. Clear text, so it holds no name of any object.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::node_task::Consistency;
use clusterbackup_core::cut::SkipReason;
use clusterbackup_core::retention::Period;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::layout::{self, Part};
use super::{Attempt, Damage, Digest, PartFile, PointError, PointId, document};
use crate::seal::Recipient;
use crate::store::{Key, Store};

/// The first part of an attempt: who began it. It tells what is left of a run that ended too early.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Begin {
    /// The point.
    pub id: PointId,
    /// This run at it.
    pub attempt: Attempt,
    /// The cluster: the UID of its namespace kube-system.
    pub cluster: String,
    /// The Backup.
    pub backup: BackupName,
    /// The BackupInstance, in the namespace of the Backup.
    pub instance: String,
    /// When the run began.
    pub started: Timestamp,
}

/// Which Backup it was.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BackupName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What a run came to, when it commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointResult {
    /// When the run ended.
    pub finished: Timestamp,
    /// How.
    pub phase: PointPhase,
    /// Kinds that couldn't be read, or not all of them: their plural names with groups. The reasons go into the log.
    pub unread: BTreeSet<String>,
    /// Kinds whose list had to be continued at a later state, by their plural names with groups.
    pub inconsistent: BTreeSet<String>,
    /// What became of each volume.
    pub volumes: Vec<PointVolume>,
    /// The periods of the calendar that it is the first complete point of.
    pub first_of: BTreeSet<Period>,
}

/// How a run ended that left a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum PointPhase {
    /// Everything that was selected is in it.
    Completed,
    /// Something that was selected is not in it, or a hook failed.
    CompletedWithWarnings,
}

/// What became of one claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PointVolume {
    /// Its namespace.
    pub namespace: String,
    /// The claim.
    pub claim: String,
    /// The snapshot; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The claim's StorageClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// What the cut can be trusted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
    /// Why there is no snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// How long the application stood still for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_millis: Option<u64>,
}

/// A snapshot that the driver keeps, and whose content was read back as Retain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The CSI driver.
    pub driver: String,
    /// Its handle.
    pub handle: String,
    /// What a volume made from it needs at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

/// What the run had to say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LogLine {
    /// When.
    pub time: Timestamp,
    /// How bad it is.
    pub level: LogLevel,
    /// For a person; no secret values.
    pub message: String,
}

/// How bad a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For the record.
    Info,
    /// Something is not as it should be.
    Warning,
    /// Something isn't in the point.
    Error,
}

/// The stored bytes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Stored {
    /// How many.
    pub size: u64,
    /// Their hash.
    pub sha256: Digest,
}

/// `catalogue/<id>.json`: it exists if and only if the point exists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// What these fields mean.
    pub format: u32,
    /// Who made the point.
    #[serde(flatten)]
    pub begin: Begin,
    /// When the run ended.
    pub finished: Timestamp,
    /// How.
    pub phase: PointPhase,
    /// How many objects there are of each kind.
    pub counts: BTreeMap<String, u64>,
    /// The length of all objects as JSON.
    pub object_bytes: u64,
    /// Kinds that couldn't be read, or not all of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unread: BTreeSet<String>,
    /// Kinds whose list had to be continued at a later state.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inconsistent: BTreeSet<String>,
    /// The periods of the calendar that it is the first complete point of: retention asks for them, and they can't be found
    /// anew when earlier points are gone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub first_of: BTreeSet<Period>,
    /// The snapshots that the point needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
    /// Whose keys open the parts; none: they are in clear text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Recipient>,
    /// Every part, as it is stored.
    pub parts: BTreeMap<PartFile, Stored>,
}

/// What is read first: a later format may have other fields.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    /// The format that is written.
    pub const FORMAT: u32 = 1;

    /// The manifest of a point, if it is whole.
    pub(crate) async fn load(store: &Store, id: &PointId) -> Result<Self, PointError> {
        let key = layout::manifest(id)?;
        let bytes = match document::bytes(store, &key).await {
            Err(PointError::Damaged {
                damage: Damage::Missing,
                ..
            }) => {
                return Err(PointError::NoSuchPoint(id.clone()));
            }
            bytes => bytes?,
        };
        Self::read(id, &key, &bytes)
    }

    /// What stands in the manifest of a point, if it is whole.
    pub(crate) fn read(id: &PointId, key: &Key, bytes: &[u8]) -> Result<Self, PointError> {
        let Format { format } = document::read(key, bytes)?;
        if format > Self::FORMAT {
            let (key, found, read) = (key.clone(), format, Self::FORMAT);
            return Err(PointError::NewerFormat { key, found, read });
        }
        let manifest: Self = document::read(key, bytes)?;
        if manifest.begin.id != *id {
            return Err(PointError::unreadable(
                key,
                "it is the manifest of another recovery point",
            ));
        }
        let whole = manifest.names_all_parts();
        whole
            .then_some(manifest)
            .ok_or_else(|| PointError::unreadable(key, "it doesn't name all parts"))
    }

    /// Whether it names each part that a point has, and no other: all segments from the first on.
    fn names_all_parts(&self) -> bool {
        let sealed = self.is_sealed();
        let file = |part| PartFile {
            part,
            sealed: sealed && part != Part::Begin,
        };
        let segments = self.parts.len().saturating_sub(Self::OTHER_PARTS.len());
        let segments = (0..).map(Part::Segment).take(segments);
        segments
            .chain(Self::OTHER_PARTS)
            .all(|part| self.parts.contains_key(&file(part)))
    }

    const OTHER_PARTS: [Part; 4] = [Part::Begin, Part::Index, Part::Volumes, Part::Log];

    /// How many objects the point holds.
    pub fn objects(&self) -> u64 {
        self.counts
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// What all parts take of the store.
    pub fn stored_bytes(&self) -> u64 {
        self.parts
            .values()
            .fold(0, |sum, stored| sum.saturating_add(stored.size))
    }

    /// Whether the parts are encrypted.
    pub const fn is_sealed(&self) -> bool {
        !self.recipients.is_empty()
    }
}
