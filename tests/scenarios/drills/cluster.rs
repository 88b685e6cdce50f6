//! The API server and its store go away and come back.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_tests::{Cluster, ReplicaOptions};
use tokio::time::sleep;

use super::ordinary::Ordinary;
use super::{Drill, NAMESPACE, install};
use crate::runner::scenarios;

scenarios! {
    Own: [
        the_api_server_is_killed_and_comes_back,
        etcd_is_killed_and_comes_back,
    ],
}

/// Long enough for every watch of the webhook to break and to be tried again.
const AWAY: Duration = Duration::from_secs(3);

async fn away() -> Result<()> {
    sleep(AWAY).await;
    Ok(())
}

async fn the_api_server_is_killed_and_comes_back(mut cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let _replica = webhook.start(ReplicaOptions::default()).await?;
    let mut drill = Drill::start(cluster.admin()).await?;
    for _ in 0..2 {
        // Without an API server nobody can create anything; before and after it they can at once.
        drill.ordinary.stop().await?.never_waited()?;
        cluster.without_api_server(away()).await?;
        drill.ordinary = Ordinary::start(&drill.client, NAMESPACE);
        drill.until_opted_in_flow().await?;
    }
    let tally = drill.end().await?;
    ensure!(!tally.failed.is_empty(), "nobody noticed");
    Ok(())
}

async fn etcd_is_killed_and_comes_back(mut cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let _replica = webhook.start(ReplicaOptions::default()).await?;
    let mut drill = Drill::start(cluster.admin()).await?;
    drill.ordinary.stop().await?.never_waited()?;
    cluster.without_etcd(away()).await?;
    drill.ordinary = Ordinary::start(&drill.client, NAMESPACE);
    drill.end().await.map(drop)
}
