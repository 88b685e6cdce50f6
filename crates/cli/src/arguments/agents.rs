//! The commands under `agents`.

use clap::{Args, Subcommand};

use super::backup::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    Status(Status),
}

/// Say how the nodes' agents and their leader stand, and whether an application waits to be thawed.
///
/// What you have no rights to read is told, and the rest is shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # Is anything frozen that shouldn't be? Which nodes have no agent?
  kubectl clusterbackup agents status

  # For a check: nodes without a ready agent
  kubectl clusterbackup agents status -o json | jq -r '.nodes[] | select(.ready | not) | .name'

Exit codes:
  0  shown
  1  nothing can be shown

Rights that it uses:
  list nodes;
  in clusterbackup-agents list pods, list nodetasks.clusterbackup.io;
  in clusterbackup-system get leases.coordination.k8s.io, get configmaps, both called clusterbackup-leader…")]
pub(crate) struct Status {
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}
