//! What disturbs a restore all through its course: leaders that die, an API server that goes and comes back, another restore.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_api::restore::{Outcome, RestorePhase};
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::{Cluster, leader};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, PostParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::leader::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [
        leaders_die_at_twenty_points_of_a_restore_and_each_object_is_created_once,
        an_api_server_that_is_killed_in_the_middle_costs_no_object,
        two_restores_of_the_same_objects_create_each_of_them_once,
        a_large_point_is_restored_in_little_memory,
    ],
}

/// Leaders that die in one restore.
const DEATHS: usize = 20;
/// Secrets, so that there are a few dozen between two deaths.
const MANY: usize = 600;
/// What a leader has while a point of 40 MB is restored.
const MEGABYTES: f64 = 150.0;

async fn leaders_die_at_twenty_points_of_a_restore_and_each_object_is_created_once(
    cluster: Cluster,
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let mut leader = ground.leaders.start().await?;
    let point = full(&ground).await?;
    let target = format!("{}-again", ground.shop.name());
    let mut creations = Creations::of(&ground, &target);
    ground.restore("friday", &point, mapped(&ground, &target)).await?;
    for death in 0..DEATHS {
        // The first one before anything is created, the last one when everything is.
        let wanted = MANY * death / (DEATHS - 1);
        creations.reach(wanted).await?;
        leader.kill().await?;
        ground.release_lease().await?;
        leader = ground.leaders.start().await?;
        leader::leads(&leader).await?;
    }
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    ensure!(
        status.counts.created >= u64::try_from(MANY)? && status.counts.skipped == 0,
        "{status:#?}"
    );
    creations.are_those(&ground, &target).await
}

async fn an_api_server_that_is_killed_in_the_middle_costs_no_object(cluster: Cluster) -> Result<()> {
    let mut ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let point = full(&ground).await?;
    let target = format!("{}-again", ground.shop.name());
    let mut creations = Creations::of(&ground, &target);
    ground.restore("friday", &point, mapped(&ground, &target)).await?;
    creations.reach(MANY / 3).await?;
    ground
        .cluster
        .without_api_server(async {
            sleep(Duration::from_secs(2)).await;
            Ok(())
        })
        .await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    ensure!(
        status.counts.created >= u64::try_from(MANY)? && status.counts.failed == 0,
        "{status:#?}"
    );
    creations.are_those(&ground, &target).await
}

async fn two_restores_of_the_same_objects_create_each_of_them_once(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let point = full(&ground).await?;
    let target = format!("{}-again", ground.shop.name());
    let mut creations = Creations::of(&ground, &target);
    for name in ["friday", "saturday"] {
        ground.restore(name, &point, mapped(&ground, &target)).await?;
    }
    let (mut created, mut unchanged) = (0, 0);
    for name in ["friday", "saturday"] {
        let status = ground.restored(name, RestorePhase::Completed).await?;
        let differs = |action| action == Outcome::Skipped || action == Outcome::Failed;
        ensure!(
            !status.problems.iter().any(|problem| differs(problem.action)),
            "{status:#?}"
        );
        created += status.counts.created;
        unchanged += status.counts.unchanged;
    }
    ensure!(
        created == unchanged,
        "{created} are created, {unchanged} unchanged"
    );
    creations.are_those(&ground, &target).await
}

async fn a_large_point_is_restored_in_little_memory(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.fill().await?;
    let leader = ground.leaders.start().await?;
    let point = ground.point("nightly").await?;
    drop(leader);
    // One that has done nothing else.
    let leader = ground.leaders.start().await?;
    let target = format!("{}-again", ground.shop.name());
    ground.restore("friday", &point, mapped(&ground, &target)).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    ensure!(status.counts.created >= u64::from(Ground::FILLING), "{status:#?}");
    let memory = Memory::of(leader.process_id())?;
    ensure!(memory.most < MEGABYTES, "the leader has had {memory:?}");
    Ok(())
}

/// Fills the shop with Secrets, and backs it up.
async fn full(ground: &Ground) -> Result<String> {
    let secrets = ground.shop.api::<Secret>();
    let creations = stream::iter(0..MANY).map(async |number| {
        let object: Secret = serde_json::from_value(json!({
            "metadata": { "name": format!("secret-{number}") }, "stringData": { "number": number.to_string() },
        }))?;
        secrets.create(&PostParams::default(), &object).await?;
        anyhow::Ok(())
    });
    creations.buffer_unordered(16).try_collect::<()>().await?;
    ground.point("nightly").await
}

fn mapped(ground: &Ground, target: &str) -> Value {
    json!({ "namespaceMappings": { ground.shop.name(): target } })
}

/// The Secrets that are created in a namespace, as a watch shows them. An object that is created twice has two uids.
struct Creations {
    events: BoxStream<'static, watcher::Result<Event<Secret>>>,
    uids: BTreeMap<String, BTreeSet<String>>,
}

impl Creations {
    fn of(ground: &Ground, namespace: &str) -> Self {
        let secrets = Api::<Secret>::namespaced(ground.cluster.admin(), namespace);
        Self {
            events: watcher(secrets, watcher::Config::default())
                .default_backoff()
                .boxed(),
            uids: BTreeMap::new(),
        }
    }

    /// Waits until so many are created.
    async fn reach(&mut self, count: usize) -> Result<()> {
        let reached = async {
            while self.uids.len() < count {
                match self.events.next().await.context("the watch has ended")? {
                    Ok(Event::Apply(secret) | Event::InitApply(secret)) => self.see(&secret),
                    Ok(Event::Delete(secret)) => bail!("{} was deleted", secret.name_any()),
                    // The API server is away.
                    Ok(Event::Init | Event::InitDone) | Err(_) => {}
                }
            }
            Ok(())
        };
        let reached = timeout(LIMIT, reached).await;
        reached.with_context(|| format!("there are less than {count} objects"))?
    }

    fn see(&mut self, secret: &Secret) {
        let uids = self.uids.entry(secret.name_any()).or_default();
        uids.extend(secret.uid());
    }

    /// Whether the namespace has the Secrets of the shop, each of them created once.
    async fn are_those(&mut self, ground: &Ground, target: &str) -> Result<()> {
        self.reach(MANY).await?;
        let of = async |namespace: &str| {
            let secrets = Api::<Secret>::namespaced(ground.cluster.admin(), namespace);
            anyhow::Ok(secrets.list(&ListParams::default()).await?.items)
        };
        let data = |secrets: &[Secret]| -> BTreeMap<_, _> {
            let data = secrets
                .iter()
                .map(|secret| (secret.name_any(), secret.data.clone()));
            data.collect()
        };
        let (was, is) = (of(ground.shop.name()).await?, of(target).await?);
        ensure!(data(&was) == data(&is), "{} Secrets of {}", is.len(), was.len());
        for secret in &is {
            self.see(secret);
        }
        let mut several = self.uids.iter().filter(|(_, uids)| uids.len() > 1);
        let first = several.next();
        ensure!(first.is_none(), "created more than once: {first:?}");
        Ok(())
    }
}
