//! Says of each BackupVault whether it can be used: its condition `Ready`. Stores, and the Secrets with their credentials,
//! change without it.

use std::time::Duration;

use clusterbackup_api::backup_vault::{Access, BackupVaultStatus};
use clusterbackup_api::conditions::{self, READY};
use clusterbackup_api::{Backup, BackupInstance, BackupVault};
use clusterbackup_core::retention::Tier;
use clusterbackup_vault::location::Deletion;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Client, ResourceExt as _};
use tracing::debug;

use super::conditions::condition;
use super::error::{Doing as _, DriveError};
use super::events;
use super::rounds::{self, Pace};
use super::subject::{Obstacle, PlanError};
use super::vault::{self, Checked, Reason, Usable, VaultError};
use super::world::World;

/// What is said of the vault tier, as Ready says it of the operational one.
const VAULT_TIER_READY: &str = "VaultTierReady";

/// A store that doesn't answer must not hold up the others.
const PACE: Pace = Pace {
    pause: Duration::from_mins(5),
    at_once: 8,
};

/// Tries vaults for as long as it is polled.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    rounds::run(&world.client, PACE, |vault| look_at(&world, vault)).await
}

async fn look_at(world: &World, vault: BackupVault) -> Result<(), DriveError> {
    let operational = check(world, &vault, Tier::Operational);
    let (operational, copies) = match vault.spec.vault_tier {
        Some(_) => {
            let (operational, copies) = tokio::join!(operational, check(world, &vault, Tier::Vault));
            (operational, Some(copies))
        }
        None => (operational.await, None),
    };
    match (operational, copies) {
        (Err(VaultError::Unread(error)), _) | (_, Some(Err(VaultError::Unread(error))))
            if !error.is_final() =>
        {
            Err(error)
        }
        (operational, copies) => say(world, &vault, &operational, copies.as_ref()).await,
    }
}

/// Tries the vault that a backup is to be stored in.
pub(super) async fn attempt(world: &World, backup: &Backup, name: &str) -> Result<(), PlanError> {
    let namespace = backup.namespace().unwrap_or_default();
    let tried = match vault::read(&world.client, &namespace, name).await {
        Ok(vault) => {
            let tried = check(world, &vault, Tier::Operational).await;
            if let Err(error) = say(world, &vault, &tried, None).await {
                debug!(%error, namespace, vault = name, "it is looked at again");
            }
            tried.and_then(|_| takes_backups(&vault))
        }
        Err(error) => Err(error),
    };
    tried.map_err(|error| no_plan(name, error))
}

/// The vault that an instance names, if backups may be stored in it.
pub(super) async fn admits(client: &Client, namespace: &str, name: &str) -> Result<BackupVault, PlanError> {
    let found = vault::read(client, namespace, name).await;
    let admitted = found.and_then(|vault| takes_backups(&vault).map(|()| vault));
    admitted.map_err(|error| no_plan(name, error))
}

fn takes_backups(vault: &BackupVault) -> Result<(), VaultError> {
    match vault.spec.access {
        Access::ReadWrite => Ok(()),
        Access::ReadOnly => Err(VaultError::ReadOnly),
    }
}

/// Nothing can be stored in the vault of that name, because of this.
fn no_plan(name: &str, error: VaultError) -> PlanError {
    match error {
        VaultError::Unread(error) => error.into(),
        error => {
            let (vault, reason) = (name.to_owned(), error.to_string());
            if error.is_transient() {
                DriveError::Vault { vault, reason }.into()
            } else {
                Obstacle::VaultUnusable.with(format!("BackupVault {vault}: {reason}"))
            }
        }
    }
}

/// What the vault is called in its store that the point of a backup goes into, as far as that is known.
pub(super) async fn id_for(client: &Client, backup: &Backup) -> Result<Option<String>, DriveError> {
    let namespace = backup.namespace().unwrap_or_default();
    let instances = Api::<BackupInstance>::namespaced(client.clone(), &namespace);
    let instance = instances.get_opt(&backup.spec.instance).await;
    let instance = instance.doing("read the BackupInstance")?;
    let Some(name) = instance.and_then(|instance| instance.spec.vault) else {
        return Ok(None);
    };
    let vaults = Api::<BackupVault>::namespaced(client.clone(), &namespace);
    let vault = vaults.get_opt(&name).await.doing("read the BackupVault")?;
    Ok(vault.and_then(|vault| vault.status?.id))
}

async fn check(world: &World, vault: &BackupVault, tier: Tier) -> Result<Checked, VaultError> {
    let tried = world.doors.check(&world.client, vault, tier).await;
    world.metrics.tried(reason(&tried));
    tried
}

/// Writes down what came of a try, and of one at the vault tier, and tells people where that is another thing than before.
async fn say(
    world: &World,
    vault: &BackupVault,
    tried: &Result<Checked, VaultError>,
    copies: Option<&Result<Checked, VaultError>>,
) -> Result<(), DriveError> {
    let before = vault.status.as_ref();
    let mut after = BackupVaultStatus {
        observed_generation: vault.metadata.generation,
        encrypted: !vault.spec.recipients().is_empty(),
        ..before.cloned().unwrap_or_default()
    };
    if let Ok(Checked { id, .. }) = tried {
        after.id.clone_from(id);
    }
    if let Some(Ok(Checked { id, .. })) = copies {
        after.vault_tier_id.clone_from(id);
    }
    let said = [(READY, Some(tried)), (VAULT_TIER_READY, copies)];
    let mut news = Vec::new();
    for (type_, tried) in said {
        let Some(tried) = tried else { continue };
        let ready = Condition {
            observed_generation: vault.metadata.generation,
            ..ready(type_, tried)
        };
        news.extend(of_interest(
            said_before(vault, type_),
            reason(tried),
            &ready.message,
        ));
        conditions::merge(&mut after.conditions, ready);
    }
    rounds::report(&world.client, vault, before, &after).await?;
    for (reason, note) in news {
        world.events.tell(vault, reason, note).await;
    }
    Ok(())
}

/// What came of the last try of a vault.
pub(super) fn standing(vault: &BackupVault) -> Reason {
    said_before(vault, READY)
}

/// What its condition of this type says.
fn said_before(vault: &BackupVault, type_: &str) -> Reason {
    let said = vault.status.iter().flat_map(|status| &status.conditions);
    conditions::find(said, type_).map_or(Reason::Untried, |ready| Reason::named(&ready.reason))
}

/// What people are told of a try.
fn of_interest(before: Reason, now: Reason, message: &str) -> Option<(events::Reason, String)> {
    match (before, now) {
        (before, now) if before == now => None,
        (Reason::Untried, now) if now.is_good() => None,
        (before, now) if before.is_good() && now.is_good() => None,
        (_, now) if now.is_good() => Some((
            events::Reason::VaultUsable,
            format!("it can be used again: {message}"),
        )),
        (_, now) => Some((
            events::Reason::VaultUnusable,
            format!("{}: {message}", now.as_str()),
        )),
    }
}

fn reason(tried: &Result<Checked, VaultError>) -> Reason {
    match tried {
        Ok(Checked {
            usable: Usable::Write(_),
            ..
        }) => Reason::Ready,
        Ok(Checked {
            usable: Usable::Read, ..
        }) => Reason::Readable,
        Err(error) => error.reason(),
    }
}

fn ready(type_: &str, tried: &Result<Checked, VaultError>) -> Condition {
    let (status, message) = match tried {
        Ok(Checked { usable, .. }) => {
            let did = match usable {
                Usable::Write(Deletion::Possible) => "a blob could be written, read and removed",
                Usable::Write(Deletion::Refused) => {
                    "a blob could be written and read; the store keeps what is written, so it was not removed"
                }
                Usable::Read => "the vault is there; nothing is written into it, as spec.access says",
            };
            ("True", did.to_owned())
        }
        Err(error) => ("False", error.to_string()),
    };
    condition(type_, status, reason(tried).as_str(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_when_a_vault_can_not_be_used_and_when_it_can_again() {
        use Reason::{AccessDenied, Readable, Ready, StoreFull, Untried};
        for (before, now, told) in [
            (Untried, Ready, None),
            (Untried, Readable, None),
            (Ready, Ready, None),
            (Ready, Readable, None),
            (Untried, StoreFull, Some(events::Reason::VaultUnusable)),
            (Ready, StoreFull, Some(events::Reason::VaultUnusable)),
            (StoreFull, StoreFull, None),
            (StoreFull, AccessDenied, Some(events::Reason::VaultUnusable)),
            (StoreFull, Ready, Some(events::Reason::VaultUsable)),
            (StoreFull, Readable, Some(events::Reason::VaultUsable)),
        ] {
            let news = of_interest(before, now, "why").map(|(reason, _)| reason);
            assert_eq!(news, told, "{before:?} {now:?}");
        }
    }
}
