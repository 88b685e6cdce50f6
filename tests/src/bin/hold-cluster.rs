//! Starts a cluster with volumes, and with as many nodes as the first argument says, says on one line what belongs to it,
//! and holds it for ever: what the harness's own scenarios kill, to see that nothing is left behind.

use anyhow::Result;
use clusterbackup_tests::nodes::Application;
use clusterbackup_tests::{Cluster, Csi, Nodes};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1) {
        None => {
            let cluster = Cluster::start().await?;
            let _csi = Csi::start(&cluster).await?;
            println!(
                "{}",
                json!({ "processes": cluster.process_ids(), "folder": cluster.folder() })
            );
            std::future::pending().await
        }
        Some(count) => {
            let nodes = Nodes::start(count.parse()?).await?;
            let csi = Csi::start_on(&nodes).await?;
            let namespace = nodes.cluster().namespace("held").await?;
            csi.claim(&namespace, "data").await?;
            let application = Application {
                claims: &["data"],
                ..Application::new("held")
            };
            nodes.run(namespace.name(), &application).await?;
            println!("{}", serde_json::to_string(&nodes.traces()?)?);
            std::future::pending().await
        }
    }
}
