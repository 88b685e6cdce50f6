//! `Backup`: one run of an instance.

use clusterbackup_core::cut::SkipReason;
pub use clusterbackup_core::report::{BackupPhase, Counts};
use clusterbackup_core::schedule::backup_name;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use k8s_openapi::jiff::Timestamp;
use kube::{CustomResource, KubeSchema, ResourceExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node_task::Consistency;
use crate::{conditions, labels, schema};

/// One run of a BackupInstance.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "Backup",
    namespaced,
    derive = "PartialEq",
    status = "BackupStatus",
    shortname = "cbk",
    category = "clusterbackup",
    doc = "One run of a BackupInstance.",
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.instance"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Volumes", type_ = "integer", json_path = ".status.counts.taken"),
    printcolumn(name = "Objects", type_ = "integer", json_path = ".status.objects.stored"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct BackupSpec {
    /// The BackupInstance in the same namespace.
    #[schemars(schema_with = "schema::object_name")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("a backup stays with its instance: make another Backup"))]
    pub instance: String,
    /// Whether the run is to be stopped: nothing more is frozen or cut, everything is thawed. Default: false.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self || !oldSelf").message("a cancelled backup stays cancelled: make another Backup"))]
    pub cancel: bool,
}

/// How far a backup is, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupStatus {
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<BackupPhase>")]
    pub phase: Option<BackupPhase>,
    /// Why it stands there, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub message: Option<String>,
    /// When the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// Sums over everything.
    #[serde(default)]
    pub counts: Counts,
    /// What was stored of objects, where the instance names a vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectCounts>,
    /// The RecoveryPoint in the same namespace, once the vault has everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub recovery_point: Option<String>,
    /// What is not as it should be, one sentence each, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 1024)))]
    pub warnings: Vec<String>,
    /// What became of each claim, at most 1,000; the counts are complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub volumes: Vec<VolumeReport>,
    /// Freeze units that had to be cut at one moment on several nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub barriers: Vec<BarrierReport>,
    /// Complete: whether it ended, and how. Thawed: whether every application runs freely.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

/// What was stored of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectCounts {
    /// Objects that were written.
    pub stored: u64,
    /// Their size as JSON, in bytes.
    pub bytes: u64,
    /// Kinds that were read to their end.
    pub kinds: u32,
    /// Kinds to read.
    pub kinds_total: u32,
    /// Kinds of which something could not be read; the warnings say why.
    pub kinds_unread: u32,
}

/// What became of one claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeReport {
    /// Its namespace.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
    /// The claim.
    #[schemars(schema_with = "schema::object_name")]
    pub claim: String,
    /// The VolumeSnapshot; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub snapshot: Option<String>,
    /// The VolumeSnapshotContent, read back with deletionPolicy Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub content: Option<String>,
    /// The driver's handle of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub handle: Option<String>,
    /// The CSI driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub driver: Option<String>,
    /// What the cut can be trusted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<Consistency>")]
    pub consistency: Option<Consistency>,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<SkipReason>")]
    pub skipped: Option<SkipReason>,
    /// What went wrong, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub message: Option<String>,
}

/// A freeze unit that had to be cut at one moment on several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BarrierReport {
    /// The unit.
    #[schemars(length(min = 1, max = 63))]
    pub unit: String,
    /// Whether no node thawed before every node had cut.
    pub met: bool,
    /// The nodes that broke it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 253)))]
    pub broken_by: Vec<String>,
    /// From the release of the cut to the last report of one, by the leader's clock: the cuts are at most this far apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_millis: Option<u64>,
}

impl Backup {
    /// How it stands.
    pub fn phase(&self) -> Option<BackupPhase> {
        self.status.as_ref().and_then(|status| status.phase)
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.phase().is_some_and(BackupPhase::is_end)
    }

    /// The slot of a schedule that it was made for: it stands in an annotation, and its name follows from it.
    pub fn slot(&self) -> Option<Timestamp> {
        let slot: Timestamp = self.annotations().get(labels::SCHEDULED_FOR)?.parse().ok()?;
        (self.name_any() == backup_name(&self.spec.instance, slot)).then_some(slot)
    }
}
