//! The commands under `hooks`.

use clap::{Args, Subcommand, ValueHint};

use super::CheckOutput;

#[derive(Debug, Subcommand)]
pub(crate) enum Hooks {
    Check(Check),
}

/// Say everything that is wrong with hooks, each at its place, and what they come to.
///
/// A file holds BackupHooks and RestoreHooks, alone or among other objects (several YAML documents, or a List). What is
/// valid is shown as it will run, with defaults filled in; what is hardly meant is a warning, and doesn't count.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # Before it is applied
  kubectl clusterbackup hooks check hooks.yaml

  # Hooks that are in a cluster
  kubectl -n shop get backuphooks,restorehooks -o yaml | kubectl clusterbackup hooks check -

Exit codes:
  0  all hooks are valid
  1  some are not, there are none, or a file can't be used")]
pub(crate) struct Check {
    /// Files with hooks; `-` is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<String>,
    /// How the result is shown: for people, or for programs.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: CheckOutput,
}
