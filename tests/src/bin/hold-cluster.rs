//! Starts a cluster with volumes, says on one line what belongs to it, and holds it for ever: what the harness's own scenarios
//! kill, to see that nothing is left behind.

use anyhow::Result;
use clusterbackup_tests::{Cluster, Csi};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let cluster = Cluster::start().await?;
    let _csi = Csi::start(&cluster).await?;
    println!(
        "{}",
        json!({ "processes": cluster.process_ids(), "folder": cluster.folder() })
    );
    std::future::pending().await
}
