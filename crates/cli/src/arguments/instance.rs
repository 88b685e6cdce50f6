//! The commands under `instance`.

use clap::{Args, Subcommand};

use super::backup::{Output, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Instance {
    Create(Create),
    Describe(Describe),
}

/// Make a BackupInstance: what is protected, where it is stored, and by which policy.
///
/// Whose rights count in its backups is who runs this command.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # Backed up when somebody asks
  kubectl clusterbackup instance create shop --namespaces shop --vault offsite

  # By a policy, with Secrets, frozen by the hook `quiesce` of the namespace shop
  kubectl clusterbackup instance create shop --namespaces shop,shop-db --vault offsite --policy nightly \\
    --secrets --hook shop/quiesce

  # For a repository
  kubectl clusterbackup instance create shop --namespaces 'shop-*' --vault offsite --dry-run -o yaml > shop.yaml

Rights that it uses:
  create backupinstances.clusterbackup.io; with --dry-run none")]
pub(crate) struct Create {
    /// What the BackupInstance is called.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// The namespaces that are protected, as names or globs. Default: all, also future ones.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) namespaces: Vec<String>,
    /// Namespaces that are left out, as names or globs.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) exclude_namespaces: Vec<String>,
    /// The BackupVault in the same namespace that objects are stored in. Default: none; then only volumes are cut.
    #[arg(long, value_name = "VAULT")]
    pub(crate) vault: Option<String>,
    /// The BackupPolicy in the same namespace. Default: none; then backups run when somebody asks.
    #[arg(long, value_name = "POLICY", requires = "vault")]
    pub(crate) policy: Option<String>,
    /// Store Secrets, too. Consider encryption in the vault.
    #[arg(long)]
    pub(crate) secrets: bool,
    /// A BackupHook that runs, as NAMESPACE/NAME; may be given several times.
    #[arg(long = "hook", value_name = "HOOK", value_parser = hook)]
    pub(crate) hooks: Vec<Hook>,
    /// Make nothing; show what would be made. Needs no cluster.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How the BackupInstance is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// A BackupHook or RestoreHook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

pub(super) fn hook(text: &str) -> Result<Hook, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => Ok(Hook {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }),
        _ => Err("write the hook's namespace, `/` and its name, for example shop/quiesce".to_owned()),
    }
}

/// Say what an instance protects, whether a backup of it could run, when the next one begins, and what the last ones
/// came to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup instance describe shop -n shop

  # In a script: when everything of it was last stored
  kubectl clusterbackup instance describe shop -n shop -o json | jq -r .instance.status.lastSuccessful

Rights that it uses:
  get backupinstances.clusterbackup.io;
  list backups.clusterbackup.io and recoverypoints.clusterbackup.io")]
pub(crate) struct Describe {
    /// The BackupInstance.
    #[arg(value_name = "INSTANCE")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}
