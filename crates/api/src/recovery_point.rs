//! `RecoveryPoint`: a vault's entry of its catalogue, as the cluster shows it. The vault is the truth: deleting the object
//! deletes no data.

use clusterbackup_core::report::BackupPhase;
use clusterbackup_core::retention::{Deletion, Entry, Outcome, Period, Point};
pub use clusterbackup_core::retention::{Tier, Wanted};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use k8s_openapi::jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node_task::RunReference;
use crate::{conditions, schema};

/// What a vault holds of one backup.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "RecoveryPoint",
    namespaced,
    derive = "PartialEq",
    status = "RecoveryPointStatus",
    shortname = "rp",
    category = "clusterbackup",
    doc = "What a vault holds of one backup. A mirror: deleting it deletes no data.",
    validation = Rule::new("self.spec.vault == oldSelf.spec.vault && self.spec.instance == oldSelf.spec.instance && self.spec.backup == oldSelf.spec.backup && self.spec.cluster == oldSelf.spec.cluster && self.spec.startedAt == oldSelf.spec.startedAt && self.spec.finishedAt == oldSelf.spec.finishedAt && self.spec.phase == oldSelf.spec.phase && self.spec.objects == oldSelf.spec.objects && self.spec.bytes == oldSelf.spec.bytes && self.spec.storedBytes == oldSelf.spec.storedBytes && self.spec.volumes == oldSelf.spec.volumes && self.spec.encrypted == oldSelf.spec.encrypted && self.spec.format == oldSelf.spec.format && self.spec.firstOf == oldSelf.spec.firstOf")
        .message("a recovery point says what its vault holds: nothing of it can be changed but wanted"),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.instance"),
    printcolumn(name = "Vault", type_ = "string", json_path = ".spec.vault"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".spec.phase"),
    printcolumn(name = "Objects", type_ = "integer", json_path = ".spec.objects"),
    printcolumn(name = "Volumes", type_ = "integer", json_path = ".spec.volumes"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(
        name = "Available",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Available\")].status"
    ),
    printcolumn(name = "Finished", type_ = "date", json_path = ".spec.finishedAt")
)]
pub struct RecoveryPointSpec {
    /// The BackupVault in the same namespace.
    #[schemars(schema_with = "schema::object_name")]
    pub vault: String,
    /// The BackupInstance that it is of.
    #[schemars(schema_with = "schema::object_name")]
    pub instance: String,
    /// The Backup that made it. Its uid is the point's id.
    pub backup: RunReference,
    /// The cluster that it is of: the uid of its namespace kube-system; of Velero's unknown.
    #[schemars(length(max = 128))]
    pub cluster: String,
    /// When the Backup began.
    pub started_at: MicroTime,
    /// When everything was stored.
    pub finished_at: MicroTime,
    /// How the Backup ended: Completed, or CompletedWithWarnings where something is missing.
    pub phase: BackupPhase,
    /// The periods that it was the first complete point of when it was made, by the time zone of its policy: by them its policy
    /// keeps it.
    #[serde(default)]
    #[schemars(length(max = 4))]
    pub first_of: Vec<Period>,
    /// How many objects it holds.
    pub objects: u64,
    /// Their size as JSON, in bytes. Of Velero's: as stored.
    pub bytes: u64,
    /// What is stored of that, in bytes, compressed and encrypted.
    pub stored_bytes: u64,
    /// How many snapshots of volumes it names. They are in the cluster's storage, not in the vault.
    pub volumes: u32,
    /// Whether it can be read only by a private key.
    pub encrypted: bool,
    /// What it is stored as. Native: as this system stores points. Velero: as a backup of Velero or AKS Backup, of which no more
    /// is known than its description says; instance is what its vault is called. Default: Native.
    #[serde(default)]
    pub format: PointFormat,
    /// What is asked of this point. Deleted: it is deleted, and its data is removed when the time for having it back is over
    /// (softDelete of the vault). Present: it is undeleted, if it was deleted, and its policy doesn't delete it. Default: its
    /// policy decides; where the vault has recorded that it was deleted by its name, only Present takes that back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
}

/// What a point is stored as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum PointFormat {
    /// As this system stores it.
    #[default]
    Native,
    /// As a backup of Velero or AKS Backup.
    Velero,
}

impl RecoveryPointSpec {
    /// The point as retention judges it.
    pub fn judged(&self) -> Point {
        Point {
            id: self.backup.uid.clone(),
            time: self.started_at.0,
            outcome: match self.phase {
                BackupPhase::Completed => Outcome::Completed(self.first_of.iter().copied().collect()),
                _ => Outcome::Partial,
            },
            base_of: Vec::new(),
        }
    }
}

impl RecoveryPoint {
    /// The point in a tier; nothing where it isn't there. As long as nobody has looked, it is where it was made.
    pub fn in_tier(&self, tier: Tier) -> Option<PointInTier> {
        let mut tiers = self.status.iter().flat_map(|status| &status.tiers).peekable();
        if tiers.peek().is_some() {
            return tiers.find(|in_tier| in_tier.tier == tier).cloned();
        }
        (tier == Tier::Operational).then_some(PointInTier {
            tier,
            state: PointState::Available,
            expires_at: None,
            kept_because: None,
        })
    }

    /// The point in a tier as retention judges it, as far as the cluster knows.
    pub fn entry(&self, in_tier: &PointInTier) -> Entry {
        let status = self.status.clone().unwrap_or_default();
        let wanted = self.spec.wanted;
        Entry {
            point: self.spec.judged(),
            deletion: (in_tier.state != PointState::Available).then(|| Deletion {
                purge_after: status.purge_after.map_or(Timestamp::MAX, |after| after.0),
                named: wanted == Some(Wanted::Deleted),
            }),
            kept_until: status.kept_until.map(|until| until.0),
            wanted,
            awaited: in_tier.tier == Tier::Operational && status.awaits_copy.is_some(),
            reader: None,
        }
    }
}

/// The type of the condition that says whether its vault has a point.
pub const AVAILABLE: &str = "Available";
/// The type of the condition that says whether a point was as it was written when all of it was last read.
pub const VERIFIED: &str = "Verified";
/// Why neither may hold: something of the point is not as it was written.
pub const DAMAGED: &str = "Damaged";

/// Whether a point is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum PointState {
    /// It is not.
    Available,
    /// It is, and can be had back.
    Deleted,
    /// Its objects are removed, and snapshots of it are not gone yet.
    Purging,
}

/// A point in one tier of its vault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointInTier {
    /// Operational: where it was made. Vault: its copy in the vault tier.
    pub tier: Tier,
    /// Available; or Deleted, and to be had back by wanted.
    pub state: PointState,
    /// When its policy deletes it there, as far as time alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Why it stays there, where that is not just its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub kept_because: Option<String>,
}

/// What is known of a point beside what it holds: of a point that is in two tiers, in the first where it isn't deleted.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPointStatus {
    /// Available; Deleted, and to be had back by wanted; Purging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PointState>,
    /// Of a deleted point: from when on its data is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_after: Option<Time>,
    /// When its policy deletes it, as far as time alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Until when its vault keeps it at least, in one tier or the other, whatever is asked for: an immutable vault has promised
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Time>,
    /// Why it stays, where that is not just its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub kept_because: Option<String>,
    /// When all its parts were last read, and compared with what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Time>,
    /// The tiers that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub tiers: Vec<PointInTier>,
    /// Of a point that is to be copied into the vault tier, and is not there yet: what that waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub awaits_copy: Option<String>,
    /// The cluster that has adopted it; it can be deleted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub adopted_by: Option<String>,
    /// Available: whether its vault has it. False where the vault doesn't, or has it damaged; Unknown where the vault can't
    /// be read, or lists nothing at all. Verified: whether all its parts were as they were written, at verifiedAt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}
