//! Two clusters with a leader each that write into one store: each shows what the other has made, and touches nothing of it.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::stores::Kind;
use clusterbackup_tests::{Cluster, Stores, eventually};
use clusterbackup_vault::store::{Blob, FileStore, Store};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::leader::catalogue::made::Made;
use crate::leader::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [
        two_clusters_share_a_folder,
    ],
    OwnStores: [
        two_clusters_share_a_bucket,
    ],
}

async fn two_clusters_share_a_folder(cluster: Cluster) -> Result<()> {
    let (first, second) = two(cluster).await?;
    let folder = first.leaders.vaults().join("vault");
    std::fs::create_dir_all(&folder)?;
    let store: Store = Arc::new(FileStore::new(&folder));
    let place = json!({ "fileSystem": { "path": folder } });
    share(&first, &second, &store, &place).await
}

async fn two_clusters_share_a_bucket((cluster, stores): (Cluster, &Stores)) -> Result<()> {
    let (first, second) = two(cluster).await?;
    let place = stores.place(Kind::S3).await?;
    for ground in [&first, &second] {
        ground.credentials("keys", &place.secret()).await?;
    }
    share(&first, &second, &place.store()?, &place.location("keys")).await
}

async fn two(cluster: Cluster) -> Result<(Ground, Ground)> {
    let other = Cluster::start().await?;
    Ok((Ground::set_up(cluster).await?, Ground::set_up(other).await?))
}

/// Both have points of long ago, of which one is due; and the first has left an attempt.
async fn share(first: &Ground, second: &Ground, store: &Store, place: &Value) -> Result<()> {
    let mut old = Vec::new();
    for (number, ground) in [(0, first), (10, second)] {
        let cluster = ground.cluster_id().await?;
        let mut names = Vec::new();
        for (number, days_ago) in (number..).zip([30, 20]) {
            let made = Made {
                days_ago,
                ..Made::new(number, &cluster, ground.home.name())
            };
            made.write_into(store).await?;
            names.push(made.id);
        }
        old.push(names);
        ground.policy("week", 7).await?;
        let spec = json!({ "operational": place, "softDelete": { "days": 0 } });
        ground.vault_of("vault", &spec).await?;
        let spec = json!({ "vault": "vault", "policy": "week", "snapshotVolumes": false });
        ground.instance("shop", spec).await?;
    }
    let [of_first, of_second] = old.as_slice() else {
        anyhow::bail!("two clusters");
    };
    let left = Made {
        days_ago: 2,
        ..Made::new(20, &first.cluster_id().await?, first.home.name())
    };
    drop(left.begin_in(store).await?);

    // The first is away.
    let folder = first.leaders.vaults().display().to_string();
    let _other = second.leaders.start_with(&[("FILE_VAULTS", &folder)]).await?;
    second.is_gone(&of_second[0]).await?;
    second.says(&of_first[0], "True", "InVault").await?;
    second.want(&of_first[0], "Deleted").await?;
    for point in of_first {
        second.kept_because(point, "another cluster made it").await?;
    }
    ensure!(
        has(store, &left.id).await? && has(store, &of_first[0]).await?,
        "something of the other cluster is gone"
    );

    // It comes back.
    let leader = first.leaders.start().await?;
    first.is_gone(&of_first[0]).await?;
    second.is_gone(&of_first[0]).await?;
    eventually("what it had left is gone", LIMIT, || async {
        ensure!(!has(store, &left.id).await?, "it is there");
        Ok(())
    })
    .await?;
    let made = at_once(first, second).await?;
    for (ground, other, point) in [(first, second, &made[0]), (second, first, &made[1])] {
        ground.says(point, "True", "InVault").await?;
        other.says(point, "True", "InVault").await?;
        other.kept_because(point, "another cluster made it").await?;
    }

    // It goes for good.
    drop(leader);
    second.look_at("vault").await?;
    for point in &made {
        second.says(point, "True", "InVault").await?;
        ensure!(has(store, point).await?, "{point} is gone");
    }
    Ok(())
}

/// Has both back up an instance of the same name, and says what came of it.
async fn at_once(first: &Ground, second: &Ground) -> Result<[String; 2]> {
    tokio::try_join!(first.ask("nightly", "shop"), second.ask("nightly", "shop"))?;
    let (one, other) = tokio::try_join!(
        first.ends("nightly", BackupPhase::Completed),
        second.ends("nightly", BackupPhase::Completed)
    )?;
    let point = |point: Option<String>| point.context("no point");
    Ok([point(one.recovery_point)?, point(other.recovery_point)?])
}

/// Whether anything of a point is in the store.
async fn has(store: &Store, point: &str) -> Result<bool> {
    let blobs: Vec<Blob> = store.list(None).try_collect().await?;
    Ok(blobs.iter().any(|blob| blob.key.as_str().contains(point)))
}
