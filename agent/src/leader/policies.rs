//! Says of each BackupPolicy whether it can be followed as it stands: its condition `Ready`.

use std::pin::pin;
use std::time::Duration;

use clusterbackup_api::BackupPolicy;
use clusterbackup_api::backup_policy::WrongPolicy;
use clusterbackup_api::conditions::{self, READY};
use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::Event;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::conditions::condition;
use super::error::{Doing as _, DriveError, OrGone as _};
use super::shown::shown;
use super::subject::{Obstacle, PlanError};

/// Between two looks at policies that nobody changes: what could not be written is written then.
const PAUSE: Duration = Duration::from_secs(30);

/// Looks at them for as long as it is polled. It ends only by a failure of its own.
pub(super) async fn run(client: Client) -> Result<(), DriveError> {
    let (policies, events) = shown::<BackupPolicy>(&client, |_| {});
    let mut events = pin!(events);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(Event::Apply(policy))) => look_at(&client, &policy).await,
                Some(Ok(Event::InitDone)) => ticks.reset_immediately(),
                Some(Ok(_)) => {}
                Some(Err(error)) => warn!(%error, "watching BackupPolicies"),
                None => return Err(DriveError::Ended("the watch of BackupPolicies")),
            },
            _ = ticks.tick() => for policy in policies.state() {
                look_at(&client, &policy).await;
            },
        }
    }
}

/// The policy that an instance names, if it can be followed.
pub(super) async fn check(client: &Client, namespace: &str, name: &str) -> Result<(), PlanError> {
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
    let problem = policy.spec.check().err();
    problem.map_or(Ok(()), |problem| {
        Err(Obstacle::PolicyInvalid.with(format!("BackupPolicy {name} can't be followed: {problem}")))
    })
}

async fn look_at(client: &Client, policy: &BackupPolicy) {
    if let Err(error) = write(client, policy).await {
        let (namespace, policy) = (policy.namespace(), policy.name_any());
        warn!(%error, namespace, policy, "saying whether a BackupPolicy can be followed; trying again");
    }
}

async fn write(client: &Client, policy: &BackupPolicy) -> Result<(), DriveError> {
    let mut status = policy.status.clone().unwrap_or_default();
    status.observed_generation = policy.metadata.generation;
    conditions::merge(&mut status.conditions, ready(policy));
    if policy.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let patch = Patch::Merge(json!({ "status": status }));
    Api::<BackupPolicy>::namespaced(client.clone(), &policy.namespace().unwrap_or_default())
        .patch_status(&policy.name_any(), &PatchParams::default(), &patch)
        .await
        .or_gone()
        .doing("write the status of a BackupPolicy")
        .map(drop)
}

fn ready(policy: &BackupPolicy) -> Condition {
    let (status, reason, message) = match policy.spec.check() {
        Ok(()) => ("True", "Ready", "it can be followed".to_owned()),
        Err(problem) => {
            let about_days = matches!(problem, WrongPolicy::Rules(_));
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
