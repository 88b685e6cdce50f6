//! What a vault has, as far as that was read. A manifest never changes, so each is read once.

use std::collections::BTreeMap;

use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{Manifest, PointError, PointId};
use clusterbackup_vault::store::{Store, StoreError};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

/// How many points are read at a time.
const AT_A_TIME: usize = 8;

/// The points of a vault.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// By their names.
    pub(super) points: BTreeMap<PointId, Found>,
}

/// A point that a vault lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It can be read.
    Whole(Box<Manifest>),
    /// It can't, and why.
    Damaged(String),
}

impl Inventory {
    /// Reads what is new, and forgets what is gone. An error says that the vault could not be read to its end; then nothing
    /// has changed here.
    pub(super) async fn read(&mut self, store: &Store) -> Result<(), StoreError> {
        let names: Vec<PointId> = catalogue::names(store).try_collect().await.map_err(failure)?;
        let known = |id: &PointId| match self.points.get(id) {
            Some(found @ Found::Whole(_)) => Some(found.clone()),
            _ => None,
        };
        let read = names.into_iter().map(|id| {
            let known = known(&id);
            async move {
                let found = match known {
                    Some(known) => Some(known),
                    None => find(store, &id).await.map_err(failure)?,
                };
                Ok(found.map(|found| (id, found)))
            }
        });
        let read = stream::iter(read).buffered(AT_A_TIME);
        let points: Vec<Option<_>> = read.try_collect().await?;
        self.points = points.into_iter().flatten().collect();
        Ok(())
    }
}

/// A point; nothing where it was removed meanwhile.
async fn find(store: &Store, id: &PointId) -> Result<Option<Found>, PointError> {
    match catalogue::find(store, id).await {
        Ok(found) => Ok(found.map(|manifest| Found::Whole(Box::new(manifest)))),
        Err(error @ PointError::Store { .. }) => Err(error),
        Err(error) => Ok(Some(Found::Damaged(error.to_string()))),
    }
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
