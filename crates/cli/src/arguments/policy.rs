//! The commands under `policy`.

use clap::{Args, Subcommand};

use super::backup::{Output, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Explain(Explain),
}

/// Say when the next backups by a policy begin, and which recovery points it keeps, until when, and why.
///
/// For every instance that names the policy: how long after a slot it begins, always equally long, so that not all begin
/// at once. A point is judged in each tier that it is in, as the leader judges it.
///
/// Days are counted from the beginning of a backup.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup policy explain nightly -n shop

  # The points of one instance that are kept past their time
  kubectl clusterbackup policy explain nightly -n shop --instance shop -o json \\
    | jq '.instances[].points[] | select(.kept and .until and (.until | fromdate) < now)'

Exit codes:
  0  explained
  1  there is no such policy, or it can't be followed

Rights that it uses:
  get backuppolicies.clusterbackup.io;
  list backupinstances.clusterbackup.io and recoverypoints.clusterbackup.io")]
pub(crate) struct Explain {
    /// The BackupPolicy.
    #[arg(value_name = "POLICY")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only this BackupInstance.
    #[arg(long, value_name = "INSTANCE")]
    pub(crate) instance: Option<String>,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}
