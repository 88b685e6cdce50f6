//! Counts, now and then, what the cluster shows of vaults and their points, and what has no good backup. It only reads: what
//! is counted was found by others.

use std::fmt::Debug;
use std::time::Duration;

use clusterbackup_api::coverage::{self, Seen};
use clusterbackup_api::recovery_point::{self, AVAILABLE, DAMAGED};
use clusterbackup_api::{Backup, BackupInstance, BackupVault, RecoveryPoint, conditions};
use clusterbackup_core::coverage::{RECENT, survey};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::error::DriveError;
use super::metrics::{Contents, Newest, PointState};
use super::vaults::standing;
use super::world::World;
use super::{listed, shown};

/// Between two counts: all claims and namespaces are listed for it.
const PAUSE: Duration = Duration::from_secs(30);
/// A copy into the vault tier takes no longer, where nothing stands against it.
const LATE: SignedDuration = SignedDuration::from_hours(6);

/// Counts for as long as it is polled.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = count(&world).await {
            warn!(%error, "counting what is protected; trying again");
        }
    }
}

async fn count(world: &World) -> Result<(), DriveError> {
    let vaults = all::<BackupVault>(world).await?;
    let points = all::<RecoveryPoint>(world).await?;
    let instances = all::<BackupInstance>(world).await?;
    let now = Timestamp::now();
    world.metrics.keeps(&contents(&vaults, &points, &instances, now));

    let backups = taken(world, shown::PAGE, |backup: Backup| Seen::of(&backup)).await?;
    let namespaces = taken(world, listed::PAGE, |namespace: Namespace| {
        coverage::namespace(namespace.meta())
    })
    .await?;
    let claim = |claim: PersistentVolumeClaim| Some(coverage::claim(claim.meta()));
    let claims = taken(world, listed::PAGE, claim).await?;
    let protections = coverage::protections(&instances, &backups, &points, now);
    let found = survey(&namespaces, &claims, &protections, RECENT.as_secs());
    world.metrics.covers(&found);
    Ok(())
}

async fn all<K>(world: &World) -> Result<Vec<K>, DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    taken(world, listed::PAGE, Some).await
}

/// What counts of the objects of a kind, so many a page.
async fn taken<K, T>(world: &World, page: u32, take: impl Fn(K) -> Option<T>) -> Result<Vec<T>, DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let objects = Api::<K>::all(world.client.clone());
    let found = listed::installed(&objects, page, take).await?;
    Ok(found.into_iter().flatten().flatten().collect())
}

fn contents(
    vaults: &[BackupVault],
    points: &[RecoveryPoint],
    instances: &[BackupInstance],
    now: Timestamp,
) -> Contents {
    let stored = instances.iter().filter(|instance| instance.spec.vault.is_some());
    Contents {
        vaults: vaults.iter().map(standing).collect(),
        points: points.iter().map(state).collect(),
        stored_bytes: points.iter().map(|point| point.spec.stored_bytes).sum(),
        late_copies: points.iter().filter(|point| is_late(point, now)).count(),
        newest: stored.map(|instance| newest(instance, points, now)).collect(),
    }
}

/// Damage counts more than all else: it is what somebody has to see to.
fn state(point: &RecoveryPoint) -> PointState {
    let Some(status) = &point.status else {
        return PointState::Unknown;
    };
    let damaged = |said: &Condition| said.status == "False" && said.reason == DAMAGED;
    if status.conditions.iter().any(damaged) {
        return PointState::Damaged;
    }
    let available = conditions::find(&status.conditions, AVAILABLE);
    if available.is_some_and(|said| said.status == "Unknown") {
        return PointState::Unknown;
    }
    match status.state {
        Some(recovery_point::PointState::Available) => PointState::Available,
        Some(recovery_point::PointState::Deleted) => PointState::Deleted,
        Some(recovery_point::PointState::Purging) => PointState::Purging,
        None => PointState::Unknown,
    }
}

/// Whether a point should have been copied into the vault tier by now.
fn is_late(point: &RecoveryPoint, now: Timestamp) -> bool {
    let awaits = point
        .status
        .as_ref()
        .and_then(|status| status.awaits_copy.as_ref());
    awaits.is_some() && now.duration_since(point.spec.finished_at.0) > LATE
}

fn newest(instance: &BackupInstance, points: &[RecoveryPoint], now: Timestamp) -> Newest {
    coverage::newest_point(instance, points).map_or(Newest::None, |point| {
        Newest::of(now.duration_since(point.spec.finished_at.0).as_secs())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn point(status: &Value) -> RecoveryPoint {
        serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "RecoveryPoint",
            "metadata": { "name": "a", "namespace": "home" },
            "spec": {
                "vault": "vault", "instance": "shop", "cluster": "c", "phase": "Completed",
                "backup": { "namespace": "home", "name": "nightly", "uid": "a" },
                "startedAt": "2026-11-21T01:00:00.000000Z", "finishedAt": "2026-11-21T01:05:00.000000Z",
                "objects": 1, "bytes": 10, "storedBytes": 7, "volumes": 0, "encrypted": false,
            },
            "status": status,
        }))
        .unwrap()
    }

    fn said(type_: &str, status: &str, reason: &str) -> Value {
        json!({
            "type": type_, "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-21T01:06:00Z",
        })
    }

    #[test]
    fn a_point_is_counted_where_it_stands() {
        let has = || said("Available", "True", "InVault");
        let whole = || said("Verified", "True", "AsWritten");
        for (status, counted) in [
            (json!(null), PointState::Unknown),
            (
                json!({ "state": "Available", "conditions": [has()] }),
                PointState::Available,
            ),
            (
                json!({ "state": "Available", "conditions": [has(), whole()] }),
                PointState::Available,
            ),
            (
                json!({ "state": "Deleted", "conditions": [has()] }),
                PointState::Deleted,
            ),
            (
                json!({ "state": "Purging", "conditions": [said("Available", "False", "Purged")] }),
                PointState::Purging,
            ),
            (
                json!({ "state": "Available", "conditions": [said("Available", "Unknown", "StoreUnreachable")] }),
                PointState::Unknown,
            ),
            (
                json!({ "state": "Available", "conditions": [said("Available", "False", "Damaged"), whole()] }),
                PointState::Damaged,
            ),
            (
                json!({ "state": "Available", "conditions": [has(), said("Verified", "False", "Damaged")] }),
                PointState::Damaged,
            ),
        ] {
            assert_eq!(state(&point(&status)), counted, "{status}");
        }
    }

    #[test]
    fn an_instance_is_counted_by_the_age_of_its_newest_point() {
        let instance: BackupInstance = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "BackupInstance",
            "metadata": { "name": "shop", "namespace": "home" }, "spec": { "vault": "vault" },
        }))
        .unwrap();
        let points = [point(&json!({}))];
        let finished: Timestamp = "2026-11-21T01:05:00Z".parse().unwrap();
        for (hours, counted) in [
            (1, Newest::Hour),
            (2, Newest::Day),
            (24 * 7, Newest::Week),
            (24 * 8, Newest::Month),
            (24 * 31, Newest::Older),
        ] {
            let now = finished + jiff::SignedDuration::from_hours(hours);
            let found = contents(&[], &points, std::slice::from_ref(&instance), now);
            assert_eq!((found.newest, found.stored_bytes), (vec![counted], 7), "{hours}");
        }
        let found = contents(&[], &[], &[instance], finished);
        assert_eq!(found.newest, [Newest::None]);
    }

    #[test]
    fn a_copy_is_late_when_it_is_awaited_for_six_hours() {
        let made: Timestamp = "2026-11-21T01:05:00Z".parse().unwrap();
        let waiting = point(&json!({ "awaitsCopy": "it could not be copied" }));
        let copied = point(&json!({}));
        for (hours, late) in [(0, 0), (6, 0), (7, 1)] {
            let points = [waiting.clone(), copied.clone()];
            let found = contents(&[], &points, &[], made + SignedDuration::from_hours(hours));
            assert_eq!(found.late_copies, late, "{hours} h");
        }
    }
}
