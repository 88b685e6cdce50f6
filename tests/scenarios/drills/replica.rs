//! The webhook dies, hangs, is slow, or asks for more memory than it may have.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_tests::{Cluster, ReplicaOptions};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Drill, INTERCEPTION, LIMIT, install, limited};
use crate::load;
use crate::runner::scenarios;
use crate::steps::opted_in;

scenarios! {
    Own: [
        killed_in_the_middle_of_reviews,
        hanging_until_the_api_server_gives_up,
        slow_for_patient_and_impatient_clients,
        ended_by_its_memory_limit_in_the_middle_of_large_reviews,
    ],
}

const NOBODY_ANSWERS: &str = "failed calling webhook \"intercept.clusterbackup.io\"";
const TOO_LATE: &str = "deadline exceeded";

async fn killed_in_the_middle_of_reviews(cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let mut replica = webhook.start(ReplicaOptions::default()).await?;
    let drill = Drill::start(cluster.admin()).await?;
    for _ in 0..3 {
        // Stopped first, so that it certainly dies in the middle.
        replica.pause()?;
        drill.opted_in.until_stuck().await?;
        replica.kill().await?;
        drill.until_refused(NOBODY_ANSWERS).await?;
        // As the kubelet does it.
        replica = webhook.launch(ReplicaOptions::default()).await?;
        drill.until_opted_in_flow().await?;
    }
    let tally = drill.end().await?;
    ensure!(!tally.failed.is_empty(), "nobody noticed");
    Ok(())
}

async fn hanging_until_the_api_server_gives_up(cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let replica = webhook.start(ReplicaOptions::default()).await?;
    let drill = Drill::start(cluster.admin()).await?;
    replica.pause()?;
    drill.until_refused(TOO_LATE).await?;
    replica.resume()?;
    drill.end().await.map(drop)
}

async fn slow_for_patient_and_impatient_clients(cluster: Cluster) -> Result<()> {
    const IMPATIENCE: Duration = Duration::from_millis(300);
    let webhook = install(&cluster).await?;
    let _replica = webhook.start(ReplicaOptions::default()).await?;
    let drill = Drill::start(cluster.admin()).await?;

    webhook.delay_answers(Duration::from_secs(1));
    drill.opted_in.until_stuck().await?;
    for _ in 0..10 {
        let given_up = timeout(IMPATIENCE, load::create(&drill.config_maps(), INTERCEPTION)).await;
        ensure!(given_up.is_err(), "the answer came too early: {given_up:?}");
    }
    // Late is still in time.
    drill.opted_in.until_stored(10).await?;

    webhook.delay_answers(Duration::from_secs(6));
    drill.until_refused(TOO_LATE).await?;
    webhook.delay_answers(Duration::ZERO);
    drill.end().await.map(drop)
}

async fn ended_by_its_memory_limit_in_the_middle_of_large_reviews(cluster: Cluster) -> Result<()> {
    const MEMORY: u64 = 40 << 20;
    let webhook = install(&cluster).await?;
    let replica = webhook.start(limited(MEMORY)).await?;
    let drill = Drill::start(cluster.admin()).await?;

    let mut large = JoinSet::new();
    for _ in 0..16 {
        large.spawn(create_large(drill.config_maps()));
    }
    let status = replica.ended(LIMIT).await?;
    ensure!(!status.success(), "it ended in peace: {status}");
    let mut refused = 0;
    while let Some(done) = large.join_next().await {
        refused += usize::from(done?.is_err());
    }
    ensure!(refused > 0, "no large review was under way");
    drill.until_refused(NOBODY_ANSWERS).await?;

    let _next = webhook.launch(ReplicaOptions::default()).await?;
    drill.end().await.map(drop)
}

/// Of a million bytes. Of more keys, the API server would have more to do with it than the webhook.
async fn create_large(api: Api<ConfigMap>) -> Result<()> {
    let value = "some value".repeat(10);
    let data: Map<String, Value> = (0..9_000)
        .map(|number| (format!("key-{number}"), json!(value)))
        .collect();
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "generateName": "large-", "labels": {} },
        "data": data,
    });
    let object = serde_json::from_value(opted_in(object, INTERCEPTION))?;
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}
