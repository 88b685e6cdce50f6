//! Reads recovery points again, all parts of them, long after they were written: storage rots, and whoever needs a point
//! wants to know before. One after the other, the one first that was not read for the longest; slowly, since stores are
//! paid by what is read, and backups come first.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use clusterbackup_api::RecoveryPoint;
use clusterbackup_api::recovery_point::{AVAILABLE, DAMAGED, PointFormat, PointState, VERIFIED};
use clusterbackup_api::{conditions, schema};
use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{PointError, PointId, Verification, verify};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use kube::runtime::reflector::Store;
use kube::{Api, ResourceExt as _};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::conditions::condition;
use super::error::{Doing as _, DriveError, OrGone as _};
use super::events::Reason;
use super::metrics::Verified;
use super::mirror;
use super::shown::shown;
use super::vault::VaultError;
use super::world::World;

/// Between two looks for a point that is due.
const PAUSE: Duration = Duration::from_secs(5);
/// A point is read again after so long.
const EVERY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The same, where it was damaged: somebody may have brought parts back.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// Before another try of one that could not be read.
const LATER: SignedDuration = SignedDuration::from_hours(1);
/// Whatever takes longer can't be read.
const LIMIT: Duration = Duration::from_hours(6);
/// How much is read within a second, on average.
const RATE: u64 = 4 * 1024 * 1024;

/// When each point could not be read, by its uid.
type Unread = BTreeMap<String, Timestamp>;

/// Why a point could not be read.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Its vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The point.
    #[error(transparent)]
    Point(#[from] PointError),
    /// Its store is too slow.
    #[error("it could not be read within {} hours", LIMIT.as_secs() / 3600)]
    Slow,
}

/// Reads points for as long as it is polled. It ends only by a failure of its own.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    let (points, events) = shown::<RecoveryPoint>(&world.client, |_| {});
    let mut events = pin!(events);
    let mut reading = pin!(read_all(&world, &points));
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(_)) => {}
                Some(Err(error)) => warn!(%error, "watching RecoveryPoints"),
                None => return Err(DriveError::Ended("the watch of RecoveryPoints")),
            },
            never = &mut reading => match never {},
        }
    }
}

async fn read_all(world: &World, points: &Store<RecoveryPoint>) -> Infallible {
    let mut unread = Unread::new();
    loop {
        let known = points.state();
        let now = Timestamp::now();
        unread.retain(|_, tried| now.duration_since(*tried) < LATER);
        let Some(point) = next(known.iter().map(AsRef::as_ref), &unread, now) else {
            sleep(PAUSE).await;
            continue;
        };
        let began = Instant::now();
        if !read(world, point).await {
            unread.insert(point.uid().unwrap_or_default(), now);
        }
        let slowly = Duration::from_secs(point.spec.stored_bytes / RATE);
        sleep(slowly.saturating_sub(began.elapsed()).max(PAUSE)).await;
    }
}

/// The point that is read next: one that never was, or else the one that is due for the longest.
fn next<'p>(
    points: impl Iterator<Item = &'p RecoveryPoint>,
    unread: &Unread,
    now: Timestamp,
) -> Option<&'p RecoveryPoint> {
    let tried = |point: &RecoveryPoint| point.uid().is_some_and(|uid| unread.contains_key(&uid));
    points
        .filter(|point| is_there(point) && !tried(point))
        .map(|point| (due(point), point))
        .filter(|(due, _)| due.is_none_or(|due| due <= now))
        .min_by_key(|(due, _)| *due)
        .map(|(_, point)| point)
}

/// Whether its vault has it, nobody has deleted it, and hashes of its parts were written down: Velero writes none.
fn is_there(point: &RecoveryPoint) -> bool {
    let state = point.status.as_ref().and_then(|status| status.state);
    point.spec.format == PointFormat::Native
        && state == Some(PointState::Available)
        && says(point, AVAILABLE, "True")
}

/// When it is to be read again; nothing for one that never was.
fn due(point: &RecoveryPoint) -> Option<Timestamp> {
    let verified = point.status.as_ref()?.verified_at.as_ref()?;
    let pause = if says(point, VERIFIED, "False") {
        AGAIN
    } else {
        EVERY
    };
    verified.0.checked_add(pause).ok()
}

fn says(point: &RecoveryPoint, type_: &str, status: &str) -> bool {
    let said = point.status.iter().flat_map(|status| &status.conditions);
    conditions::find(said, type_).is_some_and(|said| said.status == status)
}

/// Reads a point, and says what was found. False: it could not be read, and is tried again later.
async fn read(world: &World, point: &RecoveryPoint) -> bool {
    let (namespace, name) = (point.namespace().unwrap_or_default(), point.name_any());
    let found = match timeout(LIMIT, look(world, point)).await {
        Ok(found) => found,
        Err(_) => Err(Failure::Slow),
    };
    let found = match found {
        // Somebody has removed it meanwhile.
        Ok(None) => return true,
        Ok(Some(found)) => found,
        Err(error) => {
            warn!(%error, namespace, point = name, "reading a recovery point again; trying later");
            world.metrics.verified(Verified::Unread, 0);
            return false;
        }
    };
    let outcome = if found.is_good() {
        Verified::Good
    } else {
        Verified::Damaged
    };
    world.metrics.verified(outcome, found.bytes);
    info!(
        namespace,
        point = name,
        parts = found.parts,
        bytes = found.bytes,
        good = found.is_good(),
        "read a recovery point again"
    );
    if let Err(error) = say(world, &namespace, point, &found).await {
        warn!(%error, namespace, point = name, "saying what was found of a recovery point");
        return false;
    }
    true
}

/// What is found of a point; nothing where it isn't there any more.
async fn look(world: &World, point: &RecoveryPoint) -> Result<Option<Verification>, Failure> {
    let Ok(id) = PointId::new(point.name_any()) else {
        return Ok(None);
    };
    let store = world.doors.open_point(&world.client, point).await?;
    let found = verify(store.clone(), &id, None).await;
    let whole = matches!(&found, Ok(found) if found.is_good());
    // One that is removed loses its manifest first, and is not damaged.
    if !whole && matches!(catalogue::find(&store, &id).await, Ok(None)) {
        return Ok(None);
    }
    Ok(Some(found?))
}

/// Writes down what was found, of the point as it is now.
async fn say(
    world: &World,
    namespace: &str,
    point: &RecoveryPoint,
    found: &Verification,
) -> Result<(), DriveError> {
    let points = Api::<RecoveryPoint>::namespaced(world.client.clone(), namespace);
    let now = points.get_opt(&point.name_any()).await;
    let now = now.doing("read a RecoveryPoint")?;
    let Some(mut now) = now.filter(|now| now.uid() == point.uid()) else {
        return Ok(());
    };
    let news = !found.is_good() && !says(&now, VERIFIED, "False");
    let verified = if found.is_good() {
        let message = format!("its {} parts are as they were written", found.parts);
        condition(VERIFIED, "True", "AsWritten", message)
    } else {
        condition(VERIFIED, "False", DAMAGED, faults(found))
    };
    let note = verified.message.clone();
    let status = now.status.get_or_insert_default();
    status.verified_at = Some(mirror::seconds(Timestamp::now()));
    conditions::merge(&mut status.conditions, verified);
    let written = points
        .replace_status(&now.name_any(), &PostParams::default(), &now)
        .await;
    written.or_gone().doing("write the status of a RecoveryPoint")?;
    if news {
        world.events.tell(&now, Reason::PointDamaged, note).await;
    }
    Ok(())
}

/// Each thing that is damaged.
fn faults(found: &Verification) -> String {
    let mut faults: Vec<_> = found.faults.iter().map(ToString::to_string).collect();
    if found.more_faults > 0 {
        faults.push(format!("and {} more", found.more_faults));
    }
    schema::bounded(&faults.join("; ")).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn point(name: &str, available: &str, verified: Option<(&str, &str)>, state: &str) -> RecoveryPoint {
        let said = |type_: &str, status: &str| {
            json!({
                "type": type_, "status": status, "reason": "Why", "message": "",
                "lastTransitionTime": "2026-11-21T01:06:00Z",
            })
        };
        let mut status = json!({ "state": state, "conditions": [said(AVAILABLE, available)] });
        if let Some((holds, at)) = verified {
            status["verifiedAt"] = at.into();
            let conditions: &mut Value = &mut status["conditions"];
            conditions.as_array_mut().unwrap().push(said(VERIFIED, holds));
        }
        serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "RecoveryPoint",
            "metadata": { "name": name, "namespace": "home", "uid": name },
            "spec": {
                "vault": "vault", "instance": "shop", "cluster": "c", "phase": "Completed",
                "backup": { "namespace": "home", "name": "nightly", "uid": name },
                "startedAt": "2026-11-21T01:00:00.000000Z", "finishedAt": "2026-11-21T01:05:00.000000Z",
                "objects": 1, "bytes": 10, "storedBytes": 7, "volumes": 0, "encrypted": false,
            },
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn the_point_is_read_next_that_was_not_read_for_the_longest() {
        let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let never = || point("never", "True", None, "Available");
        let old = || point("old", "True", Some(("True", "2026-10-30T00:00:00Z")), "Available");
        let older = || {
            point(
                "older",
                "True",
                Some(("True", "2026-10-29T00:00:00Z")),
                "Available",
            )
        };
        let fresh = || {
            point(
                "fresh",
                "True",
                Some(("True", "2026-11-01T00:00:00Z")),
                "Available",
            )
        };
        let damaged = || {
            point(
                "damaged",
                "True",
                Some(("False", "2026-11-28T00:00:00Z")),
                "Available",
            )
        };
        let deleted = || point("deleted", "True", None, "Deleted");
        let away = || point("away", "Unknown", None, "Available");
        for (points, tried, expected) in [
            (vec![], None, None),
            (vec![fresh(), deleted(), away()], None, None),
            (vec![old(), never(), older()], None, Some("never")),
            (vec![old(), never(), older()], Some("never"), Some("older")),
            (vec![old(), older(), fresh()], None, Some("older")),
            (vec![fresh(), damaged()], None, Some("damaged")),
        ] {
            let unread = tried.map(|uid| (uid.to_owned(), now)).into_iter().collect();
            let found = next(points.iter(), &unread, now).map(RecoveryPoint::name_any);
            assert_eq!(found.as_deref(), expected, "{points:?}");
        }
    }
}
