//! For how long recovery points live: deleted by their policy or by name, had back, and purged with their snapshots. Time is
//! not waited for: points of long ago are written into the vault.

pub(crate) mod leaks;

use std::fs::File;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::recovery_point::PointState;
use clusterbackup_api::{BackupInstance, BackupPolicy, BackupVault, RecoveryPoint};
use clusterbackup_tests::{Cluster, eventually};
use clusterbackup_vault::point::PointPhase;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::catalogue::made::Made;
use super::stage::{Ground, LIMIT, Stage};
use crate::runner::scenarios;

scenarios! {
    Own: [
        a_policy_deletes_expired_points_and_never_the_newest_good_one,
        a_point_is_deleted_by_name_had_back_and_purged_with_its_snapshots,
        stopped_protection_and_immutable_vaults_keep_what_they_say,
        what_is_left_of_an_attempt_goes_when_its_backup_is_over_and_the_cluster_began_it,
    ],
}

async fn a_policy_deletes_expired_points_and_never_the_newest_good_one(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground
        .vault_with("vault", json!({ "softDelete": { "days": 0 } }))
        .await?;
    ground.policy("week", 7).await?;
    for (instance, policy) in [("shop", Some("week")), ("kept", None)] {
        ground
            .instance(instance, json!({ "vault": "vault", "policy": policy }))
            .await?;
    }
    let ours = ground.cluster_id().await?;
    let points = [
        ("shop", &ours, 30, PointPhase::Completed),
        ("shop", &ours, 20, PointPhase::Completed),
        ("shop", &ours, 10, PointPhase::CompletedWithWarnings),
        // Without a policy, of nobody, and of another cluster.
        ("kept", &ours, 400, PointPhase::Completed),
        ("unknown", &ours, 400, PointPhase::Completed),
        ("shop", &"another".to_owned(), 400, PointPhase::Completed),
    ];
    let mut names = Vec::new();
    for (number, (instance, cluster, days_ago, phase)) in (0..).zip(points) {
        let made = Made {
            instance: instance.to_owned(),
            days_ago,
            phase,
            ..Made::new(number, cluster, ground.home.name())
        };
        made.write(&ground.leaders.vaults().join("vault")).await?;
        names.push(made.id);
    }
    let _leader = ground.leaders.start().await?;
    // Deleted with the first look, purged with the next.
    for gone in [0, 2] {
        ground.is_purged("vault", &names[gone]).await?;
    }
    for (number, because) in [
        (1, "the newest complete point of the default rule"),
        (3, "no policy"),
        (4, "no policy"),
        (5, "another cluster"),
    ] {
        let point = ground.says(&names[number], "True", "InVault").await?;
        let status = point.status.unwrap_or_default();
        let told = status.kept_because.unwrap_or_default();
        ensure!(
            told.contains(because) && status.state == Some(PointState::Available),
            "{told}"
        );
    }
    Ok(())
}

async fn a_point_is_deleted_by_name_had_back_and_purged_with_its_snapshots(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    stage.vault_with("vault", json!({})).await?;
    for claim in ["data", "log"] {
        stage.csi.claim(&stage.shop, claim).await?;
    }
    stage.instance("shop", json!({ "vault": "vault" })).await?;
    let _leader = stage.leaders.start().await?;
    let mut made = Vec::new();
    for name in ["first", "second", "third"] {
        stage.ask(name, "shop").await?;
        let status = stage.ends(name, BackupPhase::Completed).await?;
        made.push((status.recovery_point.clone().context("no point")?, status));
    }
    let [(first, _), (second, _), (third, _)] = made.as_slice() else {
        anyhow::bail!("three were made");
    };

    stage.want(first, "Deleted").await?;
    let deleted = stage.stands(first, PointState::Deleted).await?;
    let purge_after = deleted.status.and_then(|status| status.purge_after);
    ensure!(purge_after.is_some(), "nobody says when it is purged");
    stage.want(first, "Present").await?;
    stage.stands(first, PointState::Available).await?;

    let at_once = Patch::Merge(json!({ "spec": { "softDelete": { "days": 0 } } }));
    let vaults = stage.home.api::<BackupVault>();
    vaults.patch("vault", &PatchParams::default(), &at_once).await?;
    stage.want(second, "Deleted").await?;
    stage.is_purged("vault", second).await?;
    // Also where only the driver's side is left of its snapshots.
    stage.delete_namespace(stage.shop.name()).await?;
    stage.want(first, "Deleted").await?;
    stage.is_purged("vault", first).await?;
    stage.stands(third, PointState::Available).await?;
    for (point, status) in &made {
        for volume in &status.volumes {
            let handle = volume.handle.as_deref().context("no handle")?;
            let data = stage.csi.driver().snapshot_data(handle);
            let there = data.is_ok_and(|data| data.exists());
            ensure!(
                there == (point == third),
                "{point}: the data of {} is there: {there}",
                volume.claim
            );
        }
    }
    Ok(())
}

async fn stopped_protection_and_immutable_vaults_keep_what_they_say(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let locked = json!({ "softDelete": { "days": 0 }, "immutability": "Locked" });
    ground.vault_with("locked", locked).await?;
    ground
        .vault_with("vault", json!({ "softDelete": { "days": 0 } }))
        .await?;
    ground.policy("week", 7).await?;
    let ours = ground.cluster_id().await?;
    let mut names = Vec::new();
    for (number, (instance, vault, days_ago)) in (0..).zip([
        ("stopped", "vault", 30),
        ("stopped", "vault", 1),
        ("promised", "locked", 3),
        ("promised", "locked", 1),
    ]) {
        let made = Made {
            instance: instance.to_owned(),
            days_ago,
            ..Made::new(number, &ours, ground.home.name())
        };
        made.write(&ground.leaders.vaults().join(vault)).await?;
        names.push(made.id);
    }
    let spec = json!({ "vault": "vault", "policy": "week", "protection": "StopAndRetain" });
    ground.instance("stopped", spec).await?;
    ground
        .instance("promised", json!({ "vault": "locked", "policy": "week" }))
        .await?;
    let _leader = ground.leaders.start().await?;
    for name in &names {
        ground.stands(name, PointState::Available).await?;
    }
    let told = ground
        .stands(&names[0], PointState::Available)
        .await?
        .status
        .unwrap_or_default();
    ensure!(
        told.kept_because
            .is_some_and(|because| because.contains("stopped")),
        "nobody says why it stays"
    );

    // What is promised is kept, whatever is asked for; and the vault stays as it is.
    ground.want(&names[2], "Deleted").await?;
    eventually("the vault refuses the deletion", LIMIT, || async {
        let status = ground
            .home
            .api::<RecoveryPoint>()
            .get(&names[2])
            .await?
            .status
            .unwrap_or_default();
        let because = status.kept_because.unwrap_or_default();
        ensure!(because.contains("its vault keeps it until"), "{because}");
        Ok(())
    })
    .await?;
    let vaults = ground.home.api::<BackupVault>();
    let unlocked = Patch::Merge(json!({ "spec": { "immutability": "Disabled" } }));
    let refused = vaults.patch("locked", &PatchParams::default(), &unlocked).await;
    ensure!(refused.is_err(), "a locked vault was unlocked");

    let stop = Patch::Merge(json!({ "spec": { "protection": "StopAndDelete" } }));
    let instances = ground.home.api::<BackupInstance>();
    for instance in ["stopped", "promised"] {
        instances.patch(instance, &PatchParams::default(), &stop).await?;
    }
    for name in &names[..2] {
        ground.is_purged("vault", name).await?;
    }
    for name in &names[2..] {
        ground.stands(name, PointState::Available).await?;
    }
    Ok(())
}

async fn what_is_left_of_an_attempt_goes_when_its_backup_is_over_and_the_cluster_began_it(
    cluster: Cluster,
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault_with("vault", json!({})).await?;
    let folder = ground.leaders.vaults().join("vault");
    let ours = ground.cluster_id().await?;
    let attempts = [(ours.as_str(), 2), (ours.as_str(), 0), ("another", 2)];
    let mut left = Vec::new();
    for (number, (cluster, days_ago)) in (0..).zip(attempts) {
        let made = Made {
            days_ago,
            ..Made::new(number, cluster, ground.home.name())
        };
        drop(made.begin(&folder).await?);
        left.push(folder.join(format!("data/{}", made.id)));
    }
    // As a crash leaves them, before they have names.
    let (old, young) = (folder.join("data/~old123"), folder.join("data/~young1"));
    for (file, age) in [(&old, Duration::from_hours(48)), (&young, Duration::ZERO)] {
        File::create(file)?.set_modified(SystemTime::now() - age)?;
    }
    let _leader = ground.leaders.start().await?;
    eventually("what is of long ago is gone", LIMIT, || async {
        ensure!(!left[0].exists() && !old.exists(), "it is there");
        Ok(())
    })
    .await?;
    ensure!(young.exists(), "a file that somebody may be at work on is gone");
    ensure!(left[1].exists(), "one that may be at work is gone");
    ensure!(left[2].exists(), "one of another cluster is gone");
    Ok(())
}

impl Ground {
    /// Makes a vault in a folder of its own, with what `spec` says beside that.
    pub(in crate::leader) async fn vault_with(&self, name: &str, mut spec: Value) -> Result<()> {
        let folder = self.leaders.vaults().join(name);
        std::fs::create_dir_all(&folder)?;
        spec["operational"] = json!({ "fileSystem": { "path": folder } });
        let vault: BackupVault = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupVault",
            "metadata": { "name": name },
            "spec": spec,
        }))?;
        self.home.api().create(&PostParams::default(), &vault).await?;
        Ok(())
    }

    /// Makes a policy that keeps points for so many days.
    pub(in crate::leader) async fn policy(&self, name: &str, days: u32) -> Result<()> {
        let policy: BackupPolicy = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupPolicy",
            "metadata": { "name": name },
            "spec": { "schedule": { "cron": "0 0 1 1 *" }, "retention": { "operational": { "days": days } } },
        }))?;
        self.home.api().create(&PostParams::default(), &policy).await?;
        Ok(())
    }

    /// Asks for a point.
    pub(in crate::leader) async fn want(&self, point: &str, wanted: &str) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "wanted": wanted } }));
        let points = self.home.api::<RecoveryPoint>();
        points.patch(point, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Waits until a point stands so.
    pub(in crate::leader) async fn stands(&self, point: &str, state: PointState) -> Result<RecoveryPoint> {
        let points = self.home.api::<RecoveryPoint>();
        eventually("the point stands as it should", LIMIT, || async {
            let found = points.get(point).await?;
            let stands = found.status.as_ref().and_then(|status| status.state);
            ensure!(stands == Some(state), "{found:#?}");
            Ok(found)
        })
        .await
    }

    /// Waits until a point is gone from the cluster, and from its vault with everything.
    async fn is_purged(&self, vault: &str, point: &str) -> Result<()> {
        let folder = self.leaders.vaults().join(vault);
        let places = [
            format!("catalogue/{point}.json"),
            format!("data/{point}"),
            format!("lifecycle/{point}"),
        ];
        eventually("the vault has nothing of the point", LIMIT, || async {
            for left in &places {
                ensure!(!folder.join(left).exists(), "{left} is there");
            }
            Ok(())
        })
        .await?;
        self.is_gone(point).await
    }

    /// What names this cluster in its points.
    pub(in crate::leader) async fn cluster_id(&self) -> Result<String> {
        let namespaces = Api::<Namespace>::all(self.cluster.admin());
        let system = namespaces.get("kube-system").await?;
        system.metadata.uid.context("no uid")
    }
}
