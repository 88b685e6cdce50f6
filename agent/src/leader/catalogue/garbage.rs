//! Attempts at points that ended too early: their parts are removed when this cluster began them, and the Backup is over.
//! What another cluster began may be at work.

use std::time::Duration;

use clusterbackup_api::Backup;
use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{Begin, PointId};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::{Api, ResourceExt as _};
use tokio::time::Instant;
use tracing::{info, warn};

use super::inventory::Inventory;
use super::life::Read;
use crate::leader::error::{Doing as _, DriveError};
use crate::leader::point;

/// Between two looks for attempts: all parts of all points are listed for it.
const PAUSE: Duration = Duration::from_hours(1);
/// No leader is at work for so long on a Backup that doesn't exist.
const GONE: SignedDuration = SignedDuration::from_hours(24);

impl Read<'_> {
    /// Removes what is left of attempts, if nobody has looked for a while, unless it may still become a point. What the store
    /// refuses is tried again then.
    pub(super) async fn collect(
        &self,
        inventory: &mut Inventory,
        may_become: impl Fn(&PointId) -> bool,
    ) -> Result<(), DriveError> {
        if inventory.collected.is_some_and(|last| last.elapsed() < PAUSE) {
            return Ok(());
        }
        inventory.collected = Some(Instant::now());
        let cluster = point::cluster(&self.world.client).await?;
        let mut leftovers = catalogue::leftovers(self.store);
        while let Some(found) = leftovers.next().await {
            let leftover = match found {
                Ok(leftover) => leftover,
                Err(error) => {
                    warn!(%error, vault = self.vault.name_any(), "looking for what is left of attempts");
                    return Ok(());
                }
            };
            let ours = leftover.begin.as_ref().filter(|begin| begin.cluster == cluster);
            let ours = ours.filter(|begin| !may_become(&begin.id));
            let Some(begin) = ours else {
                continue;
            };
            if !self.is_over(begin).await? || !self.world.is_latest().await? {
                continue;
            }
            match catalogue::discard(self.store, &leftover).await {
                Ok(()) => {
                    info!(point = %leftover.id, bytes = leftover.bytes, "removed what was left of an attempt");
                }
                Err(error) => warn!(%error, point = %leftover.id, "removing what is left of an attempt"),
            }
        }
        Ok(())
    }

    /// Whether nobody works on the Backup any more. One that is gone may have been deleted just now, under a leader at work.
    async fn is_over(&self, begin: &Begin) -> Result<bool, DriveError> {
        let backups = Api::<Backup>::namespaced(self.world.client.clone(), &begin.backup.namespace);
        let found = backups.get_opt(&begin.backup.name).await;
        let found = found.doing("read the Backup of an attempt")?;
        Ok(match found.filter(|backup| is_of(backup, &begin.id)) {
            Some(backup) => backup.is_over(),
            None => Timestamp::now().duration_since(begin.started) > GONE,
        })
    }
}

fn is_of(backup: &Backup, id: &PointId) -> bool {
    backup.uid().as_deref() == Some(id.as_str())
}
