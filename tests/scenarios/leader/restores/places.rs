//! A point is restored from where it is: from a vault that this cluster only reads, and from the vault tier. It stays as long
//! as that takes.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::BackupVault;
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::recovery_point::Tier;
use clusterbackup_api::restore::RestorePhase;
use clusterbackup_core::retention::Period;
use clusterbackup_tests::stores::Kind;
use clusterbackup_tests::{Cluster, Stores};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::leader::catalogue::made::Made;
use crate::leader::stage::Ground;
use crate::leader::vault::stored::files;
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [
        a_vault_that_is_only_read_is_restored_from_and_stays_as_it_is,
        a_point_that_is_restored_goes_when_that_has_ended,
    ],
    OwnStores: [
        what_is_left_in_the_vault_tier_alone_is_restored_from_there,
    ],
}

async fn a_vault_that_is_only_read_is_restored_from_and_stays_as_it_is(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" }, "data": { "level": "info" },
    });
    create(&ground.cluster.admin(), Some(ground.shop.name()), &settings).await?;
    let point = ground.point("nightly").await?;
    let only_read = Patch::Merge(json!({ "spec": { "access": "ReadOnly" } }));
    let vaults = ground.home.api::<BackupVault>();
    vaults.patch("vault", &PatchParams::default(), &only_read).await?;
    ground.vault_says("vault", "Readable").await?;
    ground.kept_because(&point, "its vault is ReadOnly here").await?;
    let before = files(&ground.leaders.vaults().join("vault"))?;

    let shop = ground.shop.api::<ConfigMap>();
    shop.delete("settings", &DeleteParams::default()).await?;
    ground.restore("friday", &point, json!({})).await?;
    ground.restored("friday", RestorePhase::Completed).await?;
    let back = shop.get("settings").await?;
    ensure!(
        back.data == Some(BTreeMap::from([("level".to_owned(), "info".to_owned())])),
        "{back:?}"
    );
    let after = files(&ground.leaders.vaults().join("vault"))?;
    ensure!(after == before, "something was written");
    Ok(())
}

async fn a_point_that_is_restored_goes_when_that_has_ended(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground
        .vault_with("vault", json!({ "softDelete": { "days": 0 } }))
        .await?;
    let _leader = ground.leaders.start().await?;
    // Nothing binds it here: the restore waits for it.
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
            "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    create(&ground.cluster.admin(), Some(ground.shop.name()), &claim).await?;
    let point = ground.point("nightly").await?;
    let again = format!("{}-again", ground.shop.name());
    let spec = json!({ "namespaceMappings": { ground.shop.name(): again }, "readinessTimeout": "10m" });
    ground.restore("friday", &point, spec).await?;
    ground
        .restore_sees("friday", "waits", |status| status.readiness.is_some())
        .await?;
    ground.want(&point, "Deleted").await?;
    ground.kept_because(&point, "Restore friday reads it").await?;
    let manifest = ground
        .leaders
        .vaults()
        .join(format!("vault/catalogue/{point}.json"));
    ensure!(manifest.exists(), "the point is gone");

    let cancel = Patch::Merge(json!({ "spec": { "cancel": true } }));
    ground
        .restores()
        .patch("friday", &PatchParams::default(), &cancel)
        .await?;
    ground.restored("friday", RestorePhase::Cancelled).await?;
    ground.look_at("vault").await?;
    ground.is_gone(&point).await?;
    ensure!(!manifest.exists(), "its data is still there");
    ground.delete_namespace(&again).await
}

async fn what_is_left_in_the_vault_tier_alone_is_restored_from_there(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.two_tiers(&stores.place(Kind::S3).await?).await?;
    let folder = ground.leaders.vaults().join("vault");
    // Expired where it was made.
    let made = Made {
        days_ago: 20,
        first_of: [Period::Week].into(),
        ..Made::new(1, &ground.cluster_id().await?, ground.home.name())
    };
    made.write(&folder).await?;
    let _leader = ground.leaders.start().await?;
    // Of each instance the newest good one stays.
    ground.ask("nightly", "shop").await?;
    ground.ends("nightly", BackupPhase::Completed).await?;
    ground.is_in(&made.id, &[Tier::Vault]).await?;
    let left =
        fs::exists(folder.join(format!("catalogue/{}.json", made.id))).context("look into the vault")?;
    ensure!(!left, "the point is still where it was made");

    let spec = json!({ "namespaceMappings": { ground.home.name(): ground.shop.name() } });
    ground.restore("friday", &made.id, spec).await?;
    ground.restored("friday", RestorePhase::Completed).await?;
    let back = ground.shop.api::<ConfigMap>().get("colours").await?;
    ensure!(
        back.data.is_some_and(|data| data["sky"] == "blue"),
        "it came back without its data"
    );
    Ok(())
}
