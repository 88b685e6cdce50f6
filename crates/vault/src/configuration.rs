//! What the system was set up with, as a vault carries it: `configuration/<cluster>/<namespace>/<n>.json`, encrypted where the
//! vault has recipients. Numbered from 1, each written once; the highest counts, and the oldest are removed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use clusterbackup_core::configuration::Configuration;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::point::{PointError, document, reader};
use crate::seal::{Identity, Seal};
use crate::store::{Key, Put, Store, StoreError};

/// All of it lies below.
const FOLDER: &str = "configuration";
/// What is encrypted ends so.
const SEALED: &str = ".age";
/// So many are kept.
const KEPT: usize = 10;
/// Tries to be the first with a number.
const TRIES: u32 = 5;

/// Whose configuration it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Owner {
    /// The cluster, by the uid of its namespace kube-system.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
}

/// One that a vault has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Whose it is.
    pub owner: Owner,
    /// Which of its owner.
    pub number: NonZeroU32,
    /// Whether it is encrypted.
    pub sealed: bool,
}

/// What stands in the file: it says where it belongs, so that it can't stand for another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Snapshot {
    /// Whose it is.
    #[serde(flatten)]
    pub owner: Owner,
    /// Which of its owner.
    pub number: NonZeroU32,
    /// When it was written.
    pub time: Timestamp,
    /// What the system was set up with then.
    pub configuration: Configuration,
}

/// The newest of each owner.
pub async fn list(store: &Store) -> Result<Vec<Saved>, PointError> {
    let mut newest = BTreeMap::<Owner, Saved>::new();
    for saved in all(store, &Key::new(FOLDER)?).await? {
        let known = newest.get(&saved.owner).map(|known| known.number);
        if known < Some(saved.number) {
            newest.insert(saved.owner.clone(), saved);
        }
    }
    Ok(newest.into_values().collect())
}

/// Reads one. What is encrypted needs the private key.
pub async fn load(store: &Store, saved: &Saved, identity: Option<&Identity>) -> Result<Snapshot, PointError> {
    let key = saved.key()?;
    let stored = document::bytes(store, &key).await?;
    let snapshot: Snapshot = match identity {
        _ if !saved.sealed => document::read(&key, &stored)?,
        Some(identity) => {
            let content = reader::open(&key, stored, Some(identity))?;
            document::read(&key, &reader::read_to_end(&key, content, document::LARGEST)?)?
        }
        None => return Err(PointError::SealedPart(key)),
    };
    if snapshot.owner == saved.owner && snapshot.number == saved.number {
        Ok(snapshot)
    } else {
        Err(PointError::unreadable(&key, "it is another configuration"))
    }
}

/// Writes one, and removes the oldest ones of its owner.
pub async fn save(
    store: &Store,
    seal: &Seal,
    owner: &Owner,
    configuration: &Configuration,
    time: Timestamp,
) -> Result<NonZeroU32, PointError> {
    let before = all(store, &owner.folder()?).await?;
    let highest = before.iter().map(|saved| saved.number.get()).max().unwrap_or(0);
    for number in (1..=TRIES).filter_map(|step| NonZeroU32::new(highest.checked_add(step)?)) {
        let saved = Saved {
            owner: owner.clone(),
            number,
            sealed: *seal != Seal::Clear,
        };
        let snapshot = Snapshot {
            owner: owner.clone(),
            number,
            time,
            configuration: configuration.clone(),
        };
        if put(store, seal, &saved, &snapshot).await? == Put::Stored {
            prune(store, before).await?;
            return Ok(number);
        }
    }
    Err(PointError::make(
        &owner.folder()?,
        "others always came first: try again",
    ))
}

async fn put(store: &Store, seal: &Seal, saved: &Saved, snapshot: &Snapshot) -> Result<Put, PointError> {
    let key = saved.key()?;
    let body = document::write(&key, snapshot)?;
    let body = seal
        .close(body.to_vec())
        .map_err(|error| PointError::make(&key, error))?;
    let put = store.put_if_absent(&key, body.into()).await;
    put.map_err(|source| PointError::store(&key, source))
}

/// Removes those beyond what is kept. What a store keeps stays.
async fn prune(store: &Store, mut before: Vec<Saved>) -> Result<(), PointError> {
    before.sort_by_key(|saved| saved.number);
    let superfluous = (before.len() + 1).saturating_sub(KEPT);
    for saved in before.iter().take(superfluous) {
        let key = saved.key()?;
        match store.delete(&key).await {
            Ok(()) | Err(StoreError::Immutable { .. }) => {}
            Err(source) => return Err(PointError::store(&key, source)),
        }
    }
    Ok(())
}

async fn all(store: &Store, folder: &Key) -> Result<Vec<Saved>, PointError> {
    let blobs = store.list(Some(folder));
    let saved = blobs.try_filter_map(async |blob| Ok(Saved::of(&blob.key)));
    saved
        .try_collect()
        .await
        .map_err(|source| PointError::store(folder, source))
}

impl Owner {
    fn folder(&self) -> Result<Key, PointError> {
        Ok(Key::new(format!("{FOLDER}/{}/{}", self.cluster, self.namespace))?)
    }
}

impl Saved {
    fn key(&self) -> Result<Key, PointError> {
        let sealed = if self.sealed { SEALED } else { "" };
        let folder = self.owner.folder()?;
        Ok(Key::new(format!("{folder}/{}.json{sealed}", self.number))?)
    }

    /// What a key names; other files are none of ours.
    fn of(key: &Key) -> Option<Self> {
        let mut segments = key.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?.split('/');
        let (cluster, namespace, file) = (segments.next()?, segments.next()?, segments.next()?);
        let name = file.strip_suffix(SEALED);
        let number = name.unwrap_or(file).strip_suffix(".json")?.parse().ok()?;
        let saved = Self {
            owner: Owner {
                cluster: cluster.to_owned(),
                namespace: namespace.to_owned(),
            },
            number,
            sealed: name.is_some(),
        };
        // Back to text: a number has many spellings, a file only one.
        saved.key().is_ok_and(|named| named == *key).then_some(saved)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::point::{Damage, sample};

    fn owner(namespace: &str) -> Owner {
        Owner {
            cluster: "c1".to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    fn configuration(vault: &str) -> Configuration {
        let vault = json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "BackupVault",
            "metadata": { "name": vault, "namespace": "shop" },
        });
        Configuration::of([vault], [])
    }

    async fn write(store: &Store, seal: &Seal, namespace: &str, vault: &str) -> u32 {
        let time = Timestamp::UNIX_EPOCH;
        let saved = save(store, seal, &owner(namespace), &configuration(vault), time).await;
        saved.unwrap().get()
    }

    #[tokio::test]
    async fn the_newest_of_each_namespace_counts_and_few_are_kept() {
        let store = sample::store();
        for number in 1..=12 {
            let vault = format!("vault-{number}");
            assert_eq!(write(&store, &Seal::Clear, "shop", &vault).await, number);
        }
        write(&store, &Seal::Clear, "web", "vault").await;
        let listed = list(&store).await.unwrap();
        let numbers: Vec<_> = listed
            .iter()
            .map(|saved| (saved.owner.namespace.as_str(), saved.number.get()))
            .collect();
        assert_eq!(numbers, [("shop", 12), ("web", 1)]);
        let newest = load(&store, &listed[0], None).await.unwrap();
        assert_eq!(newest.configuration, configuration("vault-12"));
        let kept = all(&store, &owner("shop").folder().unwrap()).await.unwrap();
        assert_eq!(kept.len(), KEPT);
    }

    #[tokio::test]
    async fn what_is_sealed_is_read_with_the_key_alone() {
        let (store, identity) = (sample::store(), Identity::generate());
        let seal = Seal::to(vec![identity.recipient()]);
        write(&store, &seal, "shop", "canary").await;
        let listed = list(&store).await.unwrap();
        let key = listed[0].key().unwrap();
        assert_eq!(key.as_str(), "configuration/c1/shop/1.json.age");
        let stored = store.get_range(&key, 0..u64::MAX).await.unwrap();
        assert!(!stored.windows(6).any(|bytes| bytes == b"canary"));
        assert_eq!(
            load(&store, &listed[0], None).await,
            Err(PointError::SealedPart(key.clone()))
        );
        let other = load(&store, &listed[0], Some(&Identity::generate())).await;
        assert!(
            matches!(other, Err(PointError::WrongIdentity { .. })),
            "{other:?}"
        );
        let read = load(&store, &listed[0], Some(&identity)).await.unwrap();
        assert_eq!(read.configuration, configuration("canary"));
    }

    #[tokio::test]
    async fn one_that_is_changed_or_moved_is_found() {
        let store = sample::store();
        write(&store, &Seal::Clear, "shop", "vault").await;
        let saved = list(&store).await.unwrap().remove(0);
        let key = saved.key().unwrap();
        let whole = store.get_range(&key, 0..u64::MAX).await.unwrap();
        let moved = Saved {
            owner: owner("web"),
            ..saved.clone()
        };
        store.put(&moved.key().unwrap(), whole.clone()).await.unwrap();
        let damaged = |read: Result<Snapshot, PointError>| {
            matches!(
                read,
                Err(PointError::Damaged {
                    damage: Damage::Unreadable(_) | Damage::Hash,
                    ..
                })
            )
        };
        assert!(damaged(load(&store, &moved, None).await));
        let mut changed = whole.to_vec();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        store.put(&key, changed.into()).await.unwrap();
        assert!(damaged(load(&store, &saved, None).await));
    }

    #[tokio::test]
    async fn other_files_are_none() {
        let store = sample::store();
        for name in [
            "configuration/c1/shop/01.json",
            "configuration/notes.txt",
            "configuration/c1/shop/x/1.json",
        ] {
            store.put(&Key::new(name).unwrap(), "mine".into()).await.unwrap();
        }
        assert_eq!(list(&store).await, Ok(Vec::new()));
    }
}
