//! Writes into each vault what the system is set up with in the vault's namespace, so that a blank cluster can be set up from it.
//! Only when it has changed; never what Secrets hold.
//!
//! - `gathering`: which objects that are

mod gathering;

use std::time::Duration;

use clusterbackup_api::BackupVault;
use clusterbackup_api::backup_vault::{Access, SavedConfiguration};
use clusterbackup_vault::configuration::{Owner, save};
use clusterbackup_vault::point::{Digest, PointError};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tracing::{debug, info};

use super::error::{Doing as _, DriveError, OrGone as _};
use super::point;
use super::rounds::{self, Pace};
use super::vault::VaultError;
use super::world::World;

/// What changes is in the vault after so long at the most.
const PACE: Pace = Pace {
    pause: Duration::from_mins(2),
    at_once: 4,
};

/// Why it is not in a vault.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The vault can't be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It can't be written.
    #[error(transparent)]
    Unwritten(#[from] PointError),
    /// The API server was no help.
    #[error(transparent)]
    Cluster(#[from] DriveError),
}

/// Sees to it for as long as it is polled.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    rounds::run(&world.client, PACE, |vault| look_at(&world, vault)).await
}

async fn look_at(world: &World, vault: BackupVault) -> Result<(), DriveError> {
    match keep_up(world, &vault).await {
        Err(Failure::Cluster(error)) => Err(error),
        Err(error) => {
            // Why a vault can't be used stands in its condition.
            debug!(%error, namespace = vault.namespace(), vault = vault.name_any(), "writing the configuration");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn keep_up(world: &World, vault: &BackupVault) -> Result<(), Failure> {
    let namespace = vault.namespace().unwrap_or_default();
    let configuration = gathering::of(&world.client, &namespace).await?;
    let sha256 = Digest::of(configuration.text().as_bytes()).to_string();
    let saved = vault
        .status
        .as_ref()
        .and_then(|status| status.configuration.as_ref());
    if saved.is_some_and(|saved| saved.sha256 == sha256) || vault.spec.access == Access::ReadOnly {
        return Ok(());
    }
    let opened = world.doors.open(&world.client, vault).await?;
    let owner = Owner {
        cluster: point::cluster(&world.client).await?,
        namespace: namespace.clone(),
    };
    if !world.is_latest().await? {
        return Err(DriveError::Superseded.into());
    }
    let now = Timestamp::now();
    let number = save(opened.store(), &opened.seal, &owner, &configuration, now).await?;
    info!(
        namespace,
        vault = vault.name_any(),
        number,
        "wrote the configuration into a vault"
    );
    let saved = SavedConfiguration {
        number: number.get(),
        saved_at: Time(now),
        sha256,
    };
    Ok(note(world, vault, &saved).await?)
}

/// Of this field alone: the rest of the status is written by others.
async fn note(world: &World, vault: &BackupVault, saved: &SavedConfiguration) -> Result<(), DriveError> {
    let patch = Patch::Merge(json!({ "status": { "configuration": saved } }));
    let vaults = Api::<BackupVault>::namespaced(world.client.clone(), &vault.namespace().unwrap_or_default());
    let noted = vaults
        .patch_status(&vault.name_any(), &PatchParams::default(), &patch)
        .await;
    noted
        .or_gone()
        .doing("note what was written into a vault")
        .map(drop)
}
