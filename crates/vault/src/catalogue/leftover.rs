//! What is there of attempts that have no manifest: runs that are still at work, and those that ended too early. Which of
//! the two it is, and whether it may go, only the cluster that began it can say.

use futures::future;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::find;
use crate::point::{Attempt, Begin, Manifest, Part, PartFile, PointError, PointId, layout};
use crate::restore_report;
use crate::store::{Blob, Key, Store, StoreError};

/// The largest `begin.json` that is read.
const LARGEST_BEGIN: u64 = 1 << 20;

/// Parts of an attempt that no point is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The point that it was to become.
    pub id: PointId,
    /// Which attempt.
    pub attempt: Attempt,
    /// How many parts are there.
    pub parts: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Who began it; nothing if that can't be read.
    pub begin: Option<Begin>,
}

/// All attempts without a manifest. Files that are no parts of any attempt are left out: they are not ours.
pub fn leftovers(store: &Store) -> BoxStream<'_, Result<Leftover, PointError>> {
    let folder = match layout::data() {
        Ok(folder) => folder,
        Err(error) => return stream::once(future::ready(Err(error.into()))).boxed(),
    };
    let parts = store.list(Some(folder));
    let parts = parts
        .map_err(|source| PointError::store(folder, source))
        .try_filter_map(async |blob| {
            let Blob { key, size } = blob;
            Ok(layout::attempt_of_part(&key).map(|(id, attempt, _)| Leftover {
                id,
                attempt,
                parts: 1,
                bytes: size,
                begin: None,
            }))
        });
    // It is asked once more than there are parts, which not every store's list allows.
    let attempts = stream::try_unfold((parts.fuse().boxed(), None), async |(mut parts, mut next)| {
        let attempt: Option<Leftover> = match next.take() {
            Some(attempt) => Some(attempt),
            None => parts.try_next().await?,
        };
        let Some(mut attempt) = attempt else {
            return Ok(None);
        };
        while let Some(part) = parts.try_next().await? {
            if (&part.id, &part.attempt) != (&attempt.id, &attempt.attempt) {
                next = Some(part);
                break;
            }
            attempt.parts += 1;
            attempt.bytes = attempt.bytes.saturating_add(part.bytes);
        }
        Ok(Some((attempt, (parts, next))))
    });
    // Asked for after its parts were seen: a point that is committed in between isn't taken for a leftover.
    attempts
        .try_filter_map(async |mut attempt: Leftover| {
            if is_committed(store, &attempt.id, &attempt.attempt).await? {
                return Ok(None);
            }
            attempt.begin = begin(store, &attempt.id, &attempt.attempt).await?;
            Ok(Some(attempt))
        })
        .boxed()
}

/// Removes the parts of an attempt that has no manifest, `begin.json` last, so that what is left stays recognisable. The
/// caller knows that its run is over.
pub async fn discard(store: &Store, leftover: &Leftover) -> Result<(), PointError> {
    let Leftover { id, attempt, .. } = leftover;
    if is_committed(store, id, attempt).await? {
        return Err(PointError::Committed {
            id: id.clone(),
            attempt: attempt.clone(),
        });
    }
    let folder = layout::attempt(id, attempt)?;
    let first = begin_key(id, attempt)?;
    let others = keys(store, &folder).await?;
    for key in others.iter().filter(|key| **key != first).chain([&first]) {
        delete(store, key).await?;
    }
    Ok(())
}

/// Removes a point: its manifest first, so that no point is ever listed that isn't whole, then the records of its life, the
/// reports of its restores and its
/// parts. What is left when that ends too early is a leftover.
pub async fn remove(store: &Store, manifest: &Manifest) -> Result<(), PointError> {
    let Begin { id, attempt, .. } = &manifest.begin;
    delete(store, &layout::manifest(id)?).await?;
    for key in keys(store, &layout::lifecycle(id)?).await? {
        delete(store, &key).await?;
    }
    restore_report::remove_all(store, id).await?;
    let left = Leftover {
        id: id.clone(),
        attempt: attempt.clone(),
        parts: 0,
        bytes: 0,
        begin: None,
    };
    discard(store, &left).await
}

async fn keys(store: &Store, folder: &Key) -> Result<Vec<Key>, PointError> {
    let listed = store.list(Some(folder)).map_ok(|blob| blob.key);
    let listed = listed.try_collect().await;
    listed.map_err(|source| PointError::store(folder, source))
}

async fn delete(store: &Store, key: &Key) -> Result<(), PointError> {
    let deleted = store.delete(key).await;
    deleted.map_err(|source| PointError::store(key, source))
}

async fn is_committed(store: &Store, id: &PointId, attempt: &Attempt) -> Result<bool, PointError> {
    let manifest = find(store, id).await?;
    Ok(manifest.is_some_and(|manifest| manifest.begin.attempt == *attempt))
}

async fn begin(store: &Store, id: &PointId, attempt: &Attempt) -> Result<Option<Begin>, PointError> {
    let key = begin_key(id, attempt)?;
    let bytes = match store.get_range(&key, 0..LARGEST_BEGIN).await {
        Err(StoreError::NotFound { .. }) => return Ok(None),
        bytes => bytes.map_err(|source| PointError::store(&key, source))?,
    };
    let begin: Option<Begin> = serde_json::from_slice(&bytes).ok();
    Ok(begin.filter(|begin| (&begin.id, &begin.attempt) == (id, attempt)))
}

fn begin_key(id: &PointId, attempt: &Attempt) -> Result<Key, PointError> {
    let file = PartFile {
        part: Part::Begin,
        sealed: false,
    };
    Ok(layout::part(id, attempt, file)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::{Decision, Record, record};
    use crate::point::{PointWriter, sample};
    use crate::seal::Seal;

    #[tokio::test]
    async fn what_an_unfinished_attempt_left_is_recognised_and_can_be_removed() {
        let store = sample::store();
        sample::write(&store, sample::begin(0, "a"), Seal::Clear, sample::entries())
            .await
            .unwrap();
        PointWriter::begin(store.clone(), sample::begin(0, "b"), Seal::Clear)
            .await
            .unwrap();
        PointWriter::begin(store.clone(), sample::begin(1, "a"), Seal::Clear)
            .await
            .unwrap();
        store
            .put(&Key::new("data/notes.txt").unwrap(), "mine".into())
            .await
            .unwrap();
        let found: Vec<_> = leftovers(&store).try_collect().await.unwrap();
        let begins: Vec<_> = found
            .iter()
            .map(|leftover| leftover.begin.clone().unwrap())
            .collect();
        assert_eq!(begins, [sample::begin(0, "b"), sample::begin(1, "a")]);
        for leftover in &found {
            assert_eq!(leftover.parts, 1);
            discard(&store, leftover).await.unwrap();
        }
        assert_eq!(leftovers(&store).try_collect::<Vec<_>>().await, Ok(Vec::new()));
        let verified = crate::point::verify(store.clone(), &sample::id(0), None)
            .await
            .unwrap();
        assert!(verified.is_good());
        assert!(
            store
                .get_range(&Key::new("data/notes.txt").unwrap(), 0..9)
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_removed_point_leaves_nothing_and_touches_no_other() {
        let store = sample::store();
        let mut manifests = Vec::new();
        for number in 0..2 {
            let begin = sample::begin(number, "a");
            let written = sample::write(&store, begin, Seal::Clear, sample::entries()).await;
            manifests.push(written.unwrap());
            let undelete = Record {
                time: "2026-11-21T01:00:00Z".parse().unwrap(),
                by: "policy".to_owned(),
                decision: Decision::Undelete,
            };
            let recorded = record(&store, &sample::id(number), |_| Some(undelete.clone())).await;
            recorded.unwrap();
        }
        let all = async || store.list(None).try_collect::<Vec<Blob>>().await.unwrap();
        let before = all().await;
        remove(&store, &manifests[0]).await.unwrap();
        let of_other = |blob: &Blob| blob.key.as_str().contains(sample::id(1).as_str());
        assert_eq!(
            all().await,
            before.into_iter().filter(of_other).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn a_committed_point_is_never_removed_as_a_leftover() {
        let store = sample::store();
        let begin = sample::begin(0, "a");
        let writer = PointWriter::begin(store.clone(), begin.clone(), Seal::Clear)
            .await
            .unwrap();
        let seen: Vec<_> = leftovers(&store).try_collect().await.unwrap();
        writer.commit(sample::result()).await.unwrap();
        let Begin { id, attempt, .. } = begin;
        assert_eq!(
            discard(&store, &seen[0]).await,
            Err(PointError::Committed { id, attempt })
        );
    }
}
