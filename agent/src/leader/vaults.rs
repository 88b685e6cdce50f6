//! Says of each BackupVault whether it can be used: its condition `Ready`. Stores, and the Secrets with their credentials,
//! change without it.

use std::time::Duration;

use clusterbackup_api::backup_vault::BackupVaultStatus;
use clusterbackup_api::conditions::{self, READY};
use clusterbackup_api::{Backup, BackupVault};
use clusterbackup_vault::location::Deletion;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use tracing::debug;

use super::conditions::condition;
use super::error::DriveError;
use super::events;
use super::rounds::{self, Pace};
use super::subject::{Obstacle, PlanError};
use super::vault::{self, Checked, Reason, VaultError};
use super::world::World;

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
    match check(world, &vault).await {
        Err(VaultError::Unread(error)) if !error.is_final() => Err(error),
        tried => say(world, &vault, &tried).await,
    }
}

/// Tries the vault that a backup is to be stored in.
pub(super) async fn attempt(world: &World, backup: &Backup, name: &str) -> Result<(), PlanError> {
    let namespace = backup.namespace().unwrap_or_default();
    let tried = match vault::read(&world.client, &namespace, name).await {
        Ok(vault) => {
            let tried = check(world, &vault).await;
            if let Err(error) = say(world, &vault, &tried).await {
                debug!(%error, namespace, vault = name, "it is looked at again");
            }
            tried
        }
        Err(error) => Err(error),
    };
    tried.map(drop).map_err(|error| match error {
        VaultError::Unread(error) => error.into(),
        error => {
            let (vault, reason) = (name.to_owned(), error.to_string());
            if error.is_transient() {
                DriveError::Vault { vault, reason }.into()
            } else {
                Obstacle::VaultUnusable.with(format!("BackupVault {vault}: {reason}"))
            }
        }
    })
}

async fn check(world: &World, vault: &BackupVault) -> Result<Checked, VaultError> {
    let tried = world.doors.check(&world.client, vault).await;
    world.metrics.tried(reason(&tried));
    tried
}

/// Writes down what came of a try, and tells people where that is another thing than before.
async fn say(
    world: &World,
    vault: &BackupVault,
    tried: &Result<Checked, VaultError>,
) -> Result<(), DriveError> {
    let before = vault.status.as_ref();
    let mut after = BackupVaultStatus {
        observed_generation: vault.metadata.generation,
        encrypted: !vault.spec.recipients().is_empty(),
        ..before.cloned().unwrap_or_default()
    };
    if let Ok(Checked { id, .. }) = tried {
        after.id = Some(id.clone());
    }
    let ready = Condition {
        observed_generation: vault.metadata.generation,
        ..ready(tried)
    };
    let news = news(standing(vault), reason(tried), &ready.message);
    conditions::merge(&mut after.conditions, ready);
    rounds::report(&world.client, vault, before, &after).await?;
    if let Some((reason, note)) = news {
        world.events.tell(vault, reason, note).await;
    }
    Ok(())
}

/// What came of the last try of a vault.
pub(super) fn standing(vault: &BackupVault) -> Reason {
    let mut said = vault.status.iter().flat_map(|status| &status.conditions);
    let ready = said.find(|condition| condition.type_ == READY);
    ready.map_or(Reason::Untried, |ready| Reason::named(&ready.reason))
}

/// What people are told of a try.
fn news(before: Reason, now: Reason, message: &str) -> Option<(events::Reason, String)> {
    match (before, now) {
        (before, now) if before == now => None,
        (Reason::Untried, Reason::Ready) => None,
        (_, Reason::Ready) => Some((
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
    tried.as_ref().err().map_or(Reason::Ready, VaultError::reason)
}

fn ready(tried: &Result<Checked, VaultError>) -> Condition {
    let (status, message) = match tried {
        Ok(Checked { deletion, .. }) => {
            let did = match deletion {
                Deletion::Possible => "a blob could be written, read and removed",
                Deletion::Refused => {
                    "a blob could be written and read; the store keeps what is written, so it was not removed"
                }
            };
            ("True", did.to_owned())
        }
        Err(error) => ("False", error.to_string()),
    };
    condition(READY, status, reason(tried).as_str(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_when_a_vault_can_not_be_used_and_when_it_can_again() {
        use Reason::{AccessDenied, Ready, StoreFull, Untried};
        for (before, now, told) in [
            (Untried, Ready, None),
            (Ready, Ready, None),
            (Untried, StoreFull, Some(events::Reason::VaultUnusable)),
            (Ready, StoreFull, Some(events::Reason::VaultUnusable)),
            (StoreFull, StoreFull, None),
            (StoreFull, AccessDenied, Some(events::Reason::VaultUnusable)),
            (StoreFull, Ready, Some(events::Reason::VaultUsable)),
        ] {
            let news = news(before, now, "why").map(|(reason, _)| reason);
            assert_eq!(news, told, "{before:?} {now:?}");
        }
    }
}
