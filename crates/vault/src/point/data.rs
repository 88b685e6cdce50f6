//! What a point has of the data of claims.

use clusterbackup_core::restore::{self, Data, NoData};
use clusterbackup_core::selection::Name;

use super::{PointError, PointReader, PointVolume};

/// Reads which snapshots there are, and why others are not there.
pub async fn data(point: &PointReader) -> Result<Data, PointError> {
    Ok(point.volumes().await?.into_iter().map(of).collect())
}

fn of(volume: PointVolume) -> (Name, Result<restore::Snapshot, NoData>) {
    let data = match (volume.snapshot, volume.skipped) {
        (Some(snapshot), _) => Ok(restore::Snapshot {
            driver: snapshot.driver,
            handle: snapshot.handle,
            size_bytes: snapshot.size_bytes,
            class: None,
        }),
        (None, Some(reason)) => Err(NoData::Skipped(reason)),
        (None, None) => Err(NoData::NotStored),
    };
    (Name::new(volume.namespace, volume.claim), data)
}
