//! The command `coverage`.

use clap::Args;
use clusterbackup_core::duration::Span;

use super::backup::Output;

/// Say which namespaces and claims have no recent backup, or none that can be fully trusted.
///
/// Of several instances that take the same, the best counts. What a person leaves out of backups by the label
/// velero.io/exclude-from-backup doesn't count, nor do the namespaces that are never backed up. Snapshots are in the storage of
/// the cluster alone, which is told as LocalOnly; it is no reason to fail.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup coverage

  # For a check once a day: whatever could not be brought back from the last two days
  kubectl clusterbackup coverage --recent 48h -o json | jq -r '.gaps[] | select(.grave) | .namespace'

Exit codes:
  0  everything has a recent backup
  1  something has none, or the cluster can't be read

Rights that it uses:
  list namespaces, persistentvolumeclaims, and of clusterbackup.io backupinstances, backups, recoverypoints, in all
  namespaces")]
pub(crate) struct Coverage {
    /// How old the last backup may be.
    #[arg(long, value_name = "DURATION", default_value = "25h")]
    pub(crate) recent: Span,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}
