//! Restores of claims with what their snapshots hold, by the CSI project's sidecars and a driver.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::labels::RESTORE_UID;
use clusterbackup_api::restore::{Outcome, RestorePhase, RestoreStatus};
use clusterbackup_api::snapshots::{VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_tests::csi::{CLASS, DRIVER, Part};
use clusterbackup_tests::steps::{create, gone};
use clusterbackup_tests::{Cluster, eventually};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::ground::jane;
use super::rights::grant;
use crate::leader::stage::{LIMIT, Stage};
use crate::runner::scenarios;

scenarios! {
    Own: [
        claims_come_back_with_their_data_wherever_they_go,
        what_claims_are_made_from_goes_whoever_dies,
        what_a_claim_is_made_from_stays_until_it_has_its_volume,
        nobody_gets_data_that_he_could_not_read_before,
    ],
}

/// What was written before the backup.
const BEFORE: &str = "before the backup";

/// A shop with claims, and a recovery point of it.
struct Shop {
    stage: Stage,
    point: String,
    /// The driver's names of the snapshots.
    handles: Vec<String>,
}

impl Shop {
    /// Each claim holds its own name; it is another one after the backup.
    async fn with(cluster: Cluster, claims: &[&str]) -> Result<Self> {
        let stage = Stage::set_up(cluster).await?;
        stage.vault("vault").await?;
        let leader = stage.leaders.start().await?;
        let mut folders = Vec::new();
        for claim in claims {
            let volume = stage.csi.claim(&stage.shop, claim).await?;
            fs::write(volume.data.join("file"), held(claim))?;
            folders.push(volume.data);
        }
        stage.instance("nightly", json!({ "vault": "vault" })).await?;
        stage.ask("nightly", "nightly").await?;
        let status = stage.ends("nightly", BackupPhase::Completed).await?;
        for folder in folders {
            fs::write(folder.join("file"), "after the backup")?;
        }
        leader.kill().await?;
        let handles = status.volumes.into_iter().filter_map(|volume| volume.handle);
        Ok(Self {
            stage,
            point: status.recovery_point.context("there is no point")?,
            handles: handles.collect(),
        })
    }

    /// Deletes a claim, and waits until it is gone.
    async fn lose(&self, claim: &str) -> Result<()> {
        let claims = self.stage.shop.api::<PersistentVolumeClaim>();
        claims.delete(claim, &DeleteParams::default()).await?;
        gone(&claims, claim).await
    }

    /// Whether a claim has the data of the backup.
    async fn holds(&self, namespace: &str, claim: &str) -> Result<()> {
        let bound = || self.stage.csi.volume_of(namespace, claim);
        let volume = eventually("the claim has a volume", LIMIT, bound).await?;
        let is = fs::read_to_string(volume.data.join("file"))?;
        ensure!(is == held(claim), "{claim} in {namespace} holds: {is}");
        Ok(())
    }

    /// What claims are made from, as far as it is there: contents and snapshots.
    async fn helpers(&self) -> Result<(usize, usize)> {
        let ours = ListParams::default().labels(RESTORE_UID);
        let admin = self.stage.cluster.admin();
        let contents = Api::<VolumeSnapshotContent>::all(admin.clone())
            .list(&ours)
            .await?;
        let snapshots = Api::<VolumeSnapshot>::all(admin).list(&ours).await?;
        Ok((contents.items.len(), snapshots.items.len()))
    }

    /// Waits until nothing is left of what claims are made from, and looks whether the snapshots are still there.
    async fn only_snapshots_stay(&self) -> Result<()> {
        eventually("what claims are made from is gone", LIMIT, || async {
            let left = self.helpers().await?;
            ensure!(left == (0, 0), "{left:?} contents and snapshots");
            Ok(())
        })
        .await?;
        for handle in &self.handles {
            let data = self.stage.csi.driver().snapshot_data(handle)?;
            ensure!(data.join("file").exists(), "the data of {handle} is gone");
        }
        Ok(())
    }

    /// Waits until so many are there.
    async fn helpers_are(&self, count: usize) -> Result<()> {
        eventually("what claims are made from is there", LIMIT, || async {
            let there = self.helpers().await?;
            ensure!(there == (count, count), "{there:?} contents and snapshots");
            Ok(())
        })
        .await
    }
}

fn held(claim: &str) -> String {
    format!("{claim} {BEFORE}")
}

async fn claims_come_back_with_their_data_wherever_they_go(cluster: Cluster) -> Result<()> {
    let shop = Shop::with(cluster, &["data", "log"]).await?;
    let stage = &shop.stage;
    let _leader = stage.leaders.start().await?;
    // One is lost, the other one stays as it is: what somebody works with is never rolled back.
    shop.lose("data").await?;
    stage.restore("again", &shop.point, json!({})).await?;
    stage.restored("again", RestorePhase::Completed).await?;
    let home = stage.shop.name();
    shop.holds(home, "data").await?;
    let kept = stage.csi.volume_of(home, "log").await?;
    ensure!(fs::read_to_string(kept.data.join("file"))? == "after the backup");

    let beside = format!("{home}-beside");
    let mapped = json!({ "namespaceMappings": { home: beside } });
    stage.restore("beside", &shop.point, mapped).await?;
    let status = stage.restored("beside", RestorePhase::Completed).await?;
    for claim in ["data", "log"] {
        shop.holds(&beside, claim).await?;
    }
    ensure!(
        status
            .problems
            .iter()
            .all(|problem| problem.group_resource != "persistentvolumeclaims")
    );
    shop.only_snapshots_stay().await?;

    // Without their data, in so many words.
    let empty = format!("{home}-empty");
    let spec = json!({
        "namespaceMappings": { home: empty },
        "persistentVolumeRestoreMode": "RestoreWithoutVolumeData",
    });
    stage.restore("empty", &shop.point, spec).await?;
    stage.restored("empty", RestorePhase::Completed).await?;
    let bound = || stage.csi.volume_of(&empty, "data");
    let volume = eventually("the claim has a volume", LIMIT, bound).await?;
    ensure!(!volume.data.join("file").exists(), "it is not empty");
    Ok(())
}

/// The driver's sidecar doesn't answer, so that nothing goes on after the snapshot is there.
async fn what_claims_are_made_from_goes_whoever_dies(cluster: Cluster) -> Result<()> {
    let mut shop = Shop::with(cluster, &["data"]).await?;
    shop.lose("data").await?;
    shop.stage.csi.stop(Part::Snapshotter)?;
    let leader = shop.stage.leaders.start().await?;
    shop.stage.restore("again", &shop.point, json!({})).await?;
    shop.helpers_are(1).await?;
    leader.kill().await?;

    // The next one goes on with what it finds.
    let _leader = shop.stage.leaders.start().await?;
    shop.stage.csi.start_again(Part::Snapshotter).await?;
    let status = shop.stage.restored("again", RestorePhase::Completed).await?;
    ensure!(status.counts.skipped == 0, "{status:#?}");
    shop.holds(shop.stage.shop.name(), "data").await?;
    shop.only_snapshots_stay().await?;

    // One that is stopped, and one that disappears, leave nothing.
    for (name, is_deleted) in [("stopped", false), ("deleted", true)] {
        shop.lose("data").await?;
        shop.stage.csi.stop(Part::Snapshotter)?;
        shop.stage.restore(name, &shop.point, json!({})).await?;
        shop.helpers_are(1).await?;
        let restores = shop.stage.restores();
        if is_deleted {
            restores.delete(name, &DeleteParams::default()).await?;
        } else {
            let cancel = Patch::Merge(json!({ "spec": { "cancel": true } }));
            restores.patch(name, &PatchParams::default(), &cancel).await?;
            shop.stage.restored(name, RestorePhase::Cancelled).await?;
        }
        shop.stage.csi.start_again(Part::Snapshotter).await?;
        shop.only_snapshots_stay().await?;
        shop.stage
            .restore(&format!("after-{name}"), &shop.point, json!({}))
            .await?;
        shop.stage
            .restored(&format!("after-{name}"), RestorePhase::Completed)
            .await?;
        shop.holds(shop.stage.shop.name(), "data").await?;
        shop.only_snapshots_stay().await?;
    }
    Ok(())
}

async fn what_a_claim_is_made_from_stays_until_it_has_its_volume(cluster: Cluster) -> Result<()> {
    let shop = Shop::with(cluster, &["data", "log"]).await?;
    let (stage, admin) = (&shop.stage, shop.stage.cluster.admin());
    for claim in ["data", "log"] {
        shop.lose(claim).await?;
    }
    // Volumes are made from now on when a pod asks for them; here there is none.
    let classes = Api::<StorageClass>::all(admin.clone());
    classes.delete(CLASS, &DeleteParams::default()).await?;
    let late = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": CLASS },
        "provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer",
    });
    create(&admin, None, &late).await?;
    let leader = stage.leaders.start().await?;
    stage.restore("late", &shop.point, json!({})).await?;
    stage.restored("late", RestorePhase::Completed).await?;
    shop.helpers_are(2).await?;
    leader.kill().await?;

    // Long after the restore, and under another leader.
    let leader = stage.leaders.start().await?;
    clusterbackup_tests::leader::leads(&leader).await?;
    create(
        &admin,
        None,
        &json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "some" } }),
    )
    .await?;
    let chosen = json!({ "volume.kubernetes.io/selected-node": "some" });
    let choose = Patch::Merge(json!({ "metadata": { "annotations": chosen } }));
    let claims = stage.shop.api::<PersistentVolumeClaim>();
    claims.patch("data", &PatchParams::default(), &choose).await?;
    shop.holds(stage.shop.name(), "data").await?;
    shop.helpers_are(1).await?;
    // Nobody waits for the other one any more.
    shop.lose("log").await?;
    shop.only_snapshots_stay().await
}

async fn nobody_gets_data_that_he_could_not_read_before(cluster: Cluster) -> Result<()> {
    let shop = Shop::with(cluster, &["data"]).await?;
    let stage = &shop.stage;
    let _leader = stage.leaders.start().await?;
    let home = stage.shop.name();
    let own = stage.cluster.namespace("janes").await?;
    let claims = "--resource=persistentvolumeclaims";
    grant(
        stage,
        stage.home.name(),
        "makes",
        &["--verb=create", "--resource=restores.clusterbackup.io"],
    )
    .await?;
    grant(stage, home, "reads", &["--verb=get,list", claims]).await?;
    let person = stage.cluster.user("jane", &["restorers"]).await?;
    let spec = json!({
        "includedNamespaces": [home],
        "includedResourceTypes": ["persistentvolumeclaims"],
        "includeClusterScopeResources": false,
        "namespaceMappings": { home: own.name() },
        "requester": jane(),
    });
    let attempt = async |name: &str| -> Result<RestoreStatus> {
        stage.restore_as(&person, name, &shop.point, spec.clone()).await?;
        let ended = |status: &RestoreStatus| status.phase.is_some_and(RestorePhase::is_end);
        stage.restore_sees(name, "has ended", ended).await
    };
    let failed = |status: &RestoreStatus, why: &str| -> Result<()> {
        let mut problems = status.problems.iter();
        let told = problems.any(|problem| {
            problem.name == "data" && problem.action == Outcome::Failed && problem.message.contains(why)
        });
        ensure!(told, "{why}: {status:#?}");
        Ok(())
    };
    // She may see the claim, but not what is in it.
    failed(
        &attempt("curious").await?,
        "the requester may not read what its volume held",
    )?;

    grant(stage, home, "mounts", &["--verb=create", "--resource=pods"]).await?;
    let status = attempt("elsewhere").await?;
    let may_not = format!(
        "the requester jane may not create persistentvolumeclaims in namespace {}",
        own.name()
    );
    failed(&status, &may_not)?;
    ensure!(shop.helpers().await? == (0, 0), "something was made for her");

    grant(stage, own.name(), "claims", &["--verb=create,get,patch", claims]).await?;
    let status = attempt("trusted").await?;
    ensure!(status.counts.created == 1, "{status:#?}");
    shop.holds(own.name(), "data").await?;
    shop.only_snapshots_stay().await
}
