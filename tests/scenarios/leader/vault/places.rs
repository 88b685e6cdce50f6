//! Places that are not the vault's: somebody else's files, another vault, one that was emptied, and one that nobody can get at.

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
    Own: [authorities_that_are_none_cost_the_vault_and_not_the_leader],
    OwnStores: [
        files_of_others_are_left_alone,
        a_store_that_was_emptied_or_exchanged_is_not_taken_for_the_vault,
    ],
}

async fn authorities_that_are_none_cost_the_vault_and_not_the_leader(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let (file, folder) = (
        ground.cluster.folder().join("authorities.pem"),
        ground.cluster.folder().join("authorities"),
    );
    std::fs::write(&file, "none")?;
    std::fs::create_dir(&folder)?;
    let (file, folder) = file.to_str().zip(folder.to_str()).context("no text")?;
    let key = json!({ "accountKey": "a2V5" });
    ground.credentials("keys", &key).await?;
    let azure = json!({
        "account": "shop", "container": "points", "endpoint": "https://127.0.0.1:1/shop", "credentials": { "name": "keys" },
    });
    let spec = json!({ "operational": { "azure": azure } });
    ground.vault_of("azure", &spec).await?;
    let leader = ground
        .leaders
        .start_with(&[("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folder)])
        .await?;
    let status = ground.vault_says("azure", "StoreFailed").await?;
    let said = |text: &str| {
        status
            .conditions
            .iter()
            .any(|condition| condition.message.contains(text))
    };
    ensure!(said("where SSL_CERT_FILE is set"), "{status:#?}");
    // It does its work all the same.
    ground.vault("vault").await?;
    ground.vault_says("vault", "Ready").await?;
    let counts = leader.counts().await?;
    ensure!(counts.get("clusterbackup_leader_leading") == 1, "{counts:?}");
    Ok(())
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
