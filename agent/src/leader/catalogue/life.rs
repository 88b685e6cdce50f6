//! What becomes of the points of a vault that are ours: decided by [`decide`], and done here. Those of another cluster, and of
//! another namespace of ours, are shown and never touched.

use std::collections::BTreeMap;

use clusterbackup_api::{BackupVault, RecoveryPoint};
use clusterbackup_core::retention::{Deletion, Entry, Fate, Step, Tier, Wanted, belongs, decide};
use clusterbackup_vault::catalogue;
use clusterbackup_vault::lifecycle::{self, Decision, PointState, Presence, Record};
use clusterbackup_vault::point::{PointError, PointId};
use clusterbackup_vault::store::Store;
use jiff::Timestamp;
use kube::ResourceExt as _;
use tracing::{info, warn};

use super::inventory::{Found, Inventory, Item};
use super::readers;
use super::snapshots::{self, Marked};
use super::terms::Instances;
use crate::leader::error::DriveError;
use crate::leader::mirror;
use crate::leader::point;
use crate::leader::world::World;

/// A tier of a vault that was read to its end.
pub(super) struct Read<'a> {
    pub(super) world: &'a World,
    pub(super) vault: &'a BackupVault,
    pub(super) tier: Tier,
    pub(super) store: &'a Store,
    /// What the cluster shows of it.
    pub(super) mirrors: &'a [RecoveryPoint],
}

/// Why something could not be done with a point.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The vault.
    #[error(transparent)]
    Point(#[from] PointError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] DriveError),
}

impl Read<'_> {
    /// Does with each point what is due. Of the operational tier, `copies` is what the vault tier has, where there is one.
    pub(super) async fn live(
        &self,
        instances: &Instances,
        inventory: &mut Inventory,
        copies: Option<&Inventory>,
    ) -> Result<(), DriveError> {
        let cluster = point::cluster(&self.world.client).await?;
        self.disown(&cluster, inventory).await?;
        let (vault, wanted) = (self.vault.name_any(), self.wanted());
        let readers = readers::of(self.world, self.vault).await?;
        for (instance, ids) in self.ours(&cluster, inventory) {
            let now = Timestamp::now();
            let terms = instances.of(&instance, self.tier);
            let of_copies = instances.of(&instance, Tier::Vault).rules.as_ref();
            let mut entries = Vec::new();
            for id in &ids {
                let Some(Found::Whole(item)) = inventory.points.get_mut(id) else {
                    continue;
                };
                let mut entry = entry(&vault, item, wanted.get(id).copied());
                entry.awaited = copies.zip(of_copies).is_some_and(|(copies, rules)| {
                    !copies.points.contains_key(id) && belongs(&entry, terms.protection, rules, now)
                });
                item.awaited = entry.awaited;
                entry.reader = readers.get(id).cloned();
                entries.push(entry);
            }
            let fates = decide(&entries, terms, now);
            for (entry, (id, fate)) in entries.iter().zip(ids.into_iter().zip(fates)) {
                self.fulfil(inventory, &id, entry, fate).await?;
            }
        }
        if self.tier == Tier::Vault {
            return Ok(());
        }
        let uid = self.vault.uid().unwrap_or_default();
        let there = |id: &PointId| inventory.points.contains_key(id);
        inventory.purging = snapshots::remove_marked(self.world, &uid, there).await?;
        Ok(())
    }

    /// The points that this cluster made or adopted for this namespace, by their instances.
    fn ours(&self, cluster: &str, inventory: &mut Inventory) -> BTreeMap<String, Vec<PointId>> {
        let namespace = self.vault.namespace().unwrap_or_default();
        let mut ours = BTreeMap::<_, Vec<_>>::new();
        for (id, found) in &mut inventory.points {
            let Found::Whole(item) = found else {
                continue;
            };
            let owner = item.owner();
            let whose = if owner.cluster == cluster && owner.namespace == namespace {
                if item.promised {
                    let instance = item.manifest.begin.instance.clone();
                    ours.entry(instance).or_default().push(id.clone());
                }
                continue;
            } else if owner.cluster == cluster {
                "a Backup of another namespace made it"
            } else if item.state.adopted_by.is_some() {
                "another cluster has adopted it"
            } else {
                "another cluster made it"
            };
            item.kept_because = Some(format!("{whose}: here it can only be read"));
        }
        ours
    }

    fn wanted(&self) -> BTreeMap<PointId, Wanted> {
        let asked = self
            .mirrors
            .iter()
            .filter_map(|mirror| Some((PointId::new(mirror.name_any()).ok()?, mirror.spec.wanted?)));
        asked.collect()
    }

    /// Does what is due with one point, and notes what is to be said of it. What the vault refuses is said, too.
    async fn fulfil(
        &self,
        inventory: &mut Inventory,
        id: &PointId,
        entry: &Entry,
        fate: Fate,
    ) -> Result<(), DriveError> {
        let Some(Found::Whole(item)) = inventory.points.get_mut(id) else {
            return Ok(());
        };
        item.expires_at = fate.expires_at;
        item.kept_because = fate.kept_because;
        if fate.step == Step::Stay {
            return Ok(());
        }
        if !self.world.is_latest().await? {
            return Err(DriveError::Superseded);
        }
        let taken = self.take(item, entry, fate.step).await;
        if !matches!(taken, Ok(false)) {
            // Also a purge that failed may have removed the manifest.
            inventory.purged.insert(id.clone());
        }
        match taken {
            Ok(true) => drop(inventory.points.remove(id)),
            Ok(false) => {}
            Err(Failure::Point(error)) if !error.is_transient() => {
                item.kept_because = Some(error.to_string());
            }
            Err(error) => warn!(%error, point = %id, "deciding about a recovery point; trying again"),
        }
        Ok(())
    }

    /// Takes a step, and says whether the point is purged.
    async fn take(&self, item: &mut Item, entry: &Entry, step: Step) -> Result<bool, Failure> {
        let decision = match step {
            Step::Stay => return Ok(false),
            Step::Purge => return self.purge(item).await,
            Step::Delete { purge_after } => Decision::Delete {
                purge_after,
                named: entry.wanted == Some(Wanted::Deleted),
            },
            Step::Undelete => Decision::Undelete,
            Step::Extend { until } => Decision::Extend { until },
        };
        let record = Record {
            time: Timestamp::now(),
            by: self.by(item, entry),
            decision,
        };
        let id = &item.manifest.begin.id;
        info!(point = %id, by = record.by, ?step, "decided about a recovery point");
        let before = item.state.clone();
        let due = |state: &PointState| (*state == before).then(|| record.clone());
        item.state = lifecycle::record(self.store, id, due).await?;
        if item.state.may_be_purged(Timestamp::now()) {
            return self.purge(item).await;
        }
        Ok(false)
    }

    /// Removes a point: first the vault's, so that nobody takes it for whole, then its snapshots. These go with the operational
    /// tier, which they belong to.
    pub(super) async fn purge(&self, item: &mut Item) -> Result<bool, Failure> {
        let uid = self.vault.uid().unwrap_or_default();
        if self.tier == Tier::Operational
            && let Marked::InUse(by) = snapshots::mark(&self.world.client, &uid, &item.manifest).await?
        {
            item.kept_because = Some(format!("{by} uses a snapshot of it"));
            return Ok(false);
        }
        let id = &item.manifest.begin.id;
        if lifecycle::state(self.store, id).await? != item.state {
            // Somebody has decided otherwise since: the next look sees what.
            return Ok(false);
        }
        info!(point = %id, "removing a recovery point");
        catalogue::remove(self.store, &item.manifest).await?;
        Ok(true)
    }

    /// By whom a decision is.
    fn by(&self, item: &Item, entry: &Entry) -> String {
        let namespace = self.vault.namespace().unwrap_or_default();
        let begin = &item.manifest.begin;
        match entry.wanted {
            Some(_) => format!("RecoveryPoint {namespace}/{}", begin.id),
            None => format!("BackupInstance {namespace}/{}", begin.instance),
        }
    }
}

fn entry(vault: &str, item: &Item, wanted: Option<Wanted>) -> Entry {
    let deletion = match item.state.presence {
        Presence::Present => None,
        Presence::Deleted { purge_after, named } => Some(Deletion { purge_after, named }),
    };
    Entry {
        point: mirror::spec(vault, &item.manifest).judged(),
        deletion,
        kept_until: item.state.kept_until,
        wanted,
        awaited: false,
        reader: None,
    }
}
