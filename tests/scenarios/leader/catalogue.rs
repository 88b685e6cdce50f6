//! What the cluster shows of its vaults: all points that they have, whoever made them, and whatever becomes of the objects.

pub(in crate::leader) mod made;

use std::fs;

use age::x25519::Identity;
use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::{BackupVault, RecoveryPoint};
use clusterbackup_tests::{Cluster, eventually};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use self::made::Made;
use super::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [
        deleting_recovery_points_deletes_no_data_and_they_come_again,
        the_cluster_shows_what_a_vault_has_and_an_empty_or_missing_store_takes_nothing_away,
    ],
}

/// The other cluster's.
const OTHER: &str = "3f2a7c1e-0000-4000-8000-00000000c1a5";

async fn deleting_recovery_points_deletes_no_data_and_they_come_again(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec).await?;
    let _leader = ground.leaders.start().await?;
    ground.ask("nightly", "shop").await?;
    let status = ground.ends("nightly", BackupPhase::Completed).await?;
    let name = status.recovery_point.context("no point")?;

    let first = ground.says(&name, "True", "InVault").await?;
    let points = ground.home.api::<RecoveryPoint>();
    points.delete(&name, &DeleteParams::default()).await?;
    let second = ground.says(&name, "True", "InVault").await?;
    ensure!(
        first.uid() != second.uid() && first.spec == second.spec,
        "{second:#?}"
    );

    // As whoever installs anew: with the kind goes every object.
    let crd = "recoverypoints.clusterbackup.io";
    let definition = ground
        .cluster
        .kubectl(&["get", "crd", crd, "-o", "json"])
        .await?
        .success()?;
    ground.cluster.kubectl(&["delete", "crd", crd]).await?.success()?;
    let folder = ground.leaders.vaults().join("vault");
    ensure!(
        folder.join(format!("catalogue/{name}.json")).exists(),
        "the data is gone"
    );
    let file = ground.cluster.folder().join("crd.json");
    fs::write(&file, definition)?;
    let file = file.to_str().context("no text")?;
    ground.cluster.kubectl(&["create", "-f", file]).await?.success()?;
    let third = ground.says(&name, "True", "InVault").await?;
    ensure!(first.spec == third.spec, "{third:#?}");
    Ok(())
}

async fn the_cluster_shows_what_a_vault_has_and_an_empty_or_missing_store_takes_nothing_away(
    cluster: Cluster,
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let folder = ground.leaders.vaults().join("vault");
    let made: Vec<_> = (0..3).map(|number| Made::new(number, OTHER, "shop")).collect();
    for point in &made {
        point.write(&folder).await?;
    }
    let manifest = |number: usize| folder.join(format!("catalogue/{}.json", made[number].id));
    let _leader = ground.leaders.start().await?;
    for point in &made {
        let shown = ground.says(&point.id, "True", "InVault").await?;
        ensure!(
            shown.spec.cluster == OTHER && shown.spec.instance == "shop",
            "{shown:#?}"
        );
    }

    // One that is gone, and one that is damaged.
    fs::remove_file(manifest(0))?;
    fs::write(manifest(1), "{}")?;
    ground.look_at("vault").await?;
    ground.is_gone(&made[0].id).await?;

    let away = folder.with_file_name("away");
    for (from, to, reason) in [
        (
            folder.join("catalogue"),
            folder.with_file_name("hidden"),
            "CatalogueEmpty",
        ),
        (folder.clone(), away.clone(), "LocationMissing"),
    ] {
        fs::rename(&from, &to)?;
        ground.look_at("vault").await?;
        for point in &made[1..] {
            ground.says(&point.id, "Unknown", reason).await?;
        }
        fs::rename(&to, &from)?;
        ground.look_at("vault").await?;
        ground.says(&made[1].id, "False", "Damaged").await?;
        ground.says(&made[2].id, "True", "InVault").await?;
    }
    Ok(())
}

impl Ground {
    /// Waits until the condition of a point is this, for this reason.
    pub(in crate::leader) async fn says(
        &self,
        name: &str,
        status: &str,
        reason: &str,
    ) -> Result<RecoveryPoint> {
        let points = self.home.api::<RecoveryPoint>();
        eventually("the point says whether it is available", LIMIT, || async {
            let point = points.get(name).await?;
            let conditions = point.status.iter().flat_map(|status| &status.conditions);
            let right = |condition: &Condition| condition.status == status && condition.reason == reason;
            ensure!(conditions.into_iter().any(right), "{point:#?}");
            Ok(point)
        })
        .await
    }

    /// Waits until a point is not shown any more.
    pub(in crate::leader) async fn is_gone(&self, name: &str) -> Result<()> {
        let points = self.home.api::<RecoveryPoint>();
        eventually("the point is gone", LIMIT, || async {
            let found = points.get_opt(name).await?;
            ensure!(found.is_none(), "{found:#?}");
            Ok(())
        })
        .await
    }

    /// Has the leader look at a vault at once: what it says anew is looked at.
    pub(in crate::leader) async fn look_at(&self, vault: &str) -> Result<()> {
        let key = Identity::generate().to_public().to_string();
        let patch = Patch::Merge(json!({ "spec": { "encryption": { "recipients": [key] } } }));
        let vaults = self.home.api::<BackupVault>();
        vaults.patch(vault, &PatchParams::default(), &patch).await?;
        Ok(())
    }
}
