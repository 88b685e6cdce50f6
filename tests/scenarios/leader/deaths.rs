//! Leaders that die, sleep or are told to stop while a backup goes into a vault: whatever the vault lists is whole, and
//! nothing else is left of the rest.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_tests::stores::{Kind, Place};
use clusterbackup_tests::{Cluster, Daemon, Stores, leader};
use clusterbackup_vault::catalogue;
use futures::TryStreamExt as _;
use kube::ResourceExt as _;
use serde_json::json;

use super::stage::{App, LIMIT, Node, Stage};
use crate::runner::scenarios;

scenarios! {
    OwnRounds: [a_leader_may_die_at_any_moment_of_a_backup_into_a_vault],
    OwnStoresRounds: [a_leader_may_die_at_any_moment_of_a_backup_into_a_store_of_blobs],
    Own: [
        a_leader_that_slept_while_objects_were_stored_commits_nothing_when_it_wakes,
        a_backup_that_is_cancelled_while_its_objects_are_stored_leaves_no_point,
    ],
}

async fn a_leader_may_die_at_any_moment_of_a_backup_into_a_vault(
    (cluster, rounds): (Cluster, u32),
) -> Result<()> {
    Box::pin(Drill::set_up(cluster)).await?.dies(rounds).await
}

async fn a_leader_may_die_at_any_moment_of_a_backup_into_a_store_of_blobs(
    (cluster, stores, rounds): (Cluster, &Stores, u32),
) -> Result<()> {
    let place = stores.place(Kind::Azure).await?;
    Box::pin(Drill::into(cluster, Some(&place)))
        .await?
        .dies(rounds)
        .await
}

async fn a_leader_that_slept_while_objects_were_stored_commits_nothing_when_it_wakes(
    cluster: Cluster,
) -> Result<()> {
    let drill = Box::pin(Drill::set_up(cluster)).await?;
    let stage = &drill.stage;
    let first = stage.leaders.start().await?;
    leader::leads(&first).await?;
    let second = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    drill.stage.stores().await?;
    first.pause()?;
    ensure!(drill.stage.listed().await?.is_empty(), "it was too fast for us");
    leader::leads(&second).await?;
    stage.ends("nightly", BackupPhase::Completed).await?;
    let before = (drill.stage.listed().await?, drill.version("nightly").await?);
    ensure!(
        before.0[0].begin.attempt.as_str().starts_with("2-"),
        "{before:#?}"
    );

    first.resume()?;
    leader::loses(&first).await?;
    ensure!(first.terminate(LIMIT).await?.success(), "it does not end well");
    let after = (drill.stage.listed().await?, drill.version("nightly").await?);
    ensure!(after == before, "before {before:#?}, then {after:#?}");
    stage.only_is_left(1).await
}

async fn a_backup_that_is_cancelled_while_its_objects_are_stored_leaves_no_point(
    cluster: Cluster,
) -> Result<()> {
    let drill = Box::pin(Drill::set_up(cluster)).await?;
    let stage = &drill.stage;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    drill.stage.stores().await?;
    stage.cancel("nightly").await?;
    let status = stage.ends("nightly", BackupPhase::Cancelled).await?;
    ensure!(status.recovery_point.is_none(), "{status:#?}");
    ensure!(
        drill.stage.listed().await?.is_empty(),
        "{:#?}",
        drill.stage.listed().await?
    );
    let left: Vec<_> = catalogue::leftovers(&drill.stage.store()).try_collect().await?;
    let begun: Vec<_> = left.iter().filter_map(|left| left.begin.as_ref()).collect();
    ensure!(begun.len() == 1 && begun[0].backup.name == "nightly", "{left:#?}");
    drill.app.goes_on().await?;
    stage.only_is_left(0).await
}

/// An application with a volume, and enough objects around it that storing them takes a while.
struct Drill {
    app: App,
    _node: Node,
    stage: Stage,
}

impl Drill {
    async fn set_up(cluster: Cluster) -> Result<Self> {
        Self::into(cluster, None).await
    }

    /// The same, with the vault in a store of blobs.
    async fn into(cluster: Cluster, place: Option<&Place>) -> Result<Self> {
        let mut stage = Stage::set_up(cluster).await?;
        let node = stage.node("node-a").await?;
        let app = stage.app(&node, "orders", 1).await?;
        match place {
            Some(place) => stage.ground.fill_into(place).await?,
            None => stage.fill().await?,
        }
        let hook = json!({ "name": "orders", "namespace": stage.home.name() });
        let spec = json!({ "backupHooks": [hook], "vault": "vault" });
        stage.instance("shop", spec).await?;
        Ok(Self {
            app,
            _node: node,
            stage,
        })
    }

    /// Kills leaders at any moments of so many backups.
    async fn dies(&self, rounds: u32) -> Result<()> {
        let mut leader = self.stage.leaders.start().await?;
        leader::leads(&leader).await?;
        self.stage.ask("undisturbed", "shop").await?;
        let status = self.stage.ends("undisturbed", BackupPhase::Completed).await?;
        let whole = took(&status)?;
        for round in 0..rounds {
            let moment = whole.mul_f64(fraction());
            let name = format!("backup-{round}");
            leader = self.die(leader, &name, moment).await.with_context(|| {
                format!("the leader of {name} was killed {moment:?} after it was asked for")
            })?;
        }
        let points = usize::try_from(rounds)? + 1;
        ensure!(
            self.stage.listed().await?.len() == points,
            "{:#?}",
            self.stage.listed().await?
        );
        self.stage.only_is_left(points).await
    }

    /// Asks for a backup, kills its leader so much later, and has another one end it; says which.
    async fn die(&self, leader: Daemon, name: &str, moment: Duration) -> Result<Daemon> {
        let freezes = self.app.pauses()?.len();
        self.stage.ask(name, "shop").await?;
        tokio::time::sleep(moment).await;
        leader.kill().await?;
        self.stage.listed().await?;
        self.stage.release_lease().await?;
        let next = self.stage.leaders.start().await?;
        leader::leads(&next).await?;
        let status = self.stage.ends(name, BackupPhase::Completed).await?;

        let id = status.recovery_point.as_deref().context("it names no point")?;
        let listed = self.stage.listed().await?;
        ensure!(
            listed.iter().any(|manifest| manifest.begin.id.as_str() == id),
            "{id} is not among {listed:#?}"
        );
        self.app.goes_on().await?;
        let pauses = self.app.pauses()?;
        ensure!(pauses.len() == freezes + 1, "frozen: {pauses:?}");
        Ok(next)
    }

    /// The version of a backup as it stands in the cluster.
    async fn version(&self, backup: &str) -> Result<Option<String>> {
        Ok(self.stage.backups().get(backup).await?.resource_version())
    }
}

fn took(status: &BackupStatus) -> Result<Duration> {
    let times = status.started_at.as_ref().zip(status.finished_at.as_ref());
    let (began, ended) = times.context("it has not ended")?;
    Ok(ended.0.duration_since(began.0).try_into()?)
}

/// Any number from 0 to 1.
pub(super) fn fraction() -> f64 {
    let random = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
    f64::from(random) / f64::from(u32::MAX)
}
