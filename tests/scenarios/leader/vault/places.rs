//! Places that are not the vault's: somebody else's files, another vault, and one that was emptied.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::stores::Kind;
use clusterbackup_tests::{Cluster, Stores};
use clusterbackup_vault::store::{Blob, Key, Store};
use futures::TryStreamExt as _;
use serde_json::json;

use crate::leader::stage::Ground;
use crate::runner::scenarios;

scenarios! {
    OwnStores: [
        files_of_others_are_left_alone,
        a_store_that_was_emptied_or_exchanged_is_not_taken_for_the_vault,
    ],
}

async fn files_of_others_are_left_alone((cluster, stores): (Cluster, &Stores)) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let place = stores.place(Kind::Azure).await?;
    let store = place.store()?;
    let theirs = Key::new("backups/shop.tar.gz")?;
    store.put(&theirs, Bytes::from("theirs")).await?;
    ground.credentials("keys", &place.secret()).await?;
    let mut location = place.location("keys");
    location["azure"]["prefix"] = json!("backups");
    ground
        .vault_of("theirs", &json!({ "operational": location }))
        .await?;
    location["azure"]["prefix"] = json!("ours");
    ground
        .vault_of("ours", &json!({ "operational": location }))
        .await?;
    for vault in ["theirs", "ours"] {
        let spec = json!({ "vault": vault, "snapshotVolumes": false });
        ground.instance(vault, spec).await?;
    }
    let _leader = ground.leaders.start().await?;
    ground.vault_says("theirs", "LocationForeign").await?;
    ground.ask("theirs", "theirs").await?;
    let status = ground.ends("theirs", BackupPhase::Failed).await?;
    let message = status.message.unwrap_or_default();
    ensure!(
        message.contains("holds files, such as shop.tar.gz, but no vault.json"),
        "{message}"
    );
    ground.ask("ours", "ours").await?;
    ground.ends("ours", BackupPhase::Completed).await?;
    let names = names(&store).await?;
    let outside: Vec<_> = names.iter().filter(|name| !name.starts_with("ours/")).collect();
    ensure!(outside == ["backups/shop.tar.gz"], "{outside:?}");
    Ok(())
}

async fn a_store_that_was_emptied_or_exchanged_is_not_taken_for_the_vault(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let place = stores.place(Kind::S3).await?;
    let store = place.store()?;
    ground.credentials("keys", &place.secret()).await?;
    ground
        .vault_of("vault", &json!({ "operational": place.location("keys") }))
        .await?;
    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec).await?;
    let _leader = ground.leaders.start().await?;
    ground.ask("first", "shop").await?;
    ground.ends("first", BackupPhase::Completed).await?;
    let id = ground.vault_says("vault", "Ready").await?.id;

    let marker = Key::new("vault.json")?;
    let ours = store.get_range(&marker, 0..4096).await?;
    for name in names(&store).await? {
        store.delete(&Key::new(name)?).await?;
    }
    ground.ask("emptied", "shop").await?;
    let status = ground.ends("emptied", BackupPhase::Failed).await?;
    let message = status.message.unwrap_or_default();
    ensure!(message.contains("was the store emptied?"), "{message}");
    ground.vault_says("vault", "LocationEmpty").await?;
    ensure!(names(&store).await?.is_empty(), "something was written");

    let other = json!({ "id": "another", "format": 1 }).to_string();
    store.put(&marker, Bytes::from(other)).await?;
    ground.ask("exchanged", "shop").await?;
    ground.ends("exchanged", BackupPhase::Failed).await?;
    let status = ground.vault_says("vault", "LocationOfAnother").await?;
    ensure!(status.id == id && id.is_some(), "{status:#?}");

    store.put(&marker, ours).await?;
    ground.ask("back", "shop").await?;
    let status = ground.ends("back", BackupPhase::Completed).await?;
    status.recovery_point.context("no point").map(drop)
}

async fn names(store: &Store) -> Result<Vec<String>> {
    let blobs: Vec<Blob> = store.list(None).try_collect().await?;
    Ok(blobs
        .into_iter()
        .map(|blob| blob.key.as_str().to_owned())
        .collect())
}
