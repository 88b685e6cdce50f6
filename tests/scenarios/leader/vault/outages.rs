//! Stores that fail when applications were frozen for a backup: they run freely all the while, and no half point is left.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::RecoveryPoint;
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::stores::{Kind, Place, Wire};
use clusterbackup_tests::{Cluster, Stores, eventually};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, ObjectMeta, PostParams};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::leader::stage::{Ground, LIMIT, Stage};
use crate::runner::scenarios;

scenarios! {
    Own: [
        a_store_that_fills_up_costs_the_backup_and_nothing_else,
        a_store_that_is_full_or_read_only_costs_no_freeze,
    ],
    OwnStores: [a_store_that_can_not_be_reached_is_waited_for],
}

/// Longer than a store is asked again before people are told.
const OUTAGE: Duration = Duration::from_secs(100);

async fn a_store_that_fills_up_costs_the_backup_and_nothing_else(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "db", 1).await?;
    let disk = Disk::mount(&stage.leaders.vaults().join("vault"), "1m")?;
    stage.vault("vault").await?;
    for name in ["one", "two", "three"] {
        incompressible(&stage, name).await?;
    }
    stage.stored_instance("shop", &["db"]).await?;
    let leader = stage.leaders.start().await?;
    stage.ask("too-much", "shop").await?;
    let status = stage.ends("too-much", BackupPhase::Failed).await?;
    let message = status.message.unwrap_or_default();
    ensure!(
        message.contains("could not be stored") && message.contains("the store is full"),
        "{message}"
    );
    ensure!(status.recovery_point.is_none(), "there is a point");
    app.goes_on().await?;
    stage.only_is_left(0).await?;
    ensure!(disk.points()? == 0, "half a point is listed");
    let shown = stage.home.api::<RecoveryPoint>();
    // Nobody has asked for one before: at first the API server isn't ready for that.
    eventually("no half point is shown", LIMIT, || async {
        let shown = shown.list(&ListParams::default()).await?;
        ensure!(shown.items.is_empty(), "half a point is shown");
        Ok(())
    })
    .await?;
    let counts = leader.counts().await?;
    let failed = "clusterbackup_leader_point_duration_seconds_count{outcome=\"failed\"}";
    ensure!(counts.get(failed) == 1, "{counts:?}");

    disk.remount("size=64m")?;
    stage.ask("enough", "shop").await?;
    let status = stage.ends("enough", BackupPhase::Completed).await?;
    ensure!(disk.points()? == 1, "there is no point");
    ensure!(stage.stored(&status)?.len() > 3, "too few objects");
    Ok(())
}

async fn a_store_that_is_full_or_read_only_costs_no_freeze(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let disk = Disk::mount(&ground.leaders.vaults().join("vault"), "1m")?;
    ground.vault("vault").await?;
    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec).await?;
    let _leader = ground.leaders.start().await?;
    ground.vault_says("vault", "Ready").await?;

    let filler = disk.folder.join("filler");
    // As much as there is.
    ensure!(
        std::fs::write(&filler, vec![1; 2 << 20]).is_err(),
        "the disk is larger"
    );
    for (name, reason, said) in [
        ("full", "StoreFull", "No space left"),
        ("read-only", "ReadOnly", "Read-only file system"),
    ] {
        ground.ask(name, "shop").await?;
        let status = ground.ends(name, BackupPhase::Failed).await?;
        let message = status.message.unwrap_or_default();
        ensure!(
            message.contains("BackupVault vault: the store is") && message.contains(said),
            "{message}"
        );
        ground.vault_says("vault", reason).await?;
        if name == "full" {
            std::fs::remove_file(&filler)?;
            disk.remount("ro")?;
        }
    }
    disk.remount("rw")?;
    ground.ask("again", "shop").await?;
    ground.ends("again", BackupPhase::Completed).await?;
    ground.vault_says("vault", "Ready").await?;
    Ok(())
}

async fn a_store_that_can_not_be_reached_is_waited_for((cluster, stores): (Cluster, &Stores)) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let node = stage.node("node-a").await?;
    let app = stage.app(&node, "db", 1).await?;
    let word = stage.freeze_on_a_word(&app).await?;
    let place = stores.place(Kind::S3).await?;
    let wire = Wire::to(place.address, []).await?;
    let behind = Place {
        address: wire.address(),
        ..place.clone()
    };
    stage.credentials("keys", &behind.secret()).await?;
    stage
        .vault_of("vault", &json!({ "operational": behind.location("keys") }))
        .await?;
    stage.stored_instance("shop", &["db"]).await?;
    let _leader = stage.leaders.start().await?;
    stage.ask("nightly", "shop").await?;
    stage.works("nightly").await?;
    wire.cut();
    word.give()?;
    // It asks again and again, and doesn't keep that to itself for long.
    stage.waits("nightly", "the store can't be reached").await?;
    let connections = wire.connections();
    ensure!(connections > 5, "it asked {connections} times");
    let events = stage.home.api::<Event>();
    eventually("an event tells of it", LIMIT, || async {
        let events = events.list(&ListParams::default()).await?;
        let told = |event: &Event| event.reason.as_deref() == Some("StoreFailing");
        ensure!(events.items.iter().any(told), "{events:#?}");
        Ok(())
    })
    .await?;
    app.goes_on().await?;
    wire.mend();
    let status = stage.ends("nightly", BackupPhase::Completed).await?;
    ensure!(status.recovery_point.is_some(), "{status:#?}");
    stage.records(&status)?;
    Ok(())
}

/// A ConfigMap in the shop that takes 700 KB however it is packed.
async fn incompressible(ground: &Ground, name: &str) -> Result<()> {
    let noise = (0..22_000).flat_map(|number| Sha256::digest(format!("{name}-{number}")));
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        binary_data: Some([("noise".to_owned(), ByteString(noise.collect()))].into()),
        ..ConfigMap::default()
    };
    ground.shop.api().create(&PostParams::default(), &map).await?;
    Ok(())
}

/// A disk of its own below a folder of the cluster, which takes it away with it.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn mount(folder: &Path, size: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let disk = Self {
            folder: folder.to_owned(),
        };
        disk.run(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])?;
        Ok(disk)
    }

    fn remount(&self, options: &str) -> Result<()> {
        self.run(&["-o", &format!("remount,{options}")])
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let done = Command::new("mount").args(arguments).arg(&self.folder).status()?;
        ensure!(done.success(), "mount {arguments:?} fails; is this root?");
        Ok(())
    }

    /// How many points are listed.
    fn points(&self) -> Result<usize> {
        match std::fs::read_dir(self.folder.join("catalogue")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            listed => Ok(listed?.count()),
        }
    }
}

impl Stage {
    /// Makes an instance of the shop with the hooks of these applications, whose objects go into the vault.
    pub(super) async fn stored_instance(&self, name: &str, apps: &[&str]) -> Result<()> {
        let hooks: Vec<_> = apps
            .iter()
            .map(|app| json!({ "name": app, "namespace": self.home.name() }))
            .collect();
        let freeze = json!({ "maxFreeze": "100s", "cutLimit": "20s" });
        self.instance(
            name,
            json!({ "backupHooks": hooks, "freeze": freeze, "vault": "vault" }),
        )
        .await
    }

    /// Waits until the nodes are at work: the vault was tried.
    pub(super) async fn works(&self, name: &str) -> Result<()> {
        let running = Some(BackupPhase::Running);
        self.sees(name, "runs", |status| status.phase == running)
            .await
            .map(drop)
    }

    /// Waits until the backup says that it can't store its point yet, and why.
    pub(super) async fn waits(&self, name: &str, why: &str) -> Result<()> {
        let says = |message: &String| message.contains("can't be stored yet") && message.contains(why);
        self.sees_within(OUTAGE, name, "says what it waits for", |status| {
            status.phase == Some(BackupPhase::Running) && status.message.as_ref().is_some_and(says)
        })
        .await
        .map(drop)
    }
}
