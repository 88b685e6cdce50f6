//! The commands under `rp`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::backup::{Output, Place};
use super::store::{Reading, Store, rights_of_readers};

#[derive(Debug, Subcommand)]
pub(crate) enum Points {
    List(List),
    Describe(Describe),
    Get(Get),
    Diff(Diff),
    Verify(Verify),
    Export(Export),
    Delete(Delete),
    Undelete(Undelete),
}

/// List the recovery points of a namespace, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup rp list -n shop

  # Those of one instance, for a script
  kubectl clusterbackup rp list -n shop --instance shop -o json | jq -r '.[].metadata.name'

Rights that it uses:
  list recoverypoints.clusterbackup.io")]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only those of this BackupInstance.
    #[arg(long, value_name = "INSTANCE")]
    pub(crate) instance: Option<String>,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Say what a recovery point holds.
#[derive(Debug, Args)]
#[command(after_help = "\
Rights that it uses:
  get recoverypoints.clusterbackup.io")]
pub(crate) struct Describe {
    /// The RecoveryPoint.
    #[arg(value_name = "POINT")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Show one object of a recovery point.
///
/// Only the part of the point that holds the object is read, and its hash is checked. What Secrets hold is shown as
/// `***`. The point is one that the cluster lists; or it is said where its vault is, and no cluster is asked.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  kubectl clusterbackup rp get 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f deployments.apps/web -n shop

  # Outside of namespaces, from a point that is encrypted, without a cluster
  kubectl clusterbackup rp get 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f persistentvolumes/data \\
    --file-system /mnt/vaults/shop --identity key.txt

Exit codes:
  0  shown
  1  the point or the object isn't there, is damaged, or can't be read

Rights that it uses:
  get recoverypoints.clusterbackup.io; ",
    rights_of_readers!()
))]
pub(crate) struct Get {
    /// The recovery point.
    #[arg(value_name = "POINT")]
    pub(crate) point: String,
    /// The object: its kind as plural name and group, `/`, its name.
    #[arg(value_name = "KIND/NAME")]
    pub(crate) object: String,
    /// The namespace of the object. Default: it is in none.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The namespace of the recovery point. Default: that of the current context.
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "store")]
    pub(crate) point_namespace: Option<String>,
    #[command(flatten)]
    pub(crate) store: Store,
    /// The file with the private key, where the point is encrypted.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<String>,
    /// Show what Secrets hold.
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// How the object is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    pub(crate) output: Form,
}

/// Show what is different between two recovery points: objects added, removed and changed.
///
/// Only objects whose hashes differ are read. What the API server alone counts (resourceVersion, managedFields and the like)
/// is left out, and what Secrets hold is shown as `***`. The points are those that the cluster lists; or it is said where
/// their vault is, and no cluster is asked.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  # What has changed since yesterday?
  kubectl clusterbackup rp diff 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f 5d1c9f0a-7c52-4a7e-b6f4-3f1f2f6a9b10 -n shop

  # In a script: the fields that differ
  kubectl clusterbackup rp diff 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f 5d1c9f0a-7c52-4a7e-b6f4-3f1f2f6a9b10 -n shop -o json \\
    | jq -r '.changed[] | .kind + \" \" + .name + \" \" + .fields[].path'

Exit codes:
  0  shown, whether something is different or not
  1  a point isn't there, is damaged, or can't be read

Rights that it uses:
  get recoverypoints.clusterbackup.io; ",
    rights_of_readers!()
))]
pub(crate) struct Diff {
    /// The recovery point before.
    #[arg(value_name = "POINT")]
    pub(crate) before: String,
    /// The recovery point after.
    #[arg(value_name = "POINT")]
    pub(crate) after: String,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Show what Secrets hold.
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Read a recovery point, and say whether it is damaged.
///
/// Every stored part is compared with its hash, which needs no key. Where nothing is encrypted, or with the private key, all
/// parts are opened too, and compared with the index. The point is one that the cluster lists; or it is said where its vault
/// is, and no cluster is asked.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  kubectl clusterbackup rp verify 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f -n shop

  # Also what is in the encrypted parts, without a cluster
  kubectl clusterbackup rp verify 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f \\
    --file-system /mnt/vaults/shop --identity key.txt

Exit codes:
  0  it is as it was written
  1  it is damaged, and each damaged part is named; or it can't be read

Rights that it uses:
  get recoverypoints.clusterbackup.io; ",
    rights_of_readers!()
))]
pub(crate) struct Verify {
    /// The recovery point.
    #[arg(value_name = "POINT")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Write a recovery point as a backup of Velero's, so that Velero can restore it.
///
/// Everything is in clear text then, Secrets included. The folder is one like that of a BackupStorageLocation: copy `backups/`
/// into its bucket, below its prefix, and Velero lists the backup within a minute or so. What volumes hold is not in it: claims
/// come back empty, unless their volumes are still there.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  kubectl clusterbackup rp export 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f -n shop --velero /tmp/velero
  aws s3 cp --recursive /tmp/velero/backups s3://velero/backups
  velero restore create --from-backup shop-202611210100

Exit codes:
  0  written
  1  the point isn't there, is damaged, or can't be read; or a backup of that name is in the folder

Rights that it uses:
  get recoverypoints.clusterbackup.io; ",
    rights_of_readers!()
))]
pub(crate) struct Export {
    /// The recovery point.
    #[arg(value_name = "POINT")]
    pub(crate) name: String,
    /// The folder to write to; it has to be there. The backup is called as the Backup that made the point.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) velero: PathBuf,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Delete a recovery point, whatever its policy says.
///
/// It can be had back by `rp undelete` for as long as its vault says (softDelete); then its data is removed, and its snapshots.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  it is asked for; `rp describe` says what came of it
  1  it can't be asked for, or --yes is missing

Rights that it uses:
  patch recoverypoints.clusterbackup.io")]
pub(crate) struct Delete {
    /// The RecoveryPoint.
    #[arg(value_name = "POINT")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Yes, delete it.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Have a deleted recovery point back, and keep it whatever its policy says.
#[derive(Debug, Args)]
#[command(after_help = "\
Rights that it uses:
  patch recoverypoints.clusterbackup.io")]
pub(crate) struct Undelete {
    /// The RecoveryPoint.
    #[arg(value_name = "POINT")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How an object is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// For people and for kubectl.
    Yaml,
    /// For programs.
    Json,
}
