//! The agent's process: a node's agent, its watchdog, or a candidate for the leader.

fn main() -> anyhow::Result<()> {
    clusterbackup_kit::crypto::install();
    Ok(())
}
