//! The agent's process: a node's agent, its watchdog, or a candidate for the leader.

use clap::{Parser, Subcommand};
use clusterbackup_agent::{leader, node, watchdog};

/// The agent of clusterbackup: hooks, snapshots and their thaw on every node, and what leads them.
#[derive(Debug, Parser)]
#[command(name = "clusterbackup-agent", version, about)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    Node(node::Args),
    Watchdog(watchdog::Args),
    Leader(leader::run::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    clusterbackup_kit::crypto::install();
    match Arguments::parse().role {
        Role::Node(args) => {
            args.log().init()?;
            args.run().await?;
        }
        Role::Watchdog(args) => {
            args.log().init()?;
            args.run().await?;
        }
        Role::Leader(args) => {
            args.log().init()?;
            args.run().await?;
        }
    }
    Ok(())
}
