//! Keeps a snapshot: its content says Retain, was read back so, and has a handle. Only then may a backup list it,
//! for only then does deleting its namespace not take the data.

use std::time::Duration;

use clusterbackup_api::snapshots::{VolumeGroupSnapshot, VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_core::selection::Name;
use kube::{Api, Client, ResourceExt as _};
use tokio::time::{Instant, sleep};

use super::contents::{self, Policy, Purpose};
use super::error::{Doing as _, DriveError};

/// A cut that is taken has a handle at once; what takes longer is a controller that is down.
const LIMIT: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A snapshot that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// The VolumeSnapshot.
    pub(super) snapshot: String,
    /// Its content.
    pub(super) content: String,
    /// The driver's name for it.
    pub(super) handle: String,
    /// The driver.
    pub(super) driver: String,
}

/// What one attempt found: what is still missing is said for a person.
pub(super) type Attempt = Result<Kept, String>;

/// Keeps the snapshot `name` of `claim`, or that of the group of this name; or says why it can't be kept.
pub(super) async fn retain(
    client: &Client,
    claim: &Name,
    name: &str,
    purpose: &Purpose,
) -> Result<Attempt, DriveError> {
    let deadline = Instant::now() + LIMIT;
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = attempt(client, claim, name, purpose).await?;
        if attempt.is_ok() || Instant::now() + pause > deadline {
            return Ok(attempt);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(
    client: &Client,
    claim: &Name,
    name: &str,
    purpose: &Purpose,
) -> Result<Attempt, DriveError> {
    let namespace = &claim.namespace;
    let snapshot = Api::<VolumeSnapshot>::namespaced(client.clone(), namespace)
        .get_opt(name)
        .await
        .doing(format!("read VolumeSnapshot {namespace}/{name}"))?;
    let snapshot = match snapshot {
        Some(snapshot) => Some(snapshot),
        None => contents::member(client, claim, name).await?,
    };
    let Some(snapshot) = snapshot else {
        return Ok(Err(format!("VolumeSnapshot {namespace}/{name} doesn't exist")));
    };
    if let Some(group) = contents::group_of(&snapshot) {
        retain_group(client, namespace, &group.name).await?;
    }
    let content = contents::of_snapshot(&snapshot);
    contents::keep(client, &content, purpose).await?;
    read_back(client, snapshot.name_any(), content).await
}

/// A group's content that says Delete takes its members' data with it.
async fn retain_group(client: &Client, namespace: &str, name: &str) -> Result<(), DriveError> {
    let group = Api::<VolumeGroupSnapshot>::namespaced(client.clone(), namespace)
        .get_opt(name)
        .await
        .doing(format!("read VolumeGroupSnapshot {namespace}/{name}"))?;
    match group {
        Some(group) => contents::set_group_policy(client, &contents::of_group(&group), Policy::Retain).await,
        None => Ok(()),
    }
}

async fn read_back(client: &Client, snapshot: String, name: String) -> Result<Attempt, DriveError> {
    let content = Api::<VolumeSnapshotContent>::all(client.clone())
        .get_opt(&name)
        .await
        .doing(format!("read VolumeSnapshotContent {name}"))?;
    let Some(content) = content else {
        return Ok(Err(format!("VolumeSnapshotContent {name} doesn't exist")));
    };
    let handle = content.status.and_then(|status| status.snapshot_handle);
    Ok(match handle {
        Some(handle) if content.spec.deletion_policy == Policy::Retain.as_str() => Ok(Kept {
            snapshot,
            content: name,
            handle,
            driver: content.spec.driver,
        }),
        Some(_) => Err(format!("VolumeSnapshotContent {name} doesn't stay at Retain")),
        None => Err(format!("VolumeSnapshotContent {name} has no handle yet")),
    })
}
