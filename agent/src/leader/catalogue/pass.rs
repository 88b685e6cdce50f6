//! One look at a vault: what it has is read, what is due is done with it, and the cluster is made to show it.

use std::time::Duration;

use clusterbackup_api::backup_vault::Access;
use clusterbackup_api::recovery_point::{AVAILABLE, PointFormat};
use clusterbackup_api::{BackupVault, RecoveryPoint, conditions};
use clusterbackup_core::retention::Tier;
use clusterbackup_vault::point::PointId;
use clusterbackup_vault::store::{Store, StoreError};
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, ResourceExt as _};
use tokio::time::timeout;
use tracing::warn;

use super::archives::Archives;
use super::difference::{self, Change};
use super::inventory::Inventory;
use super::life::Read;
use super::terms::Instances;
use super::tiers::{Tiers, Unread};
use crate::leader::error::{Doing as _, DriveError, OrGone as _};
use crate::leader::events::Reason;
use crate::leader::listed;
use crate::leader::mirror;
use crate::leader::vault::VaultError;
use crate::leader::world::World;

/// A vault that isn't read by then can't be read.
const LIMIT: Duration = Duration::from_mins(10);

/// Looks at a vault. What fails is tried again with the next look.
pub(super) async fn pass(world: &World, vault: &BackupVault, tiers: &mut Tiers) {
    if let Err(error) = attempt(world, vault, tiers).await {
        let (namespace, vault) = (vault.namespace(), vault.name_any());
        warn!(%error, namespace, vault, "showing what a vault has; trying again");
    }
}

async fn attempt(world: &World, vault: &BackupVault, tiers: &mut Tiers) -> Result<(), DriveError> {
    let name = vault.name_any();
    let namespace = vault.namespace().unwrap_or_default();
    let points = Api::<RecoveryPoint>::namespaced(world.client.clone(), &namespace);
    // Before the vault is read: what is committed in between isn't taken for gone.
    let mirrors = of_vault(&points, &name).await?;
    let changes = if vault.spec.format == PointFormat::Velero {
        match read_archives(world, vault, &mut tiers.archives).await {
            Ok(()) => tiers.archives.changes(&mirrors),
            Err(error) => difference::of_unread(error.reason().as_str(), &error.to_string(), &mirrors),
        }
    } else {
        of_points(world, vault, &mirrors, tiers).await
    };
    for change in changes {
        if let Err(error) = carry_out(world, &points, change).await {
            warn!(%error, namespace, vault = name, "showing a recovery point; trying again");
        }
    }
    Ok(())
}

/// Does what is due with the points of a vault, and says what the cluster has to show of them.
async fn of_points(
    world: &World,
    vault: &BackupVault,
    mirrors: &[RecoveryPoint],
    tiers: &mut Tiers,
) -> Vec<Change> {
    let (namespace, name) = (vault.namespace(), vault.name_any());
    match read(world, vault, Tier::Operational, &mut tiers.operational).await {
        Ok(store) => {
            let copies = read_copies(world, vault, tiers).await;
            let stores = Stores {
                operational: &store,
                vault: copies.as_ref(),
            };
            if let Err(error) = care(world, vault, &stores, mirrors, tiers).await {
                warn!(%error, namespace, vault = name, "deciding about recovery points; trying again");
            }
            difference::of_listed(&mirror::owner(vault), tiers, mirrors)
        }
        Err(error) => difference::of_unread(error.reason().as_str(), &error.to_string(), mirrors),
    }
}

/// Reads the backups of a vault that Velero writes.
async fn read_archives(
    world: &World,
    vault: &BackupVault,
    archives: &mut Archives,
) -> Result<(), VaultError> {
    let store = world
        .doors
        .open_tier(&world.client, vault, Tier::Operational)
        .await?;
    let read = timeout(LIMIT, archives.read(&store, &mirror::owner(vault))).await;
    Ok(read.map_err(|_| slow())??)
}

/// What could be read of a vault.
struct Stores<'a> {
    operational: &'a Store,
    vault: Option<&'a Store>,
}

/// Does what is due with what is in a vault.
async fn care(
    world: &World,
    vault: &BackupVault,
    stores: &Stores<'_>,
    mirrors: &[RecoveryPoint],
    tiers: &mut Tiers,
) -> Result<(), DriveError> {
    if vault.spec.access == Access::ReadOnly {
        for inventory in [&mut tiers.operational, &mut tiers.vault] {
            inventory.keep_all("its vault is ReadOnly here: nothing is written into it");
        }
        return Ok(());
    }
    let of = |tier, store| Read {
        world,
        vault,
        tier,
        store,
        mirrors,
    };
    let instances = Instances::read(world, vault).await?;
    let first = of(Tier::Operational, stores.operational);
    first.adopts(&mut tiers.operational).await;
    let copies = vault.spec.vault_tier.as_ref().map(|_| &tiers.vault);
    let lived = first.live(&instances, &mut tiers.operational, copies).await;
    let done = lived.and(first.collect(&mut tiers.operational, |_| false).await);
    let Some(store) = stores.vault else {
        return done;
    };
    let second = of(Tier::Vault, store);
    second.adopts(&mut tiers.vault).await;
    let lived = second.live(&instances, &mut tiers.vault, None).await;
    // A copy goes on where it ended, as long as there is something to copy.
    let may_become = |id: &PointId| tiers.operational.points.contains_key(id);
    let collected = second.collect(&mut tiers.vault, may_become).await;
    tiers
        .copies
        .go_on(world, stores.operational, store, &tiers.operational);
    done.and(lived).and(collected)
}

impl Read<'_> {
    /// Adopts what somebody asks for. What comes of it concerns no other point.
    async fn adopts(&self, inventory: &mut Inventory) {
        if let Err(error) = self.adopt(inventory).await {
            warn!(%error, vault = self.vault.name_any(), "adopting recovery points; trying again");
        }
    }
}

/// Reads the vault tier, where there is one. That it can't be read is noted: what it has is not taken for gone.
async fn read_copies(world: &World, vault: &BackupVault, tiers: &mut Tiers) -> Option<Store> {
    vault.spec.vault_tier.as_ref()?;
    let read = read(world, vault, Tier::Vault, &mut tiers.vault).await;
    let (store, unread) = match read {
        Ok(store) => (Some(store), None),
        Err(error) => (None, Some(Unread::from(error))),
    };
    tiers.unread = unread;
    store
}

async fn read(
    world: &World,
    vault: &BackupVault,
    tier: Tier,
    inventory: &mut Inventory,
) -> Result<Store, VaultError> {
    inventory.read = None;
    let store = world.doors.open_tier(&world.client, vault, tier).await?;
    let read = timeout(LIMIT, inventory.read(&store)).await;
    read.unwrap_or_else(|_| Err(slow()))?;
    Ok(store)
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
            let damage = conditions::find(said, AVAILABLE);
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
