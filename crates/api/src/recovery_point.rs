//! `RecoveryPoint`: a vault's entry of its catalogue, as the cluster shows it. The vault is the truth: deleting the object
//! deletes no data.

use clusterbackup_core::report::BackupPhase;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node_task::BackupReference;
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
    validation = Rule::new("self.spec == oldSelf.spec")
        .message("a recovery point says what its vault holds: it can't be changed"),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.instance"),
    printcolumn(name = "Vault", type_ = "string", json_path = ".spec.vault"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".spec.phase"),
    printcolumn(name = "Objects", type_ = "integer", json_path = ".spec.objects"),
    printcolumn(name = "Volumes", type_ = "integer", json_path = ".spec.volumes"),
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
    pub backup: BackupReference,
    /// The cluster that it is of: the uid of its namespace kube-system.
    #[schemars(length(max = 128))]
    pub cluster: String,
    /// When the Backup began.
    pub started_at: MicroTime,
    /// When everything was stored.
    pub finished_at: MicroTime,
    /// How the Backup ended: Completed, or CompletedWithWarnings where something is missing.
    pub phase: BackupPhase,
    /// How many objects it holds.
    pub objects: u64,
    /// Their size as JSON, in bytes.
    pub bytes: u64,
    /// What is stored of that, in bytes, compressed and encrypted.
    pub stored_bytes: u64,
    /// How many snapshots of volumes it names. They are in the cluster's storage, not in the vault.
    pub volumes: u32,
    /// Whether it can be read only by a private key.
    pub encrypted: bool,
}

/// What is known of a point beside what it holds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPointStatus {
    /// Available: whether its vault has it. False where the vault doesn't, or has it damaged; Unknown where the vault can't
    /// be read, or lists nothing at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}
