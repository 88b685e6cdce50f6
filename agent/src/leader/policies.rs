//! Says of each BackupPolicy whether it can be followed as it stands: its condition `Ready`.

use std::fmt::Display;
use std::time::Duration;

use clusterbackup_api::backup_policy::WrongPolicy;
use clusterbackup_api::conditions::{self, READY};
use clusterbackup_api::{BackupPolicy, BackupVault};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Client, ResourceExt as _};

use super::conditions::condition;
use super::error::{Doing as _, DriveError};
use super::rounds::{self, Pace};
use super::subject::{Obstacle, PlanError};

const PACE: Pace = Pace {
    pause: Duration::from_secs(30),
    at_once: 1,
};

/// Looks at them for as long as it is polled. It ends only by a failure of its own.
pub(super) async fn run(client: Client) -> Result<(), DriveError> {
    rounds::run(&client, PACE, |policy| look_at(&client, policy)).await
}

/// Whether the policy that an instance names can be followed, in its vault.
pub(super) async fn check(
    client: &Client,
    namespace: &str,
    name: &str,
    vault: Option<&BackupVault>,
) -> Result<(), PlanError> {
    let policy = Api::<BackupPolicy>::namespaced(client.clone(), namespace)
        .get_opt(name)
        .await
        .doing(format!("read BackupPolicy {namespace}/{name}"))?;
    let Some(policy) = policy else {
        let message = format!(
            "BackupPolicy {name} doesn't exist in namespace {namespace}: nothing is backed up by schedule"
        );
        return Err(Obstacle::PolicyMissing.with(message));
    };
    let unfollowed = |obstacle: Obstacle, problem: &dyn Display| {
        obstacle.with(format!("BackupPolicy {name} can't be followed: {problem}"))
    };
    let checked = policy.spec.check().and_then(|()| policy.spec.schedule());
    let schedule = checked.map_err(|problem| unfollowed(Obstacle::PolicyInvalid, &problem))?;
    let Some(vault) = vault else {
        return Ok(());
    };
    let allowed = vault.spec.allows(&schedule);
    allowed.map_err(|problem| unfollowed(Obstacle::PolicyTooFrequent, &problem))?;
    if policy.spec.retention.vault_tier.is_some() && vault.spec.vault_tier.is_none() {
        return Err(Obstacle::VaultTierMissing.with(format!(
            "BackupPolicy {name} has recovery points copied into the vault tier, and BackupVault {} has none: nothing is copied; name \
             another vault or policy",
            vault.name_any()
        )));
    }
    Ok(())
}

async fn look_at(client: &Client, policy: BackupPolicy) -> Result<(), DriveError> {
    let before = policy.status.as_ref();
    let mut after = before.cloned().unwrap_or_default();
    after.observed_generation = policy.metadata.generation;
    conditions::merge(&mut after.conditions, ready(&policy));
    rounds::report(client, &policy, before, &after).await
}

fn ready(policy: &BackupPolicy) -> Condition {
    let (status, reason, message) = match policy.spec.check() {
        Ok(()) => ("True", "Ready", "it can be followed".to_owned()),
        Err(problem) => {
            let about_days = matches!(problem, WrongPolicy::Rules(_) | WrongPolicy::Copies(_));
            let reason = if about_days {
                "RetentionInvalid"
            } else {
                "ScheduleInvalid"
            };
            ("False", reason, problem.to_string())
        }
    };
    Condition {
        observed_generation: policy.metadata.generation,
        ..condition(READY, status, reason, message)
    }
}
