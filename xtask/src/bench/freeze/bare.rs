//! Snapshots as any client makes them, with nobody to freeze; and the removal of all snapshots.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::node_task::CutOrder;
use clusterbackup_api::snapshots::{VolumeGroupSnapshot, VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_tests::eventually;
use clusterbackup_tests::stage::Stage;
use futures::future::try_join_all;
use futures::{Stream, TryStreamExt as _};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_mins(1);

/// Asks for all snapshots of a unit at once: how long it takes until the last is seen taken.
pub(super) async fn cut(stage: &Stage, unit: &Value) -> Result<Duration> {
    let orders: Vec<CutOrder> = serde_json::from_value(unit["cuts"].clone())?;
    let took = match orders.as_slice() {
        [order] if order.group_labels.is_some() => {
            ask(
                stage.namespace.api(),
                &[group(order)?],
                |group: &VolumeGroupSnapshot| {
                    let status = group.status.as_ref();
                    status.is_some_and(|status| status.creation_time.is_some())
                },
            )
            .await?
        }
        _ => {
            let singles = orders.iter().map(single).collect::<Result<Vec<_>>>()?;
            ask(stage.namespace.api(), &singles, |snapshot: &VolumeSnapshot| {
                let status = snapshot.status.as_ref();
                status.is_some_and(|status| status.creation_time.is_some())
            })
            .await?
        }
    };
    clear(stage).await?;
    Ok(took)
}

async fn ask<K>(api: Api<K>, objects: &[K], is_taken: fn(&K) -> bool) -> Result<Duration>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let mut events = pin!(watcher(api.clone(), watcher::Config::default()));
    while !matches!(next(&mut events).await?, Event::InitDone) {}
    let began = Instant::now();
    let params = PostParams::default();
    let asked = try_join_all(objects.iter().map(|object| api.create(&params, object)));
    let seen = async {
        let mut taken = BTreeSet::new();
        while taken.len() < objects.len() {
            if let Event::Apply(object) = next(&mut events).await?
                && is_taken(&object)
            {
                taken.extend(object.meta().name.clone());
            }
        }
        anyhow::Ok(began.elapsed())
    };
    let (asked, took) = tokio::join!(asked, timeout(LIMIT, seen));
    asked?;
    took.context("the snapshots are not taken")?
}

async fn next<K>(events: &mut (impl Stream<Item = watcher::Result<Event<K>>> + Unpin)) -> Result<Event<K>> {
    events.try_next().await?.context("the watch has ended")
}

fn single(order: &CutOrder) -> Result<VolumeSnapshot> {
    Ok(serde_json::from_value(json!({
        "metadata": { "name": order.snapshot },
        "spec": {
            "source": { "persistentVolumeClaimName": order.claims.first() },
            "volumeSnapshotClassName": order.class,
        },
    }))?)
}

fn group(order: &CutOrder) -> Result<VolumeGroupSnapshot> {
    Ok(serde_json::from_value(json!({
        "metadata": { "name": order.snapshot },
        "spec": {
            "source": { "selector": { "matchLabels": order.group_labels } },
            "volumeGroupSnapshotClassName": order.class,
        },
    }))?)
}

/// Removes all snapshots, and waits until their data is gone: no round pays for the one before.
pub(super) async fn clear(stage: &Stage) -> Result<()> {
    let (groups, snapshots) = (
        stage.namespace.api::<VolumeGroupSnapshot>(),
        stage.namespace.api::<VolumeSnapshot>(),
    );
    let all = (DeleteParams::default(), ListParams::default());
    groups.delete_collection(&all.0, &all.1).await?;
    snapshots.delete_collection(&all.0, &all.1).await?;
    gone(&groups).await?;
    gone(&snapshots).await?;
    gone(&Api::<VolumeSnapshotContent>::all(stage.cluster.admin())).await
}

async fn gone<K>(api: &Api<K>) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned,
{
    eventually("the snapshots are gone", LIMIT, || async {
        let left = api.list_metadata(&ListParams::default()).await?.items.len();
        ensure!(left == 0, "{left} are there");
        Ok(())
    })
    .await
}
