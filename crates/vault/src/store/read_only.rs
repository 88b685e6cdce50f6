//! A store through which nothing can be written, whatever the store itself would take.

use std::ops::Range;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use futures::stream::BoxStream;

use super::{Blob, BlobStore, Bytestream, Key, Put, Store, StoreError, Upload};

/// A store for who only reads.
#[derive(Clone, Debug)]
pub struct ReadOnly(Store);

impl ReadOnly {
    /// What is in this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }
}

fn refused<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, StoreError>> {
    let message = "it was opened for reading alone".to_owned();
    future::ready(Err(StoreError::ReadOnly { message })).boxed()
}

impl BlobStore for ReadOnly {
    fn put<'a>(&'a self, _: &'a Key, _: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        refused()
    }

    fn put_if_absent<'a>(&'a self, _: &'a Key, _: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        refused()
    }

    fn upload<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        refused()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        self.0.stream(key)
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        self.0.get_range(key, range)
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        self.0.list(below)
    }

    fn delete<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        refused()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::TryStreamExt as _;

    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn all_can_be_read_and_nothing_written_or_deleted() {
        let below: Store = Arc::new(MemoryStore::new());
        let [old, new] = ["a/old", "a/new"].map(|text| Key::new(text).unwrap());
        below.put(&old, "x".into()).await.unwrap();
        let store: Store = Arc::new(ReadOnly::new(Arc::clone(&below)));
        let body = || Bytes::from("y");
        for refused in [
            store.put(&old, body()).await,
            store.put_if_absent(&new, body()).await.map(drop),
            store.upload(&new).await.map(drop),
            store.delete(&old).await,
        ] {
            assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
        }
        assert_eq!(store.get_range(&old, 0..9).await, Ok(Bytes::from("x")));
        let streamed: Vec<_> = store.stream(&old).await.unwrap().try_collect().await.unwrap();
        assert_eq!(streamed.concat(), b"x");
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        let all: Vec<_> = below.list(None).try_collect().await.unwrap();
        assert_eq!((listed.len(), &listed), (1, &all));
    }
}
