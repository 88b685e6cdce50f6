//! Attempts at points that ended too early, or too late: what this cluster began is removed when its Backup is over without it.
//! What another cluster began may be at work.

use std::time::Duration;

use clusterbackup_api::Backup;
use clusterbackup_api::backup_vault::{Location, Place};
use clusterbackup_core::retention::{Maker, Promise, promise};
use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{Begin, PointId};
use clusterbackup_vault::store::FileStore;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::{Api, ResourceExt as _};
use tokio::time::Instant;
use tracing::{info, warn};

use super::inventory::{Found, Inventory};
use super::life::Read;
use crate::leader::error::{Doing as _, DriveError};
use crate::leader::point;

/// Between two looks for attempts: all parts of all points are listed for it.
const PAUSE: Duration = Duration::from_hours(1);
/// No leader is at work for so long on a Backup that doesn't exist.
const GONE: SignedDuration = SignedDuration::from_hours(24);

/// No file is written for so long.
const OLD: Duration = Duration::from_hours(24);

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
        self.sweep().await;
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

    /// Removes files that a crash left in a folder before they had names.
    async fn sweep(&self) {
        let Some(Place::FileSystem(folder)) = self.vault.spec.location(self.tier).and_then(Location::place)
        else {
            return;
        };
        match FileStore::new(&folder.path).remove_unfinished(OLD).await {
            Ok(0) => {}
            Ok(files) => info!(
                vault = self.vault.name_any(),
                files, "removed files that a crash had left"
            ),
            Err(error) => warn!(%error, vault = self.vault.name_any(), "looking for files that a crash left"),
        }
    }

    /// Removes points that nobody was promised: their Backups ended without them. Until they are gone, nobody is shown them.
    pub(super) async fn disown(&self, cluster: &str, inventory: &mut Inventory) -> Result<(), DriveError> {
        let mut unpromised = Vec::new();
        for (id, found) in &mut inventory.points {
            let Found::Whole(item) = found else {
                continue;
            };
            if item.promised || item.owner().cluster != cluster {
                continue;
            }
            if item.state.adopted_by.is_some() {
                // Nobody adopts what isn't one.
                item.promised = true;
                continue;
            }
            let begin = &item.manifest.begin;
            match promise(self.backup_of(begin).await?.as_ref().map(maker)) {
                Promise::Given => item.promised = true,
                Promise::Open => {}
                Promise::Never => unpromised.push(id.clone()),
            }
        }
        for id in unpromised {
            if !self.world.is_latest().await? {
                return Err(DriveError::Superseded);
            }
            let Some(Found::Whole(mut item)) = inventory.points.remove(&id) else {
                continue;
            };
            if let Err(error) = self.purge(&mut item).await {
                warn!(%error, point = %id, "removing a point without which its Backup ended; trying again");
            }
            inventory.purged.insert(id);
        }
        Ok(())
    }

    /// Whether nobody works on the Backup any more. One that is gone may have been deleted just now, under a leader at work.
    async fn is_over(&self, begin: &Begin) -> Result<bool, DriveError> {
        Ok(match self.backup_of(begin).await? {
            Some(backup) => backup.is_over(),
            None => Timestamp::now().duration_since(begin.started) > GONE,
        })
    }

    /// The Backup that began it, if it is still there.
    async fn backup_of(&self, begin: &Begin) -> Result<Option<Backup>, DriveError> {
        let backups = Api::<Backup>::namespaced(self.world.client.clone(), &begin.backup.namespace);
        let found = backups.get_opt(&begin.backup.name).await;
        let found = found.doing("read the Backup of an attempt")?;
        Ok(found.filter(|backup| backup.uid().as_deref() == Some(begin.id.as_str())))
    }
}

fn maker(backup: &Backup) -> Maker {
    let named = backup
        .status
        .as_ref()
        .and_then(|status| status.recovery_point.as_ref());
    Maker {
        phase: backup.phase(),
        names_it: named.is_some(),
    }
}
