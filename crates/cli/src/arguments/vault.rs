//! The commands under `vault` and `rp`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::backup::{Output, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Vault {
    Check(Check),
    /// Make a key pair for encrypted vaults.
    ///
    /// The public key goes into spec.encryption.recipients of the vault. The private one, the line behind it, is needed to read
    /// recovery points, and is stored nowhere: keep it, and not in the cluster that is backed up.
    #[command(after_help = "\
Examples:
  # Only for you, in a file that `rp get --identity` and `age --decrypt --identity` take
  (umask 077; kubectl clusterbackup vault keygen > key.txt)")]
    Keygen,
}

/// Say whether a vault can be used, as the leader found when it tried last.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  it can be used
  1  it can't, or nobody has tried yet

Rights that it uses:
  get backupvaults.clusterbackup.io")]
pub(crate) struct Check {
    /// The BackupVault.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Points {
    List(List),
    Describe(Describe),
    Get(Get),
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
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Show one object of a recovery point, read from the vault's folder; needs no cluster.
///
/// Only the part of the point that holds the object is read, and its hash is checked. What Secrets hold is shown as
/// `***`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup rp get 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f deployments.apps/web \\
    -n shop --vault-folder /mnt/vaults/shop

  # Outside of namespaces, from a point that is encrypted
  kubectl clusterbackup rp get 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f persistentvolumes/data \\
    --vault-folder /mnt/vaults/shop --identity key.txt

Exit codes:
  0  shown
  1  the point or the object isn't there, is damaged, or can't be read")]
pub(crate) struct Get {
    /// The recovery point.
    pub(crate) point: String,
    /// The object: its kind as plural name and group, `/`, its name.
    #[arg(value_name = "KIND/NAME")]
    pub(crate) object: String,
    /// The namespace of the object. Default: it is in none.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The folder of the vault, as this machine sees it.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) vault_folder: PathBuf,
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

/// How an object is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// For people and for kubectl.
    Yaml,
    /// For programs.
    Json,
}
