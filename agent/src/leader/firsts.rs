//! Of which day, week, month and year a new point is the first complete one of its instance, by the calendar of the policy.
//! It is noted with the point: found anew, it would change whenever an earlier point goes.

use std::collections::BTreeSet;

use clusterbackup_api::{BackupInstance, BackupPolicy};
use clusterbackup_core::retention::{Period, first_of};
use clusterbackup_core::zone::Zone;
use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{Begin, Manifest, PointError, PointPhase};
use clusterbackup_vault::store::Store;
use futures::stream::StreamExt as _;
use jiff::Timestamp;
use kube::{Api, Client, ResourceExt as _};

use super::error::{Doing as _, DriveError};
use super::point_failure::PointFailure;

/// The periods that a complete point, which has begun so, is the first of.
pub(super) async fn of(
    client: &Client,
    store: &Store,
    begun: &Begin,
    instance: &BackupInstance,
) -> Result<BTreeSet<Period>, PointFailure> {
    let zone = zone(client, instance).await?;
    let mut previous: Option<Timestamp> = None;
    let mut points = catalogue::list(store);
    while let Some(found) = points.next().await {
        let Manifest { begin, phase, .. } = match found {
            Ok(manifest) => manifest,
            Err(error @ PointError::Store { .. }) => return Err(error.into()),
            // A damaged one is no good point.
            Err(_) => continue,
        };
        let same = begin.cluster == begun.cluster
            && begin.backup.namespace == begun.backup.namespace
            && begin.instance == begun.instance;
        if same && phase == PointPhase::Completed && begin.started < begun.started {
            previous = previous.max(Some(begin.started));
        }
    }
    Ok(first_of(begun.started, previous, &zone))
}

/// By whose clock days begin: UTC where no policy says.
async fn zone(client: &Client, instance: &BackupInstance) -> Result<Zone, DriveError> {
    let Some(policy) = &instance.spec.policy else {
        return Ok(Zone::UTC);
    };
    let namespace = instance.namespace().unwrap_or_default();
    let policies = Api::<BackupPolicy>::namespaced(client.clone(), &namespace);
    let found = policies.get_opt(policy).await;
    let found = found.doing(format!("read BackupPolicy {namespace}/{policy}"))?;
    Ok(found
        .and_then(|policy| policy.spec.zone().ok())
        .unwrap_or(Zone::UTC))
}
