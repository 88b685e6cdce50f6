//! What could be lost or left behind: wishes whose objects go, what shows the points of a vault that goes, points that nobody
//! was promised, snapshots that nobody names.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::recovery_point::{PointState, Wanted};
use clusterbackup_api::snapshots::VolumeSnapshotContent;
use clusterbackup_api::{BackupVault, RecoveryPoint, labels};
use clusterbackup_tests::{Cluster, Daemon, eventually};
use clusterbackup_vault::lifecycle::{self, Decision, Record};
use clusterbackup_vault::point::PointId;
use clusterbackup_vault::store::{FileStore, Store};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::leader::catalogue::made::Made;
use crate::leader::stage::{Ground, LIMIT, Stage};
use crate::runner::scenarios;

scenarios! {
    Own: [
        what_is_wanted_gone_goes_though_nobody_shows_it_any_more,
        the_points_of_a_vault_that_is_gone_are_shown_no_more,
        a_point_without_which_its_backup_ended_is_no_point,
        snapshots_that_no_point_names_are_told_of_and_go_a_day_later,
    ],
}

async fn what_is_wanted_gone_goes_though_nobody_shows_it_any_more(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault_with("vault", json!({})).await?;
    let folder = ground.leaders.vaults().join("vault");
    let ours = ground.cluster_id().await?;
    let made: Vec<_> = (0..3)
        .map(|number| Made::new(number, &ours, ground.home.name()))
        .collect();
    for point in &made {
        point.write(&folder).await?;
    }
    // Of long ago, by their names and by a policy that is not there any more.
    let store: Store = Arc::new(FileStore::new(&folder));
    let past = Timestamp::now() - SignedDuration::from_hours(1);
    for (point, named) in [(&made[1], true), (&made[2], false)] {
        let record = Record {
            time: past,
            by: "somebody".to_owned(),
            decision: Decision::Delete {
                purge_after: past,
                named,
            },
        };
        let id = PointId::new(point.id.as_str())?;
        lifecycle::record(&store, &id, |_| Some(record.clone())).await?;
    }
    let _leader = ground.leaders.start().await?;
    ground.is_purged("vault", &made[1].id).await?;
    let kept = ground.stands(&made[2].id, PointState::Deleted).await?;
    ensure!(kept.spec.wanted.is_none(), "{kept:#?}");

    let name = &made[0].id;
    ground.want(name, "Deleted").await?;
    let deleted = ground.stands(name, PointState::Deleted).await?;
    let points = ground.home.api::<RecoveryPoint>();
    points.delete(name, &DeleteParams::default()).await?;
    let again = ground.stands(name, PointState::Deleted).await?;
    ensure!(
        again.uid() != deleted.uid() && again.spec.wanted == Some(Wanted::Deleted),
        "{again:#?}"
    );
    ground.want(name, "Present").await?;
    ground.stands(name, PointState::Available).await.map(drop)
}

async fn the_points_of_a_vault_that_is_gone_are_shown_no_more(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let folder = ground.leaders.vaults().join("vault");
    let of_others = ground.leaders.vaults().join("other");
    for vault in ["vault", "other"] {
        ground.vault(vault).await?;
    }
    let (point, other) = (Made::new(1, "another", "shop"), Made::new(2, "another", "shop"));
    point.write(&folder).await?;
    other.write(&of_others).await?;
    let _leader = ground.leaders.start().await?;
    for name in [&point.id, &other.id] {
        ground.says(name, "True", "InVault").await?;
    }
    let vaults = ground.home.api::<BackupVault>();
    vaults.delete("vault", &DeleteParams::default()).await?;
    ground.is_gone(&point.id).await?;
    ground.says(&other.id, "True", "InVault").await?;
    let manifest = folder.join(format!("catalogue/{}.json", point.id));
    ensure!(manifest.exists(), "the data is gone");
    ground.vault("vault").await?;
    ground.says(&point.id, "True", "InVault").await.map(drop)
}

async fn a_point_without_which_its_backup_ended_is_no_point(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault_with("vault", json!({})).await?;
    let folder = ground.leaders.vaults().join("vault");
    let ours = ground.cluster_id().await?;
    let _leader = ground.leaders.start().await?;
    // Of an instance that isn't there.
    ground.ask("made", "shop").await?;
    ground.ends("made", BackupPhase::Failed).await?;
    let uid = ground.backups().get("made").await?.uid().context("no uid")?;
    // As a leader commits it that slept meanwhile.
    let late = Made {
        id: uid,
        ..Made::new(1, &ours, ground.home.name())
    };
    late.write(&folder).await?;
    let other = Made::new(2, &ours, ground.home.name());
    other.write(&folder).await?;
    ground.look_at("vault").await?;
    ground.says(&other.id, "True", "InVault").await?;
    ground.is_purged("vault", &late.id).await
}

async fn snapshots_that_no_point_names_are_told_of_and_go_a_day_later(cluster: Cluster) -> Result<()> {
    let audit = Audit::set_up(cluster).await?;
    let stage = &audit.stage;
    let first = stage.leaders.start().await?;
    let lost = audit.backed_up("lost").await?;
    let kept = audit.backed_up("kept").await?;
    audit.strays(&first, 0).await?;
    first.terminate(LIMIT).await?;

    let (manifest, away) = (audit.manifest(&lost.point), stage.cluster.folder().join("away"));
    fs::rename(&manifest, &away)?;
    let second = stage.leaders.start().await?;
    audit.strays(&second, 1).await?;
    ensure!(audit.since(&lost).await?.is_some(), "nobody has noted it");
    ensure!(
        audit.since(&kept).await?.is_none(),
        "a snapshot of a point is taken for a stray"
    );
    audit.told_of(&lost).await?;
    second.terminate(LIMIT).await?;

    // Somebody has found it again.
    fs::rename(&away, &manifest)?;
    let third = stage.leaders.start().await?;
    eventually("the note is taken off", LIMIT, || async {
        ensure!(audit.since(&lost).await?.is_none(), "it is there");
        Ok(())
    })
    .await?;
    third.terminate(LIMIT).await?;

    fs::remove_file(&manifest)?;
    audit
        .note(&lost, Timestamp::now() - SignedDuration::from_hours(25))
        .await?;
    audit
        .note(&kept, Timestamp::now() - SignedDuration::from_hours(25))
        .await?;
    let _fourth = stage.leaders.start().await?;
    eventually("the snapshot goes with its data", LIMIT, || async {
        let found = audit.contents.get_opt(&lost.content).await?;
        ensure!(found.is_none(), "{found:#?}");
        ensure!(!audit.has_data(&lost), "its data is there");
        Ok(())
    })
    .await?;
    ensure!(audit.has_data(&kept), "the data of a point is gone");
    stage.only_is_left(1).await
}

/// A shop with a volume that is backed up.
struct Audit {
    stage: Stage,
    contents: Api<VolumeSnapshotContent>,
}

/// What a backup has left.
struct Left {
    point: String,
    content: String,
    handle: String,
}

impl Audit {
    async fn set_up(cluster: Cluster) -> Result<Self> {
        let stage = Stage::set_up(cluster).await?;
        stage.vault_with("vault", json!({})).await?;
        stage.csi.claim(&stage.shop, "data").await?;
        stage.instance("shop", json!({ "vault": "vault" })).await?;
        let contents = Api::all(stage.cluster.admin());
        Ok(Self { stage, contents })
    }

    async fn backed_up(&self, name: &str) -> Result<Left> {
        self.stage.ask(name, "shop").await?;
        let status = self.stage.ends(name, BackupPhase::Completed).await?;
        let volume = status.volumes.first().context("no volume")?;
        Ok(Left {
            point: status.recovery_point.clone().context("no point")?,
            content: volume.content.clone().context("no content")?,
            handle: volume.handle.clone().context("no handle")?,
        })
    }

    fn manifest(&self, point: &str) -> PathBuf {
        let vault = self.stage.leaders.vaults().join("vault");
        vault.join(format!("catalogue/{point}.json"))
    }

    fn has_data(&self, left: &Left) -> bool {
        let data = self.stage.csi.driver().snapshot_data(&left.handle);
        data.is_ok_and(|data| data.exists())
    }

    /// Waits until the leader counts so many strays.
    async fn strays(&self, leader: &Daemon, count: u64) -> Result<()> {
        eventually("the leader counts strays", LIMIT, || async {
            let counts = leader.counts().await?;
            let strays = counts.get("clusterbackup_leader_stray_snapshots");
            ensure!(strays == count, "{strays}");
            Ok(())
        })
        .await
    }

    /// Since when a snapshot is said to be named by nobody.
    async fn since(&self, left: &Left) -> Result<Option<String>> {
        let content = self.contents.get(&left.content).await?;
        Ok(content.annotations().get(labels::UNNAMED_SINCE).cloned())
    }

    async fn note(&self, left: &Left, since: Timestamp) -> Result<()> {
        let note = json!({ "metadata": { "annotations": { labels::UNNAMED_SINCE: since.to_string() } } });
        let merge = Patch::Merge(note);
        self.contents
            .patch(&left.content, &PatchParams::default(), &merge)
            .await?;
        Ok(())
    }

    /// Waits until people are told of a snapshot.
    async fn told_of(&self, left: &Left) -> Result<()> {
        let events = Api::<Event>::all(self.stage.cluster.admin());
        eventually("an event tells of the snapshot", LIMIT, || async {
            let events = events.list(&ListParams::default()).await?.items;
            let about = |event: &Event| {
                let about = event
                    .regarding
                    .as_ref()
                    .and_then(|regarding| regarding.name.clone());
                event.reason.as_deref() == Some("SnapshotUnnamed") && about.as_ref() == Some(&left.content)
            };
            ensure!(events.iter().any(about), "{events:#?}");
            Ok(())
        })
        .await
    }
}
