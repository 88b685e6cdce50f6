//! The Secrets of vaults: missing, wrong, put right, and changed between and in the middle of backups.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::stores::{Kind, Place};
use clusterbackup_tests::{Cluster, Stores};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::leader::stage::{Ground, Stage};
use crate::runner::scenarios;

scenarios! {
    OwnStores: [
        a_secret_that_is_not_as_it_should_be_is_told_and_can_be_put_right,
        credentials_are_read_for_each_backup,
        credentials_that_change_in_the_middle_are_waited_for,
    ],
}

async fn a_secret_that_is_not_as_it_should_be_is_told_and_can_be_put_right(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let place = stores.place(Kind::S3).await?;
    vault(&ground, &place).await?;
    let _leader = ground.leaders.start().await?;
    ground.vault_says("vault", "CredentialsMissing").await?;
    let home = ground.home.name();
    let wrong = "a-wrong-secret-of-a-key";
    let cases: [(&str, Option<Value>, &str, String); 3] = [
        (
            "missing",
            None,
            "CredentialsMissing",
            format!("Secret {home}/keys, which the vault names for its credentials, doesn't exist"),
        ),
        (
            "half",
            Some(json!({ "accessKeyId": "tester" })),
            "CredentialsInvalid",
            "Secret keys: the Secret with the credentials has no secretAccessKey: add it".to_owned(),
        ),
        (
            "wrong",
            Some(json!({ "accessKeyId": "tester", "secretAccessKey": wrong })),
            "AccessDenied",
            "check the credentials of the vault".to_owned(),
        ),
    ];
    for (name, secret, reason, said) in cases {
        if let Some(secret) = secret {
            ground.credentials("keys", &secret).await?;
        }
        ground.ask(name, "shop").await?;
        let status = ground.ends(name, BackupPhase::Failed).await?;
        let message = status.message.unwrap_or_default();
        ensure!(message.contains(&said) && !message.contains(wrong), "{message}");
        ground.vault_says("vault", reason).await?;
    }
    ground.credentials("keys", &place.secret()).await?;
    ground.ask("right", "shop").await?;
    ground.ends("right", BackupPhase::Completed).await?;
    ground.vault_says("vault", "Ready").await?;
    Ok(())
}

async fn credentials_are_read_for_each_backup((cluster, stores): (Cluster, &Stores)) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let place = stores.place(Kind::Azure).await?;
    vault(&ground, &place).await?;
    let now = Timestamp::now();
    let (fresh, over) = (now + Duration::from_hours(1), now - Duration::from_hours(1));
    let backs_up = async |name: &str, secret: &Value, phase| {
        ground.credentials("keys", secret).await?;
        ground.ask(name, "shop").await?;
        ground.ends(name, phase).await
    };
    let _leader = ground.leaders.start().await?;
    backs_up("first", &Place::passing_secret(fresh)?, BackupPhase::Completed).await?;
    let status = backs_up("over", &Place::passing_secret(over)?, BackupPhase::Failed).await?;
    let message = status.message.unwrap_or_default();
    ensure!(
        message.contains("denies access") && !message.contains("sig="),
        "{message}"
    );
    backs_up("by-key", &place.secret(), BackupPhase::Completed).await?;
    Ok(())
}

async fn credentials_that_change_in_the_middle_are_waited_for(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "db", 1).await?;
    let word = stage.freeze_on_a_word(&app).await?;
    let place = stores.place(Kind::S3).await?;
    stage.credentials("keys", &place.secret()).await?;
    stage
        .vault_of("vault", &json!({ "operational": place.location("keys") }))
        .await?;
    stage.stored_instance("shop", &["db"]).await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    stage.works("nightly").await?;
    stage
        .home
        .api::<Secret>()
        .delete("keys", &DeleteParams::default())
        .await?;
    word.give()?;
    stage.waits("nightly", "doesn't exist: create it there").await?;
    app.goes_on().await?;
    let wrong = Place {
        key: "wrong".to_owned(),
        ..place.clone()
    };
    stage.credentials("keys", &wrong.secret()).await?;
    stage.waits("nightly", "denies access").await?;
    stage.credentials("keys", &place.secret()).await?;
    let status = stage.ends("nightly", BackupPhase::Completed).await?;
    ensure!(status.recovery_point.is_some(), "{status:#?}");
    stage.records(&status)?;
    Ok(())
}

/// A vault there with the Secret `keys`, and an instance that stores its objects in it.
async fn vault(ground: &Ground, place: &Place) -> Result<()> {
    let location = place.location("keys");
    ground
        .vault_of("vault", &json!({ "operational": location }))
        .await?;
    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec).await
}
