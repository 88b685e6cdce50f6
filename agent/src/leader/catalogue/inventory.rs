//! What a vault has, as far as that was read. A manifest never changes, and records are only added: so each is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use clusterbackup_api::recovery_point::{PointInTier, PointState, RecoveryPointStatus, Tier, Wanted};
use clusterbackup_api::schema;
use clusterbackup_vault::catalogue;
use clusterbackup_vault::lifecycle::{self, Owner, Presence};
use clusterbackup_vault::point::{Manifest, PointError, PointId};
use clusterbackup_vault::store::{Store, StoreError};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::time::Instant;

use crate::leader::mirror::seconds;

/// How many points are read at a time.
const AT_A_TIME: usize = 8;

/// The points of a vault.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// By their names.
    pub(super) points: BTreeMap<PointId, Found>,
    /// What we have purged, or tried to.
    pub(super) purged: BTreeSet<PointId>,
    /// Purged points with snapshots that are still there.
    pub(super) purging: BTreeSet<PointId>,
    /// When it was last read to its end; nothing when that failed since.
    pub(super) read: Option<Timestamp>,
    /// When somebody last looked for what is left of attempts.
    pub(super) collected: Option<Instant>,
}

/// A point that a vault lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It can be read.
    Whole(Box<Item>),
    /// It can't, and why.
    Damaged(String),
}

/// A point, and what was decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is.
    pub(super) manifest: Manifest,
    /// Where it stands.
    pub(super) state: lifecycle::PointState,
    /// The last record that is in that.
    pub(super) last: Option<NonZeroU32>,
    /// Whether its Backup can't end without it any more.
    pub(super) promised: bool,
    /// When its policy deletes it, as far as time alone decides.
    pub(super) expires_at: Option<Timestamp>,
    /// Why it stays, where that is not just its time.
    pub(super) kept_because: Option<String>,
    /// Whether it is to be copied into the vault tier.
    pub(super) awaited: bool,
}

impl Inventory {
    /// Reads what is new, and forgets what is gone. An error says that the vault could not be read to its end; then nothing
    /// has changed here.
    pub(super) async fn read(&mut self, store: &Store) -> Result<(), StoreError> {
        let begun = Timestamp::now();
        // Before the names: what is removed in between is not taken for undecided.
        let last = lifecycle::last(store).await.map_err(failure)?;
        let names: Vec<PointId> = catalogue::names(store).try_collect().await.map_err(failure)?;
        let read = names.into_iter().map(|id| {
            let (known, last) = (self.points.get(&id).cloned(), last.get(&id).copied());
            async move {
                let found = find(store, &id, known, last).await.map_err(failure)?;
                Ok(found.map(|found| (id, found)))
            }
        });
        let read: Vec<_> = stream::iter(read).buffered(AT_A_TIME).try_collect().await?;
        self.points = read.into_iter().flatten().collect();
        self.read = Some(begun);
        Ok(())
    }

    /// The points that can be read.
    pub(super) fn whole(&self) -> impl Iterator<Item = &Item> {
        self.points.values().filter_map(|found| match found {
            Found::Whole(item) => Some(&**item),
            Found::Damaged(_) => None,
        })
    }

    /// Says why nothing becomes of any point.
    pub(super) fn keep_all(&mut self, because: &str) {
        for found in self.points.values_mut() {
            if let Found::Whole(item) = found {
                item.expires_at = None;
                item.kept_because = Some(because.to_owned());
            }
        }
    }
}

impl Item {
    /// What its vault knows to be asked of it.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let named = matches!(self.state.presence, Presence::Deleted { named: true, .. });
        named.then_some(Wanted::Deleted)
    }

    /// Who decides about it.
    pub(super) fn owner(&self) -> Owner {
        let begin = &self.manifest.begin;
        let adopted_by = self.state.adopted_by.clone();
        adopted_by.unwrap_or_else(|| Owner {
            cluster: begin.cluster.clone(),
            namespace: begin.backup.namespace.clone(),
        })
    }

    /// What is said in the cluster of a point that is in these tiers: of the first where it isn't deleted.
    pub(super) fn status(in_tiers: &[(Tier, &Self)]) -> RecoveryPointStatus {
        let present = |(_, item): &&(Tier, &Self)| item.state.presence == Presence::Present;
        let Some((_, first)) = in_tiers.iter().find(present).or_else(|| in_tiers.first()) else {
            return RecoveryPointStatus::default();
        };
        let (state, purge_after) = first.presence();
        // Who asks for a deletion means all tiers.
        let kept_until = in_tiers
            .iter()
            .filter_map(|(_, item)| item.state.kept_until)
            .max();
        RecoveryPointStatus {
            state: Some(state),
            purge_after,
            expires_at: first.expires_at.map(seconds),
            kept_until: kept_until.map(seconds),
            kept_because: first.kept_because(),
            tiers: in_tiers.iter().map(|(tier, item)| item.in_tier(*tier)).collect(),
            adopted_by: first.state.adopted_by.as_ref().map(|owner| owner.cluster.clone()),
            ..RecoveryPointStatus::default()
        }
    }

    fn in_tier(&self, tier: Tier) -> PointInTier {
        PointInTier {
            tier,
            state: self.presence().0,
            expires_at: self.expires_at.map(seconds),
            kept_because: self.kept_because(),
        }
    }

    fn presence(&self) -> (PointState, Option<Time>) {
        match self.state.presence {
            Presence::Present => (PointState::Available, None),
            Presence::Deleted { purge_after, .. } => (PointState::Deleted, Some(seconds(purge_after))),
        }
    }

    fn kept_because(&self) -> Option<String> {
        let why = self.kept_because.as_deref();
        why.map(|why| schema::bounded(why).into_owned())
    }
}

/// A point; nothing where it was removed meanwhile.
async fn find(
    store: &Store,
    id: &PointId,
    known: Option<Found>,
    last: Option<NonZeroU32>,
) -> Result<Option<Found>, PointError> {
    let known = match known {
        Some(Found::Whole(item)) if item.last == last => return Ok(Some(Found::Whole(item))),
        Some(Found::Whole(item)) => Some(item.manifest),
        _ => None,
    };
    match load(store, id, known, last).await {
        Ok(item) => Ok(item.map(|item| Found::Whole(Box::new(item)))),
        Err(error @ PointError::Store { .. }) => Err(error),
        Err(error) => Ok(Some(Found::Damaged(error.to_string()))),
    }
}

async fn load(
    store: &Store,
    id: &PointId,
    known: Option<Manifest>,
    last: Option<NonZeroU32>,
) -> Result<Option<Item>, PointError> {
    let manifest = match known {
        Some(manifest) => Some(manifest),
        None => catalogue::find(store, id).await?,
    };
    let Some(manifest) = manifest else {
        return Ok(None);
    };
    let state = match last {
        Some(_) => lifecycle::state(store, id).await?,
        None => lifecycle::PointState::default(),
    };
    Ok(Some(Item {
        manifest,
        state,
        last,
        promised: false,
        expires_at: None,
        kept_because: None,
        awaited: false,
    }))
}

fn failure(error: PointError) -> StoreError {
    match error {
        PointError::Store { source, .. } => source,
        other => StoreError::Other {
            message: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clusterbackup_vault::point::{Attempt, BackupName, Begin, PointPhase, PointResult, PointWriter};
    use clusterbackup_vault::seal::Seal;
    use clusterbackup_vault::store::{Key, MemoryStore};

    use super::*;

    async fn write(store: &Store, number: u8) -> PointId {
        let id = PointId::new(format!("0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5{number}")).unwrap();
        let begin = Begin {
            id: id.clone(),
            attempt: Attempt::new("a").unwrap(),
            cluster: "c".to_owned(),
            backup: BackupName {
                namespace: "shop".to_owned(),
                name: "nightly".to_owned(),
            },
            instance: "shop".to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
        };
        let writer = PointWriter::begin(store.clone(), begin, Seal::Clear)
            .await
            .unwrap();
        let result = PointResult {
            finished: jiff::Timestamp::UNIX_EPOCH,
            phase: PointPhase::Completed,
            unread: [].into(),
            inconsistent: [].into(),
            volumes: Vec::new(),
            first_of: [].into(),
        };
        writer.commit(result).await.unwrap();
        id
    }

    #[tokio::test]
    async fn a_manifest_is_read_once_and_forgotten_when_it_is_gone() {
        let store: Store = Arc::new(MemoryStore::new());
        let mut ids = Vec::new();
        for number in 0..3 {
            ids.push(write(&store, number).await);
        }
        let key = |id: &PointId| Key::new(format!("catalogue/{id}.json")).unwrap();
        let mut inventory = Inventory::default();
        inventory.read(&store).await.unwrap();
        store.put(&key(&ids[0]), "{}".into()).await.unwrap();
        store.delete(&key(&ids[1])).await.unwrap();
        inventory.read(&store).await.unwrap();
        assert_eq!(inventory.points.keys().collect::<Vec<_>>(), [&ids[0], &ids[2]]);
        assert!(
            inventory
                .points
                .values()
                .all(|found| matches!(found, Found::Whole(_)))
        );

        let mut later = Inventory::default();
        later.read(&store).await.unwrap();
        let whole: Vec<_> = later
            .points
            .values()
            .map(|found| matches!(found, Found::Whole(_)))
            .collect();
        assert_eq!(whole, [false, true]);
    }
}
