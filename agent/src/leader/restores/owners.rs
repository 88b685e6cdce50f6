//! Owner references, linked when everything is there: to owners that this restore has created, and to no others.

use std::collections::BTreeMap;

use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{Outcome, Owner, links};
use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::stand_in::{Place, StandIn};

/// Objects that are linked at a time.
const AT_ONCE: usize = 16;
/// An object that others write all the time is given up.
const ATTEMPTS: u32 = 5;

/// An object that had owners.
pub(super) struct Owned {
    /// Which.
    pub(super) target: ObjectId,
    /// Where it is.
    pub(super) place: Place,
    /// The owners that it had.
    pub(super) owners: Vec<Owner>,
}

/// Links them; `uids` are those of what was created, by the ones in the backup. What can't be linked is told of.
pub(super) async fn link(
    stand_in: &StandIn,
    progress: &Progress,
    stop: &CancellationToken,
    uids: &BTreeMap<String, String>,
    owned: Vec<Owned>,
) {
    stream::iter(owned)
        .take_until(stop.cancelled())
        .for_each_concurrent(AT_ONCE, async |object| {
            if let Err(error) = link_one(stand_in, uids, &object).await {
                let reason = format!("it is created, but its owners could not be linked: {error}");
                progress.warn(&object.target, Outcome::Created, &reason);
            }
        })
        .await;
}

async fn link_one(stand_in: &StandIn, uids: &BTreeMap<String, String>, object: &Owned) -> kube::Result<()> {
    let mut attempts = 1;
    loop {
        let Some(live) = stand_in.get(&object.place).await? else {
            return Ok(());
        };
        let Some(patch) = links(&object.owners, uids, &live) else {
            return Ok(());
        };
        match stand_in.merge(&object.place, &patch).await {
            Err(kube::Error::Api(status)) if status.is_conflict() && attempts < ATTEMPTS => attempts += 1,
            done => return done,
        }
    }
}
