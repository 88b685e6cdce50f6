//! Who reads points: restores that have not ended. What they read stays until they have.

use std::collections::BTreeMap;

use clusterbackup_api::restore::RestorePhase;
use clusterbackup_api::{BackupVault, Restore};
use clusterbackup_vault::point::PointId;
use kube::{Api, ResourceExt as _};

use crate::leader::error::DriveError;
use crate::leader::listed;
use crate::leader::world::World;

/// One reader of each point of the vault's namespace that somebody reads.
pub(super) async fn of(world: &World, vault: &BackupVault) -> Result<BTreeMap<PointId, String>, DriveError> {
    let namespace = vault.namespace().unwrap_or_default();
    let restores = Api::<Restore>::namespaced(world.client.clone(), &namespace);
    let read = listed::installed(&restores, listed::PAGE, |restore| reads(&restore)).await?;
    Ok(read.into_iter().flatten().flatten().collect())
}

/// The point that a restore reads, and what it is called; nothing when it has ended.
fn reads(restore: &Restore) -> Option<(PointId, String)> {
    let phase = restore.status.as_ref().and_then(|status| status.phase);
    if phase.is_some_and(RestorePhase::is_end) {
        return None;
    }
    let id = PointId::new(restore.spec.recovery_point.as_str()).ok()?;
    Some((id, format!("Restore {}", restore.name_any())))
}
