//! The data of volumes: what of it there is for a restore, and the snapshots that claims are made from.
//!
//! - `filling`: what a claim is made from, brought before it
//! - `helpers`: removed again, when the claim has its volume or nobody creates it any more

mod filling;
mod helpers;

use clusterbackup_core::restore::{Data, NoData};
use clusterbackup_vault::point::{PointReader, data};

use super::source;
use crate::leader::plan::classes;
use crate::leader::point_failure::PointFailure;
use crate::leader::reach::Reachable;
use crate::leader::world::World;

pub(super) use self::filling::Sources;
pub(super) use self::helpers::Helpers;

/// What there is of the data of the point, as far as this cluster's drivers keep it.
pub(super) async fn known(world: &World, reader: &PointReader) -> Result<Data, PointFailure> {
    let mut known = data(reader).await?;
    if known.values().all(Result::is_err) {
        return Ok(known);
    }
    let foreign = source::is_foreign(world, reader.manifest()).await?;
    let classes = classes(&world.client).await?;
    for data in known.values_mut() {
        let Ok(snapshot) = data else { continue };
        match &classes {
            _ if foreign => *data = Err(NoData::OfOtherCluster),
            None => *data = Err(NoData::NoSnapshots),
            // A class only says how the driver is asked, and many drivers want none.
            Some(classes) => {
                snapshot.class = classes.of(&snapshot.driver).ok().map(|class| class.name.clone());
            }
        }
    }
    Ok(known)
}

/// Takes out what the requester may not read.
pub(super) fn withhold(known: &mut Data, reachable: &Reachable) {
    for (claim, data) in known {
        if data.is_ok() && !reachable.allows_data(&claim.namespace) {
            *data = Err(NoData::NotAllowed);
        }
    }
}
