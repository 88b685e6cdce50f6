//! A node's agent and its watchdog. Every series of theirs is there from the start, so that nothing has to happen.

use anyhow::Result;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::agent::{self, AgentNode};
use clusterbackup_tests::cri::CriFixture;

use super::Exported;

/// Adds what both export.
pub(super) async fn live_through(cluster: &Cluster, exported: &mut Exported) -> Result<()> {
    agent::install(cluster).await?;
    let runtime = CriFixture::start()?;
    let node = AgentNode::new(cluster, "node-1", &runtime.socket()).await?;
    exported.add(node.agent().await?.metrics().await?, "agent")?;
    exported.add(node.watchdog().await?.metrics().await?, "watchdog")
}
