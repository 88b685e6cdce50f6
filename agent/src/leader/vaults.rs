//! Whether vaults can be used: each is tried when it is made or changed, and from time to time.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use clusterbackup_api::BackupVault;
use clusterbackup_api::backup_vault::BackupVaultStatus;
use clusterbackup_api::conditions::{self, READY};
use futures::StreamExt as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::conditions::condition;
use super::error::{Doing as _, DriveError};
use super::vault::VaultError;
use super::world::World;

/// Between two looks at a vault that nobody changes.
const PAUSE: Duration = Duration::from_mins(5);

type Key = (String, String);

/// Tries vaults for as long as it is polled. It ends only by a failure of its own.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    let api = Api::<BackupVault>::all(world.client.clone());
    let mut events = pin!(watcher(api, watcher::Config::default()).default_backoff());
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = BTreeMap::<Key, BackupVault>::new();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(Event::Apply(vault) | Event::InitApply(vault))) => {
                    let new = is_new(&vault);
                    known.insert(key(&vault), vault.clone());
                    if new {
                        look_at(&world, &vault).await;
                    }
                }
                Some(Ok(Event::Delete(vault))) => drop(known.remove(&key(&vault))),
                Some(Ok(Event::Init | Event::InitDone)) => {}
                Some(Err(error)) => warn!(%error, "watching BackupVaults"),
                None => return Err(DriveError::Ended("the watch of BackupVaults")),
            },
            _ = ticks.tick() => {
                let mut looks = JoinSet::new();
                for vault in known.values() {
                    let (world, vault) = (world.clone(), vault.clone());
                    looks.spawn(async move { look_at(&world, &vault).await });
                }
                looks.join_all().await;
            }
        }
    }
}

/// Whether nobody has tried what it says now.
fn is_new(vault: &BackupVault) -> bool {
    let observed = vault
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    observed != vault.metadata.generation
}

/// Tries a vault, and writes down what came of it.
async fn look_at(world: &World, vault: &BackupVault) {
    let (namespace, name) = key(vault);
    if let Err(error) = write(world, vault, attempt(world, vault).await).await {
        warn!(%error, namespace, vault = name, "writing the status of a BackupVault");
    }
}

async fn attempt(world: &World, vault: &BackupVault) -> Result<(), VaultError> {
    world.doors.open(&vault.name_any(), vault)?.probe().await
}

async fn write(world: &World, vault: &BackupVault, tried: Result<(), VaultError>) -> Result<(), DriveError> {
    let (status, reason, message) = match &tried {
        Ok(()) => (
            "True",
            "Ready",
            "a blob could be written, read and removed".to_owned(),
        ),
        Err(error) => ("False", error.reason(), error.to_string()),
    };
    let mut conditions = vault.status.clone().unwrap_or_default().conditions;
    conditions::merge(&mut conditions, condition(READY, status, reason, message));
    let status = BackupVaultStatus {
        observed_generation: vault.metadata.generation,
        encrypted: !vault.spec.recipients().is_empty(),
        conditions,
    };
    if vault.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let (namespace, name) = key(vault);
    let patch = Patch::Merge(json!({ "status": status }));
    let vaults = Api::<BackupVault>::namespaced(world.client.clone(), &namespace);
    vaults
        .patch_status(&name, &PatchParams::default(), &patch)
        .await
        .doing("write the status of a BackupVault")?;
    Ok(())
}

fn key(vault: &BackupVault) -> Key {
    (vault.namespace().unwrap_or_default(), vault.name_any())
}
