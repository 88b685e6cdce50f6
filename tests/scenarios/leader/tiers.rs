//! The vault tier: the points of a policy's choice are copied there, kept there by rules of their own, and read from there.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::recovery_point::Tier;
use clusterbackup_api::{BackupPolicy, RecoveryPoint};
use clusterbackup_core::retention::Period;
use clusterbackup_tests::plugin::plugin;
use clusterbackup_tests::stores::{Fault, Kind, Place, Wire};
use clusterbackup_tests::{Cluster, Stores, eventually};
use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{PointId, verify};
use clusterbackup_vault::store::Store;
use futures::TryStreamExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::catalogue::made::Made;
use super::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    OwnStores: [
        points_are_copied_into_the_vault_tier_and_stay_there_when_they_go_where_they_were_made,
        a_copy_goes_on_when_its_leader_is_killed,
    ],
}

/// How long each answer of the vault tier takes, where copying is to take a while.
const SLOW: Duration = Duration::from_millis(500);

async fn points_are_copied_into_the_vault_tier_and_stay_there_when_they_go_where_they_were_made(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let place = stores.place(Kind::Azure).await?;
    let tier = place.store()?;
    ground.two_tiers(&place).await?;
    let ours = ground.cluster_id().await?;
    let folder = ground.leaders.vaults().join("vault");
    let mut points = Vec::new();
    // Expired where it was made; also in the vault tier; of no period; and one that is damaged.
    for (number, (days_ago, week)) in (0..).zip([(20, true), (40, true), (2, false), (3, true)]) {
        let made = Made {
            days_ago,
            first_of: if week {
                [Period::Week].into()
            } else {
                BTreeSet::new()
            },
            ..Made::new(number, &ours, ground.home.name())
        };
        made.write(&folder).await?;
        points.push(made.id);
    }
    let segment = folder.join(format!("data/{}/made/segment-00000.tar.zst", points[3]));
    let mut bytes = fs::read(&segment)?;
    bytes[9] ^= 1;
    fs::write(&segment, bytes)?;
    let _leader = ground.leaders.start().await?;

    ground.vault_says("vault", "Ready").await?;
    ground.is_in(&points[0], &[Tier::Vault]).await?;
    ground.is_gone(&points[1]).await?;
    ground.is_in(&points[2], &[Tier::Operational]).await?;
    ensure!(
        !folder.join(format!("data/{}", points[0])).exists(),
        "the point is still where it was made"
    );
    let damaged = ground.is_in(&points[3], &[Tier::Operational]).await?;
    let waits = damaged.status.and_then(|status| status.awaits_copy);
    ensure!(
        waits.is_some_and(|why| why.contains("is damaged")),
        "nobody says why it isn't copied"
    );

    ground.ask("nightly", "shop").await?;
    let status = ground.ends("nightly", BackupPhase::Completed).await?;
    let new = status.recovery_point.context("no point")?;
    ground.is_in(&new, &[Tier::Operational, Tier::Vault]).await?;
    is_whole(&tier, &new).await?;
    let copied: Vec<PointId> = catalogue::names(&tier).try_collect().await?;
    ensure!(
        copied.iter().map(PointId::as_str).collect::<BTreeSet<_>>() == BTreeSet::from([&*points[0], &*new]),
        "{copied:?}"
    );

    // By the RecoveryPoint, which knows where it is.
    let get = [
        "rp",
        "get",
        &points[0],
        "configmaps/colours",
        "-n",
        ground.home.name(),
    ];
    let get = [&get[..], &["--point-namespace", ground.home.name()]].concat();
    let read = plugin(Some(&ground.cluster.admin_kubeconfig()), &get).await?;
    ensure!(read.code == Some(0) && read.out.contains("ConfigMap"), "{read:?}");

    // Who asks for a deletion means both.
    for point in [&points[0], &new] {
        ground.want(point, "Deleted").await?;
        ground.is_gone(point).await?;
    }
    let left: Vec<PointId> = catalogue::names(&tier).try_collect().await?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

async fn a_copy_goes_on_when_its_leader_is_killed((cluster, stores): (Cluster, &Stores)) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let place = stores.place(Kind::S3).await?;
    let tier = place.store()?;
    let wire = Wire::to(place.address, vec![Fault::Slow(SLOW); 500]).await?;
    let behind = Place {
        address: wire.address(),
        ..place.clone()
    };
    ground.two_tiers(&behind).await?;
    for number in 0..200 {
        ground.filling(number).await?;
    }
    let leader = ground.leaders.start().await?;
    ground.ask("nightly", "shop").await?;
    let status = ground.ends("nightly", BackupPhase::Completed).await?;
    let point = status.recovery_point.context("no point")?;
    let before = eventually("the first parts are copied", LIMIT, || async {
        let left: Vec<_> = catalogue::leftovers(&tier).try_collect().await?;
        ensure!(left.iter().any(|attempt| attempt.parts > 1), "{left:?}");
        Ok(left)
    })
    .await?;
    leader.kill().await?;
    let listed: Vec<PointId> = catalogue::names(&tier).try_collect().await?;
    ensure!(listed.is_empty(), "half a copy is listed after {before:?}");

    let _other = ground.leaders.start().await?;
    ground.is_in(&point, &[Tier::Operational, Tier::Vault]).await?;
    is_whole(&tier, &point).await?;
    let left: Vec<_> = catalogue::leftovers(&tier).try_collect().await?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Reads all of a point.
async fn is_whole(store: &Store, point: &str) -> Result<()> {
    let verified = verify(Arc::clone(store), &PointId::new(point)?, None).await?;
    ensure!(verified.is_good() && verified.objects > Some(0), "{verified:#?}");
    Ok(())
}

impl Ground {
    /// Makes a vault in a folder with a vault tier in this place, and an instance of the shop with a policy for both.
    pub(in crate::leader) async fn two_tiers(&self, place: &Place) -> Result<()> {
        self.credentials("keys", &place.secret()).await?;
        let spec = json!({ "vaultTier": place.location("keys"), "softDelete": { "days": 0 } });
        self.vault_with("vault", spec).await?;
        let policy: BackupPolicy = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupPolicy",
            "metadata": { "name": "both" },
            "spec": {
                "schedule": { "cron": "0 0 1 1 *" },
                "retention": {
                    "operational": { "days": 7 },
                    "vaultTier": { "firstOfDay": 7, "firstOfWeek": 30 },
                },
            },
        }))?;
        self.home.api().create(&PostParams::default(), &policy).await?;
        let spec: Value = json!({ "vault": "vault", "policy": "both", "snapshotVolumes": false });
        self.instance("shop", spec).await
    }

    /// Waits until a point is in these tiers.
    pub(in crate::leader) async fn is_in(&self, point: &str, tiers: &[Tier]) -> Result<RecoveryPoint> {
        let points = self.home.api::<RecoveryPoint>();
        eventually("the point is in its tiers", LIMIT, || async {
            let found = points.get(point).await?;
            let status = found.status.clone().unwrap_or_default();
            let in_tiers: Vec<Tier> = status.tiers.iter().map(|in_tier| in_tier.tier).collect();
            ensure!(in_tiers == tiers, "{found:#?}");
            Ok(found)
        })
        .await
    }
}
