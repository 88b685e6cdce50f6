//! The commands under `vault`.

use clap::{Args, Subcommand};
use clusterbackup_core::duration::Span;

use super::backup::{Output, Place};
use super::store::{Reading, Store, rights_of_readers};

#[derive(Debug, Subcommand)]
pub(crate) enum Vault {
    Create(Create),
    Check(Check),
    Verify(Verify),
    RestoreConfig(RestoreConfig),
    Adopt(Adopt),
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

/// Make a vault, and wait until the leader has tried it.
///
/// The place has to exist: a folder that the leader has mounted, a container or a bucket. Where nobody says as whom it is used,
/// the leader uses it as its workload or managed identity, or by the role of its pod.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # In a folder of the leader's
  kubectl clusterbackup vault create shop -n shop --file-system /vaults/shop

  # In Azure, encrypted; the Secret has accountKey or sasToken
  kubectl clusterbackup vault create shop -n shop --azure shopbackups/vault --credentials shop-vault \\
    --recipient age1...

  # To restore what Velero or AKS Backup has backed up: nothing is written there
  kubectl clusterbackup vault create old -n shop --s3 velero --credentials velero --format velero

  # For a repository
  kubectl clusterbackup vault create shop -n shop --s3 backups --prefix shop --dry-run -o yaml > vault.yaml

Exit codes:
  0  it can be used; with --dry-run: shown
  1  it can't be created or used, or nobody has tried it in time

Rights that it uses:
  create, get, list and watch backupvaults.clusterbackup.io")]
pub(crate) struct Create {
    /// What it is called.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) store: Store,
    /// The Secret in the vault's namespace with the credentials: accountKey or sasToken for Azure; accessKeyId,
    /// secretAccessKey and perhaps sessionToken for S3.
    #[arg(long, value_name = "SECRET", conflicts_with = "file_system")]
    pub(crate) credentials: Option<String>,
    /// A public key of age for which everything is encrypted; may be given several times. Default: nothing is encrypted.
    #[arg(long = "recipient", value_name = "AGE")]
    pub(crate) recipients: Vec<String>,
    /// Nothing is written into it: for the vault of another cluster, whose recovery points are to be shown and restored here.
    #[arg(long, conflicts_with = "recipients")]
    pub(crate) read_only: bool,
    /// Only show what would be created.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long to wait until it has been tried.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1m",
        conflicts_with = "dry_run"
    )]
    pub(crate) timeout: Span,
    /// How the vault is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
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
    #[arg(value_name = "VAULT")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Read all recovery points of a vault, and say which of them are damaged.
///
/// Every stored part is compared with its hash, which needs no key. Where nothing is encrypted, or with the private key, all
/// parts are opened too, and compared with the index. Nothing is written. The vault is that of a cluster; or it is said
/// where it is, and no cluster is asked.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  kubectl clusterbackup vault verify shop -n shop

  # After a disaster, without a cluster
  AZURE_STORAGE_KEY=... kubectl clusterbackup vault verify --azure shopbackups/vault --identity key.txt

Exit codes:
  0  all points are as they were written
  1  some are damaged, each of which is named; or the vault can't be read

Rights that it uses:
  ",
    rights_of_readers!()
))]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) vault: Whole,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Set a cluster up as another was: make what a vault carries of vaults, policies, instances, hooks and rules.
///
/// What is there already stays as it is. Everything is made as you: with your rights, and you are the requester of instances and
/// hooks. What Secrets hold is in no vault: those that have to be made by hand are named.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  # After a disaster: clusterbackup is installed in a blank cluster, and the store is all that is left
  AZURE_STORAGE_KEY=... kubectl clusterbackup vault restore-config --azure shopbackups/vault --identity key.txt

  # What would that be? Needs no cluster
  kubectl clusterbackup vault restore-config --file-system /mnt/vaults/shop --dry-run -o yaml

Exit codes:
  0  everything is there, and as it was
  1  something could not be made, or is there and says something else; or the vault can't be read

Rights that it uses:
  create and get what it makes, update with --overwrite; get secrets that vaults name; with the name of a vault also
  ",
    rights_of_readers!()
))]
pub(crate) struct RestoreConfig {
    #[command(flatten)]
    pub(crate) vault: Whole,
    /// The cluster that is meant, by the uid of its namespace kube-system, where the vault carries several.
    #[arg(long, value_name = "ID")]
    pub(crate) cluster: Option<String>,
    /// Change what is there and says something else.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) overwrite: bool,
    /// Only show what the vault carries.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// A vault, all of which is meant: of a cluster, or where it is said to be.
#[derive(Debug, Args)]
pub(crate) struct Whole {
    /// The BackupVault.
    #[arg(
        value_name = "VAULT",
        required_unless_present = "store",
        conflicts_with = "store"
    )]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Take over the recovery points of a cluster that is gone.
///
/// What another cluster made can only be read here. Adopted, it is kept by the policies of instances of the same names in the
/// vault's namespace, and can be deleted by name. Shown is what there is; nothing is done without --yes. The leader refuses
/// while the cluster has stored something within the last week.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # Which points are of which cluster
  kubectl get recoverypoints -n shop -o custom-columns=NAME:.metadata.name,CLUSTER:.spec.cluster

  kubectl clusterbackup vault adopt shop -n shop --cluster 3f2a7c1e-58d2-4f0b-9c3e-7a1b2c3d4e5f
  kubectl clusterbackup vault adopt shop -n shop --cluster 3f2a7c1e-58d2-4f0b-9c3e-7a1b2c3d4e5f --yes

Exit codes:
  0  they are this cluster's now
  1  they are not; --yes is missing, or the leader says why

Rights that it uses:
  list recoverypoints.clusterbackup.io and backupinstances.clusterbackup.io; get, list, watch and patch
  backupvaults.clusterbackup.io")]
pub(crate) struct Adopt {
    /// The BackupVault.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// The cluster that made them: `spec.cluster` of its RecoveryPoints.
    #[arg(long, value_name = "UID")]
    pub(crate) cluster: String,
    /// The namespace there that was backed up from. Default: as the vault's here.
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) from_namespace: Option<String>,
    /// Also if the cluster has stored something within the last week.
    #[arg(long)]
    pub(crate) force: bool,
    /// Yes, adopt them.
    #[arg(long)]
    pub(crate) yes: bool,
}
