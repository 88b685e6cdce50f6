//! `BackupVault`: where recovery points lie.

use std::time::Duration;

use clusterbackup_core::duration::Span;
use clusterbackup_core::retention::Tier;
use clusterbackup_core::schedule::Schedule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::recovery_point::PointFormat;
use crate::{conditions, schema};

/// Where recovery points lie, and who can read them.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "BackupVault",
    namespaced,
    derive = "PartialEq",
    status = "BackupVaultStatus",
    shortname = "bv",
    category = "clusterbackup",
    doc = "Where recovery points lie, and who can read them.",
    validation = Rule::new("oldSelf.spec.immutability != 'Locked' || self.spec.immutability == 'Locked'")
        .message("what is Locked stays immutable"),
    validation = Rule::new("!has(oldSelf.spec.vaultTier) || has(self.spec.vaultTier)")
        .message("a vault keeps its vault tier, where recovery points are: make another BackupVault"),
    validation = Rule::new("self.spec.access == 'ReadWrite' || !has(self.spec.adopt) || self.spec.adopt.size() == 0")
        .message("a ReadOnly vault adopts nothing: that is written down in the store"),
    validation = Rule::new("self.spec.format == oldSelf.spec.format")
        .message("what lies in a store is of one format: make another BackupVault"),
    validation = Rule::new("self.spec.format != 'Velero' || self.spec.access == 'ReadOnly'")
        .message("where Velero's backups are, nothing is written: set access to ReadOnly"),
    validation = Rule::new("self.spec.format != 'Velero' || (!has(self.spec.vaultTier) && !has(self.spec.encryption))")
        .message("a vault of Velero's backups is only read: it has no vaultTier and no encryption"),
    validation = Rule::new("oldSelf.spec.immutability == 'Disabled' || self.spec.softDelete.days >= oldSelf.spec.softDelete.days")
        .message("an immutable vault keeps deleted recovery points no shorter than it did"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Access", type_ = "string", json_path = ".spec.access"),
    printcolumn(name = "Encrypted", type_ = "boolean", json_path = ".status.encrypted"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct BackupVaultSpec {
    /// The store of the operational tier: exactly one of fileSystem, azure and s3. It stays where it is, since the
    /// recovery points do: for another place make another vault.
    pub operational: Location,
    /// A second store, in another place and with credentials of its own: the vault tier. The first complete recovery points of
    /// days, weeks, months and years are copied there, as the policy of their instance says (retention.vaultTier). Snapshots of
    /// volumes stay where they are. Default: none; one that is named stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_tier: Option<Location>,
    /// What this cluster does with the store. ReadWrite: backups are stored there, and their recovery points deleted when it is
    /// time. ReadOnly: nothing is written, nothing is deleted; the vault has to exist, and its recovery points are shown and can
    /// be restored. Default: ReadWrite.
    #[serde(default)]
    pub access: Access,
    /// What lies in the store. Native: what this system writes. Velero: backups of Velero or AKS Backup, in the container or
    /// bucket and below the prefix of their BackupStorageLocation; they are shown as recovery points, and can be restored. The
    /// access is ReadOnly then. Default: Native.
    #[serde(default)]
    pub format: PointFormat,
    /// Recovery points of clusters that are gone, which are this cluster's from now on: the policies of instances of the same
    /// names hold for them, and they can be deleted by name. `kubectl clusterbackup vault adopt` shows which, and writes this. At
    /// most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub adopt: Vec<Adoption>,
    /// Who can read recovery points. Default: everybody who can read the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// How much may be asked for. Default: as much as anybody wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new("!has(self.minInterval) || (duration(self.minInterval) >= duration('1h') && duration(self.minInterval) <= duration('744h'))")
            .message("minInterval must be from 1h to 744h, for example 4h")
    )]
    pub limits: Option<VaultLimits>,
    /// For how long deleted recovery points can be had back.
    #[serde(default)]
    pub soft_delete: SoftDelete,
    /// Whether recovery points can be deleted before their time. Disabled: they can. Unlocked: they can't, and whoever may
    /// change the vault can change that. Locked: they can't, and nobody can change that. What was promised to be kept in an
    /// immutable vault is recorded there, and is kept whatever becomes of this field. Default: Disabled.
    #[serde(default)]
    pub immutability: Immutability,
}

/// What a cluster does with a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Access {
    /// It reads and writes.
    #[default]
    ReadWrite,
    /// It only reads.
    ReadOnly,
}

/// The type of the condition that says what came of `spec.adopt`.
pub const ADOPTED: &str = "Adopted";

/// What is adopted of a cluster that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Adoption {
    /// The cluster, as `spec.cluster` of its RecoveryPoints says.
    #[schemars(length(min = 1, max = 128))]
    pub cluster: String,
    /// Only what was backed up in this namespace there. Default: the vault's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub namespace: Option<String>,
    /// Only what was begun by then: a cluster that comes back keeps what it makes.
    pub until: Time,
    /// Also if the cluster has stored something within the last week, and so may not be gone.
    #[serde(default)]
    pub force: bool,
}

/// How much may be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultLimits {
    /// Backups of one instance within 24 hours, without those that its policy asks for; more fail at once. Default: no
    /// limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub on_demand_backups_per_day: Option<u32>,
    /// The shortest pause between two backups of one instance by schedule, for example 4h: a policy whose times are closer
    /// is not followed. From 1h to 744h. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_interval: Option<Span>,
}

/// A schedule that backs up more often than a vault allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "two of its backups are only {pause} apart, and the vault allows no less than {least}: back up less often, or lower limits.minInterval"
)]
pub struct TooOften {
    /// A pause between two backups.
    pub pause: Span,
    /// The shortest that is allowed.
    pub least: Span,
}

/// For how long deleted recovery points can be had back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct SoftDelete {
    /// In days; 0: they are gone at once. At most 180. Default: 14.
    #[serde(default = "two_weeks")]
    #[schemars(range(max = 180))]
    pub days: u32,
}

impl Default for SoftDelete {
    fn default() -> Self {
        Self { days: two_weeks() }
    }
}

const fn two_weeks() -> u32 {
    14
}

/// Whether recovery points can be deleted before their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Immutability {
    /// They can.
    #[default]
    Disabled,
    /// They can't, as long as it says so.
    Unlocked,
    /// They can't.
    Locked,
}

/// A place for recovery points.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.fileSystem), has(self.azure), has(self.s3)].filter(named, named).size() == 1")
        .message("name exactly one of fileSystem, azure and s3"),
    validation = Rule::new("has(self.fileSystem) == has(oldSelf.fileSystem) && has(self.azure) == has(oldSelf.azure)")
        .message("a vault stays where its recovery points are: make another BackupVault")
)]
pub struct Location {
    /// A folder that the leader has mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system: Option<FileSystem>,
    /// A container of an Azure storage account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Azure>,
    /// A bucket of S3, or of a store that speaks like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,
}

/// A folder.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(
    validation = Rule::new("self.path == oldSelf.path")
        .message("a vault stays where its recovery points are: make another BackupVault")
)]
pub struct FileSystem {
    /// The folder as the leader sees it, below the one that it has for vaults (--file-vaults), for example /vaults/shop. It
    /// has to be there: where a disk isn't mounted, nothing is written in its place.
    #[schemars(schema_with = "folder")]
    pub path: String,
}

/// A container of an Azure storage account.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(
    validation = Rule::new("self.account == oldSelf.account && self.container == oldSelf.container && (has(self.prefix) ? self.prefix : '') == (has(oldSelf.prefix) ? oldSelf.prefix : '')")
        .message("a vault stays where its recovery points are: make another BackupVault")
)]
pub struct Azure {
    /// The storage account.
    #[schemars(length(min = 3, max = 24), regex(pattern = "^[a-z0-9]+$"))]
    pub account: String,
    /// The container; it has to exist.
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub container: String,
    /// What the names of all blobs begin with, as folders. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "prefix")]
    pub prefix: Option<String>,
    /// Another endpoint than https://ACCOUNT.blob.core.windows.net, for sovereign clouds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "endpoint")]
    pub endpoint: Option<String>,
    /// A Secret in the vault's namespace with accountKey or sasToken. Default: the workload identity or managed identity of
    /// the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretReference>,
}

/// A bucket.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(
    validation = Rule::new("self.bucket == oldSelf.bucket && (has(self.endpoint) ? self.endpoint : '') == (has(oldSelf.endpoint) ? oldSelf.endpoint : '') && (has(self.prefix) ? self.prefix : '') == (has(oldSelf.prefix) ? oldSelf.prefix : '')")
        .message("a vault stays where its recovery points are: make another BackupVault")
)]
pub struct S3 {
    /// The bucket; it has to exist.
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z0-9][-.a-z0-9]*[a-z0-9]$"))]
    pub bucket: String,
    /// What the keys of all objects begin with, as folders. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "prefix")]
    pub prefix: Option<String>,
    /// The region. Default: us-east-1.
    // A part of the host's name that the leader's own token is sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub region: Option<String>,
    /// The endpoint of a store that is not Amazon's. Default: that of the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "endpoint")]
    pub endpoint: Option<String>,
    /// A Secret in the vault's namespace with accessKeyId, secretAccessKey and, where there is one, sessionToken.
    /// Default: the identity of the leader's pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretReference>,
}

/// A Secret in the vault's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct SecretReference {
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// Who can read recovery points.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Encryption {
    /// Public keys of age (age1...), of which `kubectl clusterbackup vault keygen` makes one: whoever has a private half
    /// can read what is written from now on. At least 1, at most 16.
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1, max = 2048), regex(pattern = "^age1[a-z0-9]+$"))
    )]
    pub recipients: Vec<String>,
}

/// What the leader knows of a vault.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupVaultStatus {
    /// The generation that the conditions are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What the vault is called in its store, for ever: by vault.json there. Another is not taken for it, nor an empty place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub id: Option<String>,
    /// The same of the vault tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vault_tier_id: Option<String>,
    /// Whether what is written is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// What the system is set up with in the vault's namespace, as it was last written into the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<SavedConfiguration>,
    /// Ready: whether a blob could be written, read and removed when that was last tried; of a ReadOnly vault, whether it is
    /// there. VaultTierReady: the same of the vault tier. Adopted: what came of spec.adopt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

/// What was last written into a vault of what the system is set up with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedConfiguration {
    /// Its number in the vault: configuration/CLUSTER/NAMESPACE/NUMBER.json.
    pub number: u32,
    /// When it was written. It isn't again as long as nothing changes.
    pub saved_at: Time,
    /// The SHA-256 of what was written, before it was encrypted.
    #[schemars(length(max = 64))]
    pub sha256: String,
}

/// Where a vault's store is; of the three, the one that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A folder.
    FileSystem(&'a FileSystem),
    /// A container.
    Azure(&'a Azure),
    /// A bucket.
    S3(&'a S3),
}

impl BackupVaultStatus {
    /// What a tier is called in its store.
    pub fn id(&self, tier: Tier) -> Option<&str> {
        match tier {
            Tier::Operational => self.id.as_deref(),
            Tier::Vault => self.vault_tier_id.as_deref(),
        }
    }
}

impl Location {
    /// The one that is named; none where none is, or several are: the API server admits neither.
    pub fn place(&self) -> Option<Place<'_>> {
        match (&self.file_system, &self.azure, &self.s3) {
            (Some(folder), None, None) => Some(Place::FileSystem(folder)),
            (None, Some(container), None) => Some(Place::Azure(container)),
            (None, None, Some(bucket)) => Some(Place::S3(bucket)),
            _ => None,
        }
    }
}

impl<'a> Place<'a> {
    /// The Secret with its credentials.
    pub fn credentials(&self) -> Option<&'a str> {
        let reference = match self {
            Self::FileSystem(_) => None,
            Self::Azure(container) => container.credentials.as_ref(),
            Self::S3(bucket) => bucket.credentials.as_ref(),
        };
        reference.map(|secret| secret.name.as_str())
    }
}

impl BackupVaultSpec {
    /// The Secrets in the vault's namespace that it names.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let locations = [Some(&self.operational), self.vault_tier.as_ref()];
        let places = locations.into_iter().flatten().filter_map(Location::place);
        places.filter_map(|place| place.credentials())
    }

    /// Where a tier is; none where the vault hasn't got it.
    pub fn location(&self, tier: Tier) -> Option<&Location> {
        match tier {
            Tier::Operational => Some(&self.operational),
            Tier::Vault => self.vault_tier.as_ref(),
        }
    }

    /// How many backups of an instance may be asked for within a day; none: any number.
    pub fn on_demand_a_day(&self) -> Option<u32> {
        self.limits
            .as_ref()
            .and_then(|limits| limits.on_demand_backups_per_day)
    }

    /// Whether backups may run by this schedule.
    pub fn allows(&self, schedule: &Schedule) -> Result<(), TooOften> {
        let least = self.limits.as_ref().and_then(|limits| limits.min_interval);
        let too_often = |least: Span| {
            let pause = schedule.pause_below(least.duration().try_into().ok()?)?;
            let pause = Duration::try_from(pause).ok()?.into();
            Some(TooOften { pause, least })
        };
        least.and_then(too_often).map_or(Ok(()), Err)
    }

    /// Whether recovery points can't be deleted before their time.
    pub fn is_immutable(&self) -> bool {
        self.immutability != Immutability::Disabled
    }

    /// The public keys; none where what is written is not encrypted.
    pub fn recipients(&self) -> &[String] {
        self.encryption
            .as_ref()
            .map_or(&[], |encryption| &encryption.recipients)
    }
}

/// An absolute path without detours.
fn folder(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 1024,
        "pattern": "^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$",
    })
}

/// Segments as keys of stores have them.
fn prefix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 256,
        "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
    })
}

fn endpoint(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 1024,
        "pattern": "^https?://[^/?#\\s]+(/[^?#\\s]*)?$",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_location_is_the_one_that_is_named() {
        for (location, named) in [
            (json!({}), false),
            (json!({ "fileSystem": { "path": "/vaults/a" } }), true),
            (json!({ "s3": { "bucket": "abc" } }), true),
            (json!({ "azure": { "account": "abc", "container": "abc" } }), true),
            (
                json!({ "fileSystem": { "path": "/a" }, "s3": { "bucket": "abc" } }),
                false,
            ),
        ] {
            let parsed: Location = serde_json::from_value(location.clone()).unwrap();
            assert_eq!(parsed.place().is_some(), named, "{location}");
        }
    }
}
