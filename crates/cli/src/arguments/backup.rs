//! The commands under `backup`.

use clap::{Args, Subcommand, ValueEnum};
use clusterbackup_core::duration::Span;
use kube::Client;

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    Create(Create),
    Describe(Describe),
    Logs(Logs),
    Cancel(Cancel),
}

/// Where backups and instances are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The namespace of the backup and its instance. Default: that of the current context.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
}

impl Place {
    /// That namespace.
    pub(crate) fn namespace(&self, client: &Client) -> String {
        let named = self.namespace.as_deref();
        named.unwrap_or_else(|| client.default_namespace()).to_owned()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Back an instance up, now.
///
/// Makes a Backup, which the leader of the cluster takes up. With --wait, shows how it goes on until it has ended: on a
/// terminal as bars, else a line for each change, both on standard error. To stop watching stops nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # Start a backup, and go on
  kubectl clusterbackup backup create shop

  # See it through
  kubectl clusterbackup backup create shop --wait

  # In a script: what came of it, as an object
  kubectl clusterbackup backup create shop --name before-upgrade --wait -o json | jq .status.counts

Exit codes:
  0  created; with --wait: completed
  1  it can't be created; with --wait: it failed, was cancelled, or hasn't ended in time
  2  with --wait: completed with warnings; or the command was typed wrongly

Rights that it uses:
  get backupinstances.clusterbackup.io, create backups.clusterbackup.io;
  with --wait list and watch backups.clusterbackup.io")]
pub(crate) struct Create {
    /// The BackupInstance.
    #[arg(value_name = "INSTANCE")]
    pub(crate) instance: String,
    /// What the Backup is called. Default: the instance's name with something behind it that makes it unique.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Wait until it has ended.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait; the backup goes on all the same.
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "wait")]
    pub(crate) timeout: Span,
    /// How the Backup is shown in the end.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Say what became of a backup: its volumes, what was skipped and why, its hooks, how long each pod was frozen.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup backup describe shop-x7k2p

  # Claims that have no snapshot, and why
  kubectl clusterbackup backup describe shop-x7k2p -o json \\
    | jq -r '.volumes[] | select(.snapshot == null) | [.claim, .skipped, .message] | @tsv'

Rights that it uses:
  get backups.clusterbackup.io;
  for hooks and frozen times list nodetasks.clusterbackup.io in clusterbackup-agents")]
pub(crate) struct Describe {
    /// The Backup.
    #[arg(value_name = "BACKUP")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Say what happened in a backup, in the order in which it happened: each command of a hook, each cut, each step.
///
/// Commands' output is in it where the instance asks for it (freeze.keepOutput), of failed commands, at most 1 KiB each.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup backup logs shop-x7k2p

  # As it happens, until it has ended
  kubectl clusterbackup backup logs shop-x7k2p -f

Rights that it uses:
  get backups.clusterbackup.io;
  list nodetasks.clusterbackup.io in clusterbackup-agents;
  with -f watch both")]
pub(crate) struct Logs {
    /// The Backup.
    #[arg(value_name = "BACKUP")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Go on until the backup has ended.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// Stop a backup: nothing more is frozen or cut, and what is frozen is thawed at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Rights that it uses:
  get and patch backups.clusterbackup.io")]
pub(crate) struct Cancel {
    /// The Backup.
    #[arg(value_name = "BACKUP")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
