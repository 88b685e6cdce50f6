//! One look at a vault: what it has is read, what is due is done with it, and the cluster is made to show it.

use std::time::Duration;

use clusterbackup_api::recovery_point::AVAILABLE;
use clusterbackup_api::{BackupVault, RecoveryPoint};
use clusterbackup_vault::store::StoreError;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, ResourceExt as _};
use tokio::time::timeout;
use tracing::warn;

use super::difference::{self, Change};
use super::inventory::Inventory;
use super::life::Read;
use crate::leader::error::{Doing as _, DriveError, OrGone as _};
use crate::leader::events::Reason;
use crate::leader::listed;
use crate::leader::mirror;
use crate::leader::vault::{OpenVault, VaultError};
use crate::leader::world::World;

/// A vault that isn't read by then can't be read.
const LIMIT: Duration = Duration::from_mins(10);

/// Looks at a vault. What fails is tried again with the next look.
pub(super) async fn pass(world: &World, vault: &BackupVault, inventory: &mut Inventory) {
    if let Err(error) = attempt(world, vault, inventory).await {
        let (namespace, vault) = (vault.namespace(), vault.name_any());
        warn!(%error, namespace, vault, "showing what a vault has; trying again");
    }
}

async fn attempt(world: &World, vault: &BackupVault, inventory: &mut Inventory) -> Result<(), DriveError> {
    let name = vault.name_any();
    let namespace = vault.namespace().unwrap_or_default();
    let points = Api::<RecoveryPoint>::namespaced(world.client.clone(), &namespace);
    // Before the vault is read: what is committed in between isn't taken for gone.
    let mirrors = of_vault(&points, &name).await?;
    let changes = match read(world, vault, inventory).await {
        Ok(opened) => {
            let read = Read {
                world,
                vault,
                store: opened.store(),
                mirrors: &mirrors,
            };
            let lived = read.live(inventory).await;
            if let Err(error) = lived.and(read.collect(inventory).await) {
                warn!(%error, namespace, vault = name, "deciding about recovery points; trying again");
            }
            difference::of_listed(&name, inventory, &mirrors)
        }
        Err(error) => difference::of_unread(error.reason().as_str(), &error.to_string(), &mirrors),
    };
    for change in changes {
        if let Err(error) = carry_out(world, &points, change).await {
            warn!(%error, namespace, vault = name, "showing a recovery point; trying again");
        }
    }
    Ok(())
}

async fn read(
    world: &World,
    vault: &BackupVault,
    inventory: &mut Inventory,
) -> Result<OpenVault, VaultError> {
    let opened = world.doors.open(&world.client, vault).await?;
    let read = timeout(LIMIT, inventory.read(opened.store())).await;
    read.unwrap_or_else(|_| Err(slow()))?;
    Ok(opened)
}

fn slow() -> StoreError {
    StoreError::Unreachable {
        message: format!("its catalogue could not be read within {} s", LIMIT.as_secs()),
        retry_after: None,
    }
}

/// What the cluster shows of a vault.
async fn of_vault(points: &Api<RecoveryPoint>, vault: &str) -> Result<Vec<RecoveryPoint>, DriveError> {
    let found = listed::all(points, ListParams::default()).await;
    let mut found = found.doing("list the RecoveryPoints")?;
    found.retain(|point| point.spec.vault == vault);
    Ok(found)
}

async fn carry_out(world: &World, points: &Api<RecoveryPoint>, change: Change) -> Result<(), DriveError> {
    match change {
        Change::Create(point) => {
            let namespace = points.namespace().unwrap_or_default();
            mirror::create(&world.client, namespace, &point).await.map(drop)
        }
        Change::Remove(point) => remove(points, &point).await,
        Change::Lose(point) => {
            remove(points, &point).await?;
            world.metrics.lost();
            let note = format!(
                "BackupVault {} doesn't list it any more, and nobody has deleted it: look at who may write to its store",
                point.spec.vault
            );
            world.events.tell(&*point, Reason::PointLost, note).await;
            Ok(())
        }
        Change::Tell(point) => tell(points, &point).await,
        Change::Warn(point) => {
            tell(points, &point).await?;
            let said = point.status.iter().flat_map(|status| &status.conditions);
            let damage = said.into_iter().find(|said| said.type_ == AVAILABLE);
            let note = damage.map(|damage| damage.message.clone()).unwrap_or_default();
            world.events.tell(&*point, Reason::PointDamaged, note).await;
            Ok(())
        }
    }
}

async fn remove(points: &Api<RecoveryPoint>, point: &RecoveryPoint) -> Result<(), DriveError> {
    let this_one = DeleteParams::default().preconditions(Preconditions {
        uid: point.uid(),
        resource_version: point.resource_version(),
    });
    passed_by(points.delete(&point.name_any(), &this_one).await).doing("delete the RecoveryPoint")
}

async fn tell(points: &Api<RecoveryPoint>, point: &RecoveryPoint) -> Result<(), DriveError> {
    let written = points
        .replace_status(&point.name_any(), &PostParams::default(), point)
        .await;
    passed_by(written).doing("write the status of the RecoveryPoint")
}

/// What changed meanwhile is looked at again.
fn passed_by<T>(answer: kube::Result<T>) -> kube::Result<()> {
    match answer.or_gone() {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        answer => answer.map(drop),
    }
}
