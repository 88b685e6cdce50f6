//! What became of each object of a restore, as the vault of its point keeps it: JSON lines in numbered parts,
//! `restores/<point>/<restore>/<n>.ndjson.zst`, encrypted where the vault has recipients. Numbered from 1, each written once
//! and readable by itself: what a leader wrote before it died stays, and the next one goes on behind it. They go with the
//! point.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::point::lines::{self, Lines};
use crate::point::part::LARGEST;
use crate::point::{Damage, PointError, PointId, reader};
use crate::seal::{Identity, Seal};
use crate::store::{Key, Put, Store};

/// All of it lies below.
const FOLDER: &str = "restores";
/// What is encrypted ends so.
const SEALED: &str = ".age";
/// Tries to be the first with a number: another leader may not know yet that it leads no longer.
const TRIES: u32 = 5;

/// Whose report it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ReportId {
    point: PointId,
    /// A uid is written as that of a point is.
    restore: PointId,
}

/// The first line of a part: where it belongs, so that it can't stand for another.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Head {
    #[serde(flatten)]
    of: ReportId,
    part: NonZeroU32,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    number: NonZeroU32,
    sealed: bool,
}

/// Writes a report, part by part.
#[derive(Debug)]
pub struct ReportWriter {
    store: Store,
    seal: Seal,
    id: ReportId,
    last: u32,
}

impl ReportId {
    /// The report of the restore with this uid, of this point.
    pub const fn new(point: PointId, restore: PointId) -> Self {
        Self { point, restore }
    }

    /// Where it lies.
    pub fn folder(&self) -> Result<Key, PointError> {
        Ok(Key::new(format!("{FOLDER}/{}/{}", self.point, self.restore))?)
    }

    fn key(&self, part: &Part) -> Result<Key, PointError> {
        let sealed = if part.sealed { SEALED } else { "" };
        let folder = self.folder()?;
        Ok(Key::new(format!("{folder}/{}.ndjson.zst{sealed}", part.number))?)
    }

    /// Its parts, in their order. Other files are none of ours.
    async fn parts(&self, store: &Store) -> Result<Vec<Part>, PointError> {
        let folder = self.folder()?;
        let listed = store.list(Some(&folder));
        let parts = listed.try_filter_map(async |blob| Ok(self.part(&blob.key)));
        let parts = parts.try_collect::<Vec<_>>().await;
        let mut parts = parts.map_err(|source| PointError::store(&folder, source))?;
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    fn part(&self, key: &Key) -> Option<Part> {
        let file = key.as_str().rsplit('/').next()?;
        let name = file.strip_suffix(SEALED);
        let number = name.unwrap_or(file).strip_suffix(".ndjson.zst")?.parse().ok()?;
        let part = Part {
            number,
            sealed: name.is_some(),
        };
        // Back to text: a number has many spellings, a file only one.
        self.key(&part).is_ok_and(|named| named == *key).then_some(part)
    }
}

impl ReportWriter {
    /// Goes on behind what is there.
    pub async fn open(store: Store, seal: Seal, id: ReportId) -> Result<Self, PointError> {
        let last = id.parts(&store).await?.last().map_or(0, |part| part.number.get());
        Ok(Self {
            store,
            seal,
            id,
            last,
        })
    }

    /// Writes a part of these lines. When it returns, they are in the vault.
    pub async fn write<T>(&mut self, lines: &Arc<Vec<T>>) -> Result<(), PointError>
    where
        T: Serialize + Send + Sync + 'static,
    {
        for step in 1..=TRIES {
            let Some(number) = self.last.checked_add(step).and_then(NonZeroU32::new) else {
                break;
            };
            let part = Part {
                number,
                sealed: self.seal != Seal::Clear,
            };
            let key = self.id.key(&part)?;
            let (of, seal, lines) = (self.id.clone(), self.seal.clone(), Arc::clone(lines));
            let packed = spawn_blocking(move || pack(&seal, &Head { of, part: number }, &lines)).await;
            let body = packed
                .map_err(|_| PointError::Interrupted)?
                .map_err(|error| PointError::make(&key, error))?;
            let put = self.store.put_if_absent(&key, body).await;
            if put.map_err(|source| PointError::store(&key, source))? == Put::Stored {
                self.last = number.get();
                return Ok(());
            }
        }
        Err(PointError::make(
            &self.id.folder()?,
            "others always came first: try again",
        ))
    }
}

fn pack<T: Serialize>(seal: &Seal, head: &Head, content: &[T]) -> std::io::Result<Bytes> {
    let mut lines = Lines::new()?;
    lines.add(head)?;
    content.iter().try_for_each(|line| lines.add(line))?;
    Ok(seal.close(lines.done()?)?.into())
}

/// The lines of a report, in the order in which they were written. What is encrypted needs the private key.
pub async fn read<T>(
    store: &Store,
    id: &ReportId,
    identity: Option<&Identity>,
) -> Result<BoxStream<'static, Result<T, PointError>>, PointError>
where
    T: DeserializeOwned + Send + 'static,
{
    let parts = id.parts(store).await?;
    let (store, id, identity) = (Arc::clone(store), id.clone(), identity.cloned());
    let parts = stream::iter(parts).then(move |part| {
        let (store, id, identity) = (Arc::clone(&store), id.clone(), identity.clone());
        async move { part_of(&store, &id, part, identity).await }
    });
    Ok(parts.map_ok(stream::iter).try_flatten().boxed())
}

async fn part_of<T>(
    store: &Store,
    id: &ReportId,
    part: Part,
    identity: Option<Identity>,
) -> Result<Vec<Result<T, PointError>>, PointError>
where
    T: DeserializeOwned + Send + 'static,
{
    let key = id.key(&part)?;
    if part.sealed && identity.is_none() {
        return Err(PointError::SealedPart(key));
    }
    let stored = store.get_range(&key, 0..LARGEST + 1).await;
    let stored = stored.map_err(|source| PointError::store(&key, source))?;
    if stored.len() as u64 > LARGEST {
        return Err(PointError::damaged(&key, Damage::TooLarge(LARGEST)));
    }
    let head = Head {
        of: id.clone(),
        part: part.number,
    };
    reader::blocking(move || {
        let content = reader::open(&key, stored, identity.filter(|_| part.sealed).as_ref())?;
        let unreadable = |error| PointError::unreadable(&key, error);
        let mut texts = lines::read::<serde_json::Value>(reader::zstd(&key, content)?);
        let first = texts.next().transpose().map_err(unreadable)?;
        let first = first.and_then(|first| serde_json::from_value::<Head>(first).ok());
        if first != Some(head) {
            return Err(PointError::unreadable(&key, "it is a part of another report"));
        }
        let parsed = texts.map(|line| line.and_then(|line| Ok(serde_json::from_value(line)?)));
        Ok(parsed.map(|line| line.map_err(unreadable)).collect())
    })
    .await
}

/// Removes a report.
pub async fn remove(store: &Store, id: &ReportId) -> Result<(), PointError> {
    remove_below(store, &id.folder()?).await
}

/// Removes the reports of all restores of a point.
pub async fn remove_all(store: &Store, point: &PointId) -> Result<(), PointError> {
    remove_below(store, &Key::new(format!("{FOLDER}/{point}"))?).await
}

async fn remove_below(store: &Store, folder: &Key) -> Result<(), PointError> {
    let keys = store.list(Some(folder)).map_ok(|blob| blob.key);
    let keys: Vec<_> = keys
        .try_collect()
        .await
        .map_err(|source| PointError::store(folder, source))?;
    for key in keys {
        let deleted = store.delete(&key).await;
        deleted.map_err(|source| PointError::store(&key, source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::sample;

    fn id(restore: u8) -> ReportId {
        ReportId::new(sample::id(0), sample::id(restore))
    }

    async fn writer(store: &Store, seal: Seal, restore: u8) -> ReportWriter {
        ReportWriter::open(Arc::clone(store), seal, id(restore))
            .await
            .unwrap()
    }

    async fn lines(store: &Store, restore: u8, identity: Option<&Identity>) -> Result<Vec<u32>, PointError> {
        read::<u32>(store, &id(restore), identity)
            .await?
            .try_collect()
            .await
    }

    #[tokio::test]
    async fn the_next_leader_goes_on_behind_what_is_there() {
        let store = sample::store();
        let mut first = writer(&store, Seal::Clear, 1).await;
        first.write(&Arc::new(vec![1, 2])).await.unwrap();
        let mut second = writer(&store, Seal::Clear, 1).await;
        second.write(&Arc::new(vec![3])).await.unwrap();
        // The first one doesn't know yet that it leads no longer.
        first.write(&Arc::new(vec![4])).await.unwrap();
        second.write(&Arc::new(vec![5; 9])).await.unwrap();
        let expected = [&[1, 2, 3, 4][..], &[5; 9]].concat();
        assert_eq!(lines(&store, 1, None).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn parts_come_in_the_order_of_their_numbers() {
        let store = sample::store();
        let mut writer = writer(&store, Seal::Clear, 1).await;
        for number in 1..=12 {
            writer.write(&Arc::new(vec![number])).await.unwrap();
        }
        assert_eq!(
            lines(&store, 1, None).await.unwrap(),
            (1..=12).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn what_is_sealed_is_read_with_the_key_alone() {
        let (store, identity) = (sample::store(), Identity::generate());
        let seal = Seal::to(vec![identity.recipient()]);
        let mut writer = writer(&store, seal, 1).await;
        writer.write(&Arc::new(vec!["canary"; 9])).await.unwrap();
        let key = Key::new(format!("{}/1.ndjson.zst.age", id(1).folder().unwrap())).unwrap();
        let stored = store.get_range(&key, 0..u64::MAX).await.unwrap();
        assert!(!stored.windows(6).any(|bytes| bytes == b"canary"));
        assert_eq!(lines(&store, 1, None).await, Err(PointError::SealedPart(key)));
        let read: Vec<String> = read(&store, &id(1), Some(&identity))
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(read, ["canary"; 9]);
    }

    #[tokio::test]
    async fn a_part_that_stands_for_another_or_is_cut_off_is_an_error() {
        let store = sample::store();
        writer(&store, Seal::Clear, 1)
            .await
            .write(&Arc::new(vec![1]))
            .await
            .unwrap();
        let part = |restore: u8, number: u32| {
            Key::new(format!("{}/{number}.ndjson.zst", id(restore).folder().unwrap())).unwrap()
        };
        let whole = store.get_range(&part(1, 1), 0..u64::MAX).await.unwrap();
        store.put(&part(1, 2), whole.clone()).await.unwrap();
        store.put(&part(2, 1), whole.clone()).await.unwrap();
        store
            .put(&part(3, 1), whole.slice(..whole.len() / 2))
            .await
            .unwrap();
        for restore in [1, 2, 3] {
            let read = lines(&store, restore, None).await;
            assert!(matches!(read, Err(PointError::Damaged { .. })), "{read:?}");
        }
    }

    #[tokio::test]
    async fn reports_go_with_their_point_alone() {
        let store = sample::store();
        for restore in [1, 2] {
            writer(&store, Seal::Clear, restore)
                .await
                .write(&Arc::new(vec![1]))
                .await
                .unwrap();
        }
        let other = ReportId::new(sample::id(5), sample::id(1));
        let mut others = ReportWriter::open(Arc::clone(&store), Seal::Clear, other.clone())
            .await
            .unwrap();
        others.write(&Arc::new(vec![1])).await.unwrap();
        remove(&store, &id(1)).await.unwrap();
        assert_eq!(lines(&store, 1, None).await.unwrap(), Vec::<u32>::new());
        assert_eq!(lines(&store, 2, None).await.unwrap(), [1]);
        remove_all(&store, &sample::id(0)).await.unwrap();
        assert_eq!(lines(&store, 2, None).await.unwrap(), Vec::<u32>::new());
        assert_eq!(other.parts(&store).await.unwrap().len(), 1);
    }
}
