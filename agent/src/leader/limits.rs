//! How many backups people may ask for: what the vault of an instance says, and what they have asked for already.

use clusterbackup_api::{Backup, BackupVault};
use clusterbackup_core::daily::{Exhausted, admit};
use jiff::Timestamp;
use kube::{Api, Client, ResourceExt as _};

use super::conditions;
use super::error::Doing as _;
use super::listed;
use super::shown;
use super::subject::{Obstacle, PlanError};

/// Whether the backup may begin. Backups by schedule always may.
pub(super) async fn check(client: &Client, backup: &Backup, vault: &str) -> Result<(), PlanError> {
    let namespace = backup.namespace().unwrap_or_default();
    if backup.slot().is_some() {
        return Ok(());
    }
    let vaults = Api::<BackupVault>::namespaced(client.clone(), &namespace);
    let found = vaults.get_opt(vault).await;
    let found = found.doing(format!("read BackupVault {namespace}/{vault}"))?;
    let Some(limit) = found.and_then(|vault| vault.spec.on_demand_a_day()) else {
        return Ok(());
    };
    let backups = Api::<Backup>::namespaced(client.clone(), &namespace);
    let asked = listed::installed(&backups, shown::PAGE, |other: Backup| {
        is_before(&other, backup)
            .then(|| asked_for(&other, &backup.spec.instance))
            .flatten()
    });
    let asked = asked.await?.into_iter().flatten().flatten();
    admit(limit, asked, made(backup)).map_err(|exhausted: Exhausted| {
        Obstacle::LimitReached.with(format!("BackupVault {vault}: {exhausted}"))
    })
}

/// When somebody asked for this backup of the instance, if it counts: one that was refused doesn't.
pub(super) fn asked_for(backup: &Backup, instance: &str) -> Option<Timestamp> {
    let counts = backup.spec.instance == instance
        && backup.slot().is_none()
        && !conditions::is_refused(backup, Obstacle::LimitReached);
    counts.then(|| made(backup))
}

/// Of two that were made within a second, one is the first: the one that is over, else either.
fn is_before(other: &Backup, backup: &Backup) -> bool {
    other.is_over() || (made(other), other.uid()) < (made(backup), backup.uid())
}

fn made(backup: &Backup) -> Timestamp {
    backup
        .creation_timestamp()
        .map_or(Timestamp::UNIX_EPOCH, |made| made.0)
}
