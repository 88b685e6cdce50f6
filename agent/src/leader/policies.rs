//! Says of each BackupPolicy whether it can be followed as it stands: its condition `Ready`.

use std::time::Duration;

use clusterbackup_api::BackupPolicy;
use clusterbackup_api::backup_policy::WrongPolicy;
use clusterbackup_api::conditions::{self, READY};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Client};

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

/// The policy that an instance names, if it can be followed.
pub(super) async fn check(client: &Client, namespace: &str, name: &str) -> Result<BackupPolicy, PlanError> {
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
    match policy.spec.check() {
        Ok(()) => Ok(policy),
        Err(problem) => {
            let message = format!("BackupPolicy {name} can't be followed: {problem}");
            Err(Obstacle::PolicyInvalid.with(message))
        }
    }
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
