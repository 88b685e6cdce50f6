//! The labels, annotations and finalizers that carry meaning for us: who writes them, who reads them.

/// Label: a person or a tool opts an object in, by the name of a `RestoreInterception`.
pub const INTERCEPT: &str = clusterbackup_core::restore::INTERCEPT;

/// Label: Velero stamps what it restores with the name of its Restore. Matched, never written.
pub const VELERO_RESTORE: &str = "velero.io/restore-name";

/// Label: our own restores stamp what they create.
pub const RESTORE: &str = clusterbackup_core::restore::RESTORE;

/// Annotation: the namespace an object was backed up from. Believed only beside the uid of a running
/// restore.
pub const ORIGINAL_NAMESPACE: &str = clusterbackup_core::restore::ORIGINAL_NAMESPACE;

/// Annotation: the uid of the restore of ours that writes an object. Label of the snapshots that it makes claims from.
pub const RESTORE_UID: &str = clusterbackup_core::restore::RESTORE_UID;

/// Annotation: which rule set, by hash, and which of its rules changed an object. Only ever written by the
/// webhook: a mark that comes in with an object is from an earlier restore and is discarded.
pub const MODIFIED: &str = clusterbackup_core::interception::MODIFIED;

/// Label, with the value [`ENABLED`]: a `ConfigMap` holds resource modifier rules, to be validated when it
/// is written.
pub const RESOURCE_MODIFIER: &str = "clusterbackup.io/resource-modifier";

/// Label, with the value [`ENABLED`]: Velero leaves the object out of backups. On everything that we ship,
/// so that no restore brings an old webhook configuration back.
pub const VELERO_EXCLUDE: &str = clusterbackup_core::selection::EXCLUDE;

/// The value of the labels that are switches.
pub const ENABLED: &str = "true";

/// Label of `NodeTask`s and of the snapshots that they make, and of the contents that are kept: the uid of the Backup.
pub const BACKUP_UID: &str = "clusterbackup.io/backup-uid";

/// Label of `NodeTask`s where the name fits a label value, else annotation: the name of the Backup.
pub const BACKUP_NAME: &str = "clusterbackup.io/backup-name";

/// Label of `NodeTask`s: the namespace of the Backup.
pub const BACKUP_NAMESPACE: &str = "clusterbackup.io/backup-namespace";

/// Label of the snapshots that we make: the `NodeTask` that did, or [`LEADER`].
pub const TASK: &str = "clusterbackup.io/task";

/// The value of [`TASK`] on snapshots that the leader makes itself.
pub const LEADER: &str = "leader";

/// Annotation of the snapshots that we make: the claim.
pub const CLAIM: &str = clusterbackup_core::restore::CLAIM;

/// Label that the leader puts on claims to be cut as a group, and takes off again.
pub const GROUP: &str = clusterbackup_core::cut::TEMPORARY_GROUP;

/// Annotation by which a person takes a frozen pod over: the uid of the Backup that froze it.
pub const THAW_ACKNOWLEDGED: &str = "clusterbackup.io/thaw-acknowledged";

/// Annotation of hooks: who wrote them, as JSON. Only ever written by the webhook.
pub const REQUESTER: &str = "clusterbackup.io/requester";

/// Finalizer of Backups: as long as it is there, something may be frozen.
pub const NODE_TASKS: &str = "clusterbackup.io/node-tasks";

/// Label of the contents of snapshots that are kept for a recovery point: the id of the vault in its store.
pub const VAULT_ID: &str = "clusterbackup.io/vault-id";

/// Annotation of the contents of snapshots that were kept for a recovery point and that no point names: since when that is so.
pub const UNNAMED_SINCE: &str = "clusterbackup.io/unnamed-since";

/// Label of the contents of snapshots whose recovery point is purged: the uid of the `BackupVault`.
pub const PURGED_BY: &str = "clusterbackup.io/purged-by";

/// Annotation of the contents of snapshots whose recovery point is purged: the point.
pub const POINT: &str = "clusterbackup.io/recovery-point";

/// Label of `RecoveryPoint`s and of Backups by schedule, where the name fits a label value, else annotation: the name of the BackupInstance.
pub const INSTANCE: &str = "clusterbackup.io/instance";

/// Annotation of Backups by schedule: the slot, as a moment in UTC.
pub const SCHEDULED_FOR: &str = "clusterbackup.io/scheduled-for";
