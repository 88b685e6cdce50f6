//! A whole application in the stores of others: everything that the API server has of it, and nothing for those whom it isn't
//! meant for.

use std::collections::BTreeMap;
use std::path::Path as Folder;

use age::secrecy::ExposeSecret as _;
use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::{Backup, BackupInstance, BackupVault, RecoveryPoint};
use clusterbackup_tests::stores::Kind;
use clusterbackup_tests::{Cluster, Daemon, Stores};
use clusterbackup_vault::seal::Identity;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use super::application::Application;
use super::contents::{Path, contents, copied};
use crate::leader::stage::Ground;
use crate::runner::scenarios;

scenarios! {
    OwnStores: [
        an_application_is_stored_in_s3_as_the_api_server_has_it,
        an_application_is_sealed_in_azure_and_shown_nowhere,
    ],
}

/// The value of a Secret of the application, which nobody but the owner of the key is to see.
const CANARY: &str = "held-by-the-canary-of-the-shop";
const CANARY_IN_BASE64: &str = "aGVsZC1ieS10aGUtY2FuYXJ5LW9mLXRoZS1zaG9w";
/// An object's name, which is nobody else's business either.
const NAME: &str = "cage-of-the-canary";

async fn an_application_is_stored_in_s3_as_the_api_server_has_it(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let application = Application::create(&ground).await?;
    let place = stores.place(Kind::S3).await?;
    ground.credentials("keys", &place.secret()).await?;
    let mut location = place.location("keys");
    location["s3"]["prefix"] = json!("clusters/one");
    ground
        .vault_of("vault", &json!({ "operational": location }))
        .await?;
    let _leader = ground.leaders.start().await?;
    let status = back_up(&ground, &application, async |id| {
        let copy = copied(&place.store()?).await?;
        contents(&copy.path().join("clusters/one"), id, None)
    })
    .await?;

    let copy = copied(&place.store()?).await?;
    let marker = std::fs::read(copy.path().join("clusters/one/vault.json"))?;
    let marker: Value = serde_json::from_slice(&marker)?;
    let vault = ground.vault_says("vault", "Ready").await?;
    ensure!(
        vault.id.as_deref() == marker["id"].as_str() && vault.id.is_some() && !vault.encrypted,
        "{vault:#?} of {marker}"
    );
    ensure!(status.warnings.is_empty(), "{status:#?}");
    Ok(())
}

async fn an_application_is_sealed_in_azure_and_shown_nowhere(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let application = Application::create(&ground).await?;
    hide(&ground).await?;
    let place = stores.place(Kind::Azure).await?;
    ground.credentials("keys", &place.secret()).await?;
    let identity = Identity::generate();
    let spec = json!({
        "operational": place.location("keys"),
        "encryption": { "recipients": [identity.recipient().to_string()] },
    });
    ground.vault_of("vault", &spec).await?;
    let leader = ground.leaders.start_with(&[("LOG_FILTER", "trace")]).await?;
    let key = identity.reveal();
    let mut sealed = BTreeMap::new();
    back_up(&ground, &application, async |id| {
        let copy = copied(&place.store()?).await?;
        sealed = files(copy.path())?;
        contents(copy.path(), id, Some(key.expose_secret()))
    })
    .await?;

    ensure!(sealed.len() > 5, "{:?}", sealed.keys());
    for (name, bytes) in &sealed {
        ensure!(
            !name.starts_with("data/")
                || name.ends_with("/begin.json")
                || bytes.starts_with(b"age-encryption.org/v1\n"),
            "{name} is not sealed"
        );
        for word in [CANARY, CANARY_IN_BASE64, NAME] {
            let shown = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            ensure!(!shown, "{name} in the store shows {word:?}");
        }
    }
    let told = told(&ground, &leader).await?;
    for word in [CANARY, CANARY_IN_BASE64, &place.key] {
        ensure!(
            !told.contains(word),
            "the leader tells {word:?}: {}",
            around(&told, word)
        );
    }
    Ok(())
}

/// Backs the application up, and compares what stands in the point with what the API server has.
async fn back_up(
    ground: &Ground,
    application: &Application,
    read: impl AsyncFnOnce(&str) -> Result<BTreeMap<Path, Value>>,
) -> Result<BackupStatus> {
    let spec = json!({ "vault": "vault", "snapshotVolumes": false, "includeSecrets": true });
    ground.instance("shop", spec).await?;
    let wanted = application.settled(ground).await?;
    ground.ask("nightly", "shop").await?;
    let status = ground.ends("nightly", BackupPhase::Completed).await?;
    let id = status.recovery_point.as_deref().context("no point")?;
    let stored = read(id).await?;
    application.is(ground, &wanted, &stored).await?;
    Ok(status)
}

/// Puts the canary into a Secret of the shop.
async fn hide(ground: &Ground) -> Result<()> {
    let secret: Secret = serde_json::from_value(json!({
        "metadata": { "name": NAME },
        "stringData": { "word": CANARY },
    }))?;
    let secrets = ground.shop.api::<Secret>();
    secrets.create(&PostParams::default(), &secret).await?;
    Ok(())
}

/// All files below a folder, by their names.
pub(in crate::leader) fn files(folder: &Folder) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(below)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder)?.display().to_string();
                found.insert(name, std::fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

/// Everything that the leader has told anybody: its log at the most talkative, metrics, events, and what it writes.
async fn told(ground: &Ground, leader: &Daemon) -> Result<String> {
    let all = ListParams::default();
    let home = &ground.home;
    let written = json!([
        home.api::<Backup>().list(&all).await?,
        home.api::<BackupInstance>().list(&all).await?,
        home.api::<BackupVault>().list(&all).await?,
        home.api::<RecoveryPoint>().list(&all).await?,
        home.api::<Event>().list(&all).await?,
        ground.tasks().await?,
    ]);
    let (log, metrics) = (leader.log()?, leader.metrics().await?);
    ensure!(log.contains("TRACE"), "the leader is not talkative");
    ensure!(
        written.to_string().contains("RecoveryPoint"),
        "nothing was written"
    );
    Ok(format!("{log}{metrics}{written}"))
}

/// The line that a word stands in.
fn around<'a>(text: &'a str, word: &str) -> &'a str {
    text.lines().find(|line| line.contains(word)).unwrap_or_default()
}
