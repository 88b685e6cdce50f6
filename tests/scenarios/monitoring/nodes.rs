//! A node's agent, its watchdog, and the leader. Every series of theirs is there from the start, so that nothing has to
//! happen.

use anyhow::Result;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::agent::AgentNode;
use clusterbackup_tests::cri::CriFixture;
use clusterbackup_tests::leader::{self, Leaders};

use super::Exported;

/// Adds what they export.
pub(super) async fn live_through(cluster: &Cluster, exported: &mut Exported) -> Result<()> {
    let leaders = Leaders::install(cluster).await?;
    let runtime = CriFixture::start()?;
    let node = AgentNode::new(cluster, "node-1", &runtime.socket()).await?;
    exported.add(node.agent().await?.metrics().await?, &of("agent"))?;
    exported.add(node.watchdog().await?.metrics().await?, &of("watchdog"))?;
    let candidate = leaders.start().await?;
    leader::leads(&candidate).await?;
    exported.add(candidate.metrics().await?, &[("instance", "leader")])
}

/// Labels of a process of the node; the PodMonitor adds the node.
const fn of(instance: &str) -> [(&str, &str); 2] {
    [("node", "node-1"), ("instance", instance)]
}
