//! A store below some segments of another: several vaults in one bucket.

use std::ops::Range;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::{Blob, BlobStore, Bytestream, Key, Put, Store, StoreError, Upload};

/// What lies below some segments, as a store of its own. Its errors name blobs as it was asked for them.
#[derive(Clone, Debug)]
pub struct Prefixed {
    store: Store,
    prefix: Key,
}

impl Prefixed {
    /// What lies below these segments of a store.
    pub fn new(store: Store, prefix: Key) -> Self {
        Self { store, prefix }
    }

    fn whole(&self, key: &Key) -> Result<Key, StoreError> {
        let whole = self.prefix.join(key);
        whole.map_err(|error| StoreError::Other {
            message: error.to_string(),
        })
    }

    fn as_asked(&self, error: StoreError) -> StoreError {
        let short = |key: Key| key.relative_to(&self.prefix).unwrap_or(key);
        match error {
            StoreError::NotFound { key } => StoreError::NotFound { key: short(key) },
            StoreError::Immutable { key, message } => StoreError::Immutable {
                key: short(key),
                message,
            },
            other => other,
        }
    }
}

impl BlobStore for Prefixed {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let put = self.store.put(&self.whole(key)?, body).await;
            put.map_err(|error| self.as_asked(error))
        }
        .boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        async move {
            let put = self.store.put_if_absent(&self.whole(key)?, body).await;
            put.map_err(|error| self.as_asked(error))
        }
        .boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        async move {
            let begun = self.store.upload(&self.whole(key)?).await;
            begun.map_err(|error| self.as_asked(error))
        }
        .boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        async move {
            let opened = self.store.stream(&self.whole(key)?).await;
            opened.map_err(|error| self.as_asked(error))
        }
        .boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async move {
            let part = self.store.get_range(&self.whole(key)?, range).await;
            part.map_err(|error| self.as_asked(error))
        }
        .boxed()
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let folder = below.map_or_else(|| Ok(self.prefix.clone()), |below| self.whole(below));
        let folder = match folder {
            Ok(folder) => folder,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        self.store
            .list(Some(&folder))
            .try_filter_map(async |Blob { key, size }| {
                Ok(key.relative_to(&self.prefix).map(|key| Blob { key, size }))
            })
            .boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let deleted = self.store.delete(&self.whole(key)?).await;
            deleted.map_err(|error| self.as_asked(error))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{MemoryStore, conformance};

    #[tokio::test]
    async fn a_part_of_a_store_is_a_store_and_leaves_the_rest_alone() {
        let key = |text: &str| Key::new(text).unwrap();
        let whole = MemoryStore::new();
        for name in ["vaults/a-b", "vaults/a.json", "vaults/ab", "vaults/b/marker"] {
            whole.put(&key(name), Bytes::from("not ours")).await.unwrap();
        }
        let part = Prefixed::new(Arc::new(whole.clone()), key("vaults/a"));
        conformance::holds(Arc::new(part)).await;
        let others = whole
            .list(None)
            .try_filter(|blob| std::future::ready(!blob.key.is_below(&key("vaults/a"))));
        assert_eq!(others.try_collect::<Vec<_>>().await.unwrap().len(), 4);
    }
}
