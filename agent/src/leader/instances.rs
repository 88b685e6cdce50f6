//! Says of each BackupInstance whether a backup of it could run now: its condition `Ready`. Hooks and rights change without
//! it.

use std::time::Duration;

use clusterbackup_api::BackupInstance;
use clusterbackup_api::backup_instance::BackupInstanceStatus;
use clusterbackup_api::conditions::{self, READY};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Client, ResourceExt as _};

use super::conditions::condition;
use super::error::DriveError;
use super::policies;
use super::rounds::{self, Pace};
use super::subject::{PlanError, Subject};
use super::terms::Terms;
use super::vaults;

/// One after the other: each asks the API server for a lot.
const PACE: Pace = Pace {
    pause: Duration::from_secs(30),
    at_once: 1,
};

/// Looks at them for as long as it is polled.
pub(super) async fn run(client: Client) -> Result<(), DriveError> {
    rounds::run(&client, PACE, |instance| look_at(&client, instance)).await
}

async fn look_at(client: &Client, instance: BackupInstance) -> Result<(), DriveError> {
    let ready = match could_run(client, &instance).await {
        Ok(()) => condition(READY, "True", "Ready", "a backup of it could run now".to_owned()),
        Err(PlanError::Impossible { obstacle, message }) => {
            condition(READY, "False", &format!("{obstacle:?}"), message)
        }
        Err(PlanError::Unread(error)) => return Err(error),
    };
    let ready = Condition {
        observed_generation: instance.metadata.generation,
        ..ready
    };
    let before = instance.status.as_ref();
    let mut after = BackupInstanceStatus {
        observed_generation: instance.metadata.generation,
        ..before.cloned().unwrap_or_default()
    };
    conditions::merge(&mut after.conditions, ready);
    rounds::report(client, &instance, before, &after).await
}

async fn could_run(client: &Client, instance: &BackupInstance) -> Result<(), PlanError> {
    let subject = Subject::of(client, instance.clone()).await?;
    Terms::of(client, &subject).await?;
    let namespace = instance.namespace().unwrap_or_default();
    let vault = match &instance.spec.vault {
        Some(vault) => Some(vaults::admits(client, &namespace, vault).await?),
        None => None,
    };
    match &instance.spec.policy {
        Some(policy) => policies::check(client, &namespace, policy, vault.as_ref()).await,
        None => Ok(()),
    }
}
