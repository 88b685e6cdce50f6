//! The labels and annotations that carry meaning for us: who writes them, who reads them.

/// Label: a person or a tool opts an object in, by the name of a `RestoreInterception`.
pub const INTERCEPT: &str = "clusterbackup.io/intercept";

/// Label: Velero stamps what it restores with the name of its Restore. Matched, never written.
pub const VELERO_RESTORE: &str = "velero.io/restore-name";

/// Label: our own restores stamp what they create.
pub const RESTORE: &str = "clusterbackup.io/restore-name";

/// Annotation: the namespace an object was backed up from. Believed only beside the uid of a running
/// restore.
pub const ORIGINAL_NAMESPACE: &str = "clusterbackup.io/original-namespace";

/// Annotation: the uid of the restore of ours that writes an object.
pub const RESTORE_UID: &str = "clusterbackup.io/restore-uid";

/// Annotation: which rule set, by hash, and which of its rules changed an object. Only ever written by the
/// webhook: a mark that comes in with an object is from an earlier restore and is discarded.
pub const MODIFIED: &str = clusterbackup_core::interception::MODIFIED;

/// Label, with the value [`ENABLED`]: a `ConfigMap` holds resource modifier rules, to be validated when it
/// is written.
pub const RESOURCE_MODIFIER: &str = "clusterbackup.io/resource-modifier";

/// Label, with the value [`ENABLED`]: Velero leaves the object out of backups. On everything that we ship,
/// so that no restore brings an old webhook configuration back.
pub const VELERO_EXCLUDE: &str = "velero.io/exclude-from-backup";

/// The value of the labels that are switches.
pub const ENABLED: &str = "true";
