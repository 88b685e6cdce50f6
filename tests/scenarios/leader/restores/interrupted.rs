//! Restores whose leader dies, that somebody stops, or that disappear while they run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::Restore;
use clusterbackup_api::restore::{RestorePhase, RestoreStatus};
use clusterbackup_tests::{Cluster, leader};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::leader::deaths::fraction;
use crate::leader::stage::Ground;
use crate::runner::scenarios;

scenarios! {
    OwnRounds: [a_leader_may_die_at_any_moment_of_a_restore],
    Own: [a_restore_is_stopped_at_once],
}

/// So many that a restore takes a while.
const MANY: usize = 1500;

/// A shop with many objects, and a point of it.
pub(super) async fn big(ground: &Ground, count: usize) -> Result<String> {
    let settings = ground.shop.api::<ConfigMap>();
    let creations = stream::iter(0..count).map(async |number| {
        let object: ConfigMap = serde_json::from_value(json!({
            "metadata": { "name": format!("settings-{number}") }, "data": { "number": number.to_string() },
        }))?;
        settings.create(&PostParams::default(), &object).await?;
        anyhow::Ok(())
    });
    creations.buffer_unordered(16).try_collect::<()>().await?;
    ground.point("nightly").await
}

async fn a_leader_may_die_at_any_moment_of_a_restore((cluster, rounds): (Cluster, u32)) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let mut leader = ground.leaders.start().await?;
    leader::leads(&leader).await?;
    let point = big(&ground, 300).await?;
    ground
        .restore("undisturbed", &point, mapped(&ground, "undisturbed"))
        .await?;
    let status = ground.restored("undisturbed", RestorePhase::Completed).await?;
    let whole = took(&status)?;
    for round in 0..rounds {
        let (name, moment) = (format!("restore-{round}"), whole.mul_f64(fraction()));
        ground.restore(&name, &point, mapped(&ground, &name)).await?;
        tokio::time::sleep(moment).await;
        leader.kill().await?;
        leader = ground.leaders.start().await?;
        let ended = ground.restored(&name, RestorePhase::Completed).await;
        let status =
            ended.with_context(|| format!("the leader was killed {moment:?} after it was asked for"))?;
        ensure!(
            status.counts.created >= 300 && status.counts.skipped == 0,
            "{status:#?}"
        );
        same(&ground, &target(&ground, &name)).await?;
    }
    Ok(())
}

async fn a_restore_is_stopped_at_once(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let point = big(&ground, MANY).await?;
    ground
        .restore("friday", &point, mapped(&ground, "friday"))
        .await?;
    ground
        .restore_sees("friday", "creates objects", |status| status.counts.created > 0)
        .await?;
    let asked = Instant::now();
    let restores: Api<Restore> = ground.restores();
    let cancel = Patch::Merge(json!({ "spec": { "cancel": true } }));
    restores.patch("friday", &PatchParams::default(), &cancel).await?;
    let status = ground.restored("friday", RestorePhase::Cancelled).await?;
    let took = asked.elapsed();
    ensure!(took < Duration::from_secs(2), "it took {took:?}");
    ensure!(status.counts.pending > 0, "it was too fast for us: {status:#?}");
    let there = count(&ground, &target(&ground, "friday")).await?;
    ensure!(there < MANY, "{there} objects are there: {status:#?}");

    // One that is deleted stops as well, and nobody trips over it.
    ground.restore("gone", &point, mapped(&ground, "gone")).await?;
    ground
        .restore_sees("gone", "creates objects", |status| status.counts.created > 0)
        .await?;
    restores.delete("gone", &DeleteParams::default()).await?;
    let small = json!({ "objects": [
        { "groupResource": "configmaps", "namespace": ground.shop.name(), "name": "settings-0" },
    ] });
    ground.restore("small", &point, small).await?;
    let status = ground.restored("small", RestorePhase::Completed).await?;
    ensure!(status.counts.unchanged >= 1, "{status:#?}");
    Ok(())
}

/// A namespace of its own for a restore.
pub(super) fn target(ground: &Ground, name: &str) -> String {
    format!("{}-{name}", ground.shop.name())
}

pub(super) fn mapped(ground: &Ground, name: &str) -> serde_json::Value {
    json!({ "namespaceMappings": { ground.shop.name(): target(ground, name) } })
}

async fn count(ground: &Ground, namespace: &str) -> Result<usize> {
    let settings = Api::<ConfigMap>::namespaced(ground.cluster.admin(), namespace);
    let list = settings.list(&ListParams::default()).await?;
    let ours = list
        .iter()
        .filter(|object| object.name_any().starts_with("settings-"));
    Ok(ours.count())
}

/// Whether the namespace has what the shop has.
async fn same(ground: &Ground, namespace: &str) -> Result<()> {
    let data = async |namespace: &str| {
        let settings = Api::<ConfigMap>::namespaced(ground.cluster.admin(), namespace);
        let list = settings.list(&ListParams::default()).await?;
        let named = list
            .items
            .into_iter()
            .filter(|object| object.name_any().starts_with("settings-"));
        anyhow::Ok(
            named
                .map(|object| (object.name_any(), object.data))
                .collect::<Vec<_>>(),
        )
    };
    let (was, is) = (data(ground.shop.name()).await?, data(namespace).await?);
    ensure!(was == is, "{namespace} has {} objects of {}", is.len(), was.len());
    Ok(())
}

pub(super) fn took(status: &RestoreStatus) -> Result<Duration> {
    let began = status.started_at.as_ref().context("it never began")?;
    let ended = status.finished_at.as_ref().context("it never ended")?;
    Ok(Duration::try_from(ended.0.duration_since(began.0))?)
}
