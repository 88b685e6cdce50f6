//! Copies a point from one vault into another, as it is stored: nothing is opened for it, so no key is needed. What is there
//! of a copy that ended too early is used again. Memory is bounded by the largest part.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;

use crate::point::{Manifest, PointError, PointId, document, layout, part};
use crate::store::{Key, Put, Store};

/// Why a point isn't copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// It could not be read.
    #[error("it can't be read where it is: {0}")]
    From(#[source] PointError),
    /// It could not be written.
    #[error("it can't be written: {0}")]
    To(#[source] PointError),
}

/// A point whose parts are all in the other vault, and which is not there before [`commit`](Self::commit).
#[derive(Debug)]
pub struct Copied {
    to: Store,
    key: Key,
    manifest: bytes::Bytes,
}

impl CopyError {
    /// Whether trying again may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::From(error) | Self::To(error) => error.is_transient(),
        }
    }
}

/// Copies all parts of a point. Each is compared with its hash before it is written.
pub async fn copy(from: &Store, to: &Store, id: &PointId) -> Result<Copied, CopyError> {
    let key = layout::manifest(id).map_err(|error| CopyError::From(error.into()))?;
    let text = document::bytes(from, &key).await.map_err(CopyError::From)?;
    let manifest = Manifest::read(id, &key, &text).map_err(CopyError::From)?;
    let begin = &manifest.begin;
    let there = there(to, &manifest).await.map_err(CopyError::To)?;
    for (file, stored) in &manifest.parts {
        let key = layout::part(id, &begin.attempt, *file).map_err(|error| CopyError::From(error.into()))?;
        if there.contains(&key) {
            // Of a copy that ended too early; or it isn't what it should be, and then nothing is written over it.
            part::fetch(to, &key, *stored).await.map_err(CopyError::To)?;
            continue;
        }
        let body = part::fetch(from, &key, *stored).await.map_err(CopyError::From)?;
        part::write_once(to, &key, body, *stored)
            .await
            .map_err(CopyError::To)?;
    }
    Ok(Copied {
        to: to.clone(),
        key,
        manifest: text,
    })
}

impl Copied {
    /// Makes the point one of the other vault's.
    pub async fn commit(self) -> Result<(), CopyError> {
        let put = self.to.put_if_absent(&self.key, self.manifest.clone()).await;
        let put = put.map_err(|source| CopyError::To(PointError::store(&self.key, source)))?;
        if put == Put::Stored {
            return Ok(());
        }
        // Somebody else has copied it, or the answer to us was lost.
        let there = document::bytes(&self.to, &self.key)
            .await
            .map_err(CopyError::To)?;
        let same = there == self.manifest;
        same.then_some(()).ok_or_else(|| {
            CopyError::To(PointError::NotFresh {
                key: self.key.clone(),
            })
        })
    }
}

/// The parts that are there already.
async fn there(to: &Store, manifest: &Manifest) -> Result<BTreeSet<Key>, PointError> {
    let folder = layout::attempt(&manifest.begin.id, &manifest.begin.attempt)?;
    let listed = to.list(Some(&folder)).map_ok(|blob| blob.key);
    let listed = listed.try_collect().await;
    listed.map_err(|source| PointError::store(&folder, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
    use crate::point::{Damage, sample, verify};
    use crate::seal::Seal;
    use crate::store::Blob;

    async fn source() -> Store {
        let store = sample::store();
        let written = sample::write(&store, sample::begin(0, "a"), Seal::Clear, sample::entries());
        written.await.unwrap();
        store
    }

    async fn all(store: &Store) -> Vec<Blob> {
        store.list(None).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn a_copy_is_the_same_point_and_is_there_when_it_is_committed() {
        let (from, to) = (source().await, sample::store());
        let copied = copy(&from, &to, &sample::id(0)).await.unwrap();
        assert_eq!(catalogue::find(&to, &sample::id(0)).await, Ok(None));
        copied.commit().await.unwrap();
        assert_eq!(all(&from).await, all(&to).await);
        let verified = verify(to.clone(), &sample::id(0), None).await.unwrap();
        assert!(verified.is_good(), "{verified:?}");
        // Again, as by a leader who didn't hear of it.
        copy(&from, &to, &sample::id(0))
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_copy_goes_on_where_another_ended() {
        let (from, to) = (source().await, sample::store());
        let first = all(&from)
            .await
            .into_iter()
            .find(|blob| blob.key.as_str().starts_with("data/"));
        let first = first.unwrap().key;
        let body = from.get_range(&first, 0..u64::MAX).await.unwrap();
        to.put(&first, body).await.unwrap();
        copy(&from, &to, &sample::id(0))
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
        assert_eq!(all(&from).await, all(&to).await);
    }

    #[tokio::test]
    async fn what_is_damaged_at_either_side_is_not_copied() {
        let flipped = async |store: &Store| {
            let blobs = all(store).await;
            let segment = blobs
                .into_iter()
                .find(|blob| blob.key.as_str().contains("segment"));
            let Blob { key, size } = segment.unwrap();
            let mut body = store.get_range(&key, 0..size).await.unwrap().to_vec();
            body[3] ^= 1;
            (key, body)
        };
        let (from, to) = (source().await, sample::store());
        let (key, body) = flipped(&from).await;
        let damaged = PointError::Damaged {
            key: key.clone(),
            damage: Damage::Hash,
        };
        to.put(&key, body.clone().into()).await.unwrap();
        let found = copy(&from, &to, &sample::id(0)).await.err();
        assert_eq!(found, Some(CopyError::To(damaged.clone())));

        let to = sample::store();
        from.put(&key, body.into()).await.unwrap();
        let found = copy(&from, &to, &sample::id(0)).await.err();
        assert_eq!(found, Some(CopyError::From(damaged)));
        assert!(
            all(&to)
                .await
                .iter()
                .all(|blob| blob.key != key && !blob.key.as_str().starts_with("catalogue"))
        );
    }
}
