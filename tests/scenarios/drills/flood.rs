//! Anybody who reaches the port sends as much as they can, of what takes the most memory.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::Cluster;
use tokio::task::JoinSet;

use super::{Drill, INTERCEPTION, NAMESPACE, install, limited};
use crate::direct::{Direct, review};
use crate::runner::scenarios;

scenarios! {
    Own: [memory_stays_within_the_shipped_limit_whoever_sends_what],
}

/// The limit of the shipped Deployment.
const MEMORY: u64 = 256 << 20;
const BODY: usize = 8 << 20;
const CONNECTIONS: usize = 40;
const SETTLED: Duration = Duration::from_secs(1);

async fn memory_stays_within_the_shipped_limit_whoever_sends_what(cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let replica = webhook.start(limited(MEMORY)).await?;
    let drill = Drill::start(cluster.admin()).await?;
    let authority = webhook.ca_bundle().await?;
    for (what, body) in hostile() {
        let body = Arc::new(body);
        let mut flood = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (direct, body) = (Direct::to(&replica, &authority).await?, Arc::clone(&body));
            flood.spawn(async move { direct.post("/intercept", body.as_bytes()).await });
        }
        let mut answered = 0;
        while let Some(done) = flood.join_next().await {
            // Too late is an answer as well, as long as the webhook lives.
            answered += usize::from(done?.is_ok());
        }
        ensure!(answered > 0, "{what}: nobody was answered");
        tokio::time::sleep(SETTLED).await;
        replica
            .metrics()
            .await
            .with_context(|| format!("{what} ended it: {}", replica.log().unwrap_or_default()))?;
        drill.until_opted_in_flow().await.context(what)?;
    }
    drill.end().await.map(drop)
}

/// Reviews of the most bytes, of values that are small as text and large in memory.
fn hostile() -> [(&'static str, String); 4] {
    let of = |part: &str, bytes: usize| {
        let list = part.repeat(bytes / part.len());
        let list = format!("[{}]", list.trim_end_matches(','));
        review("hostile", NAMESPACE, INTERCEPTION)
            .to_string()
            .replace(r#""by the client""#, &list)
    };
    let most = BODY - (16 << 10);
    [
        ("numbers", of("0,", most)),
        ("maps of one member", of(r#"{"a":0},"#, most)),
        ("maps, of a size that is taken", of(r#"{"a":0},"#, 1 << 20)),
        ("text", of(&format!("{:?},", "x".repeat(1000)), most)),
    ]
}
