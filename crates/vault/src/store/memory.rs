//! A store in memory, for tests and trials.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream, StreamExt as _};

use super::{Blob, BlobStore, Bytestream, Key, Put, StoreError, Upload};

/// Blobs in memory. A clone is the same store.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<Key, Bytes>>>);

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn blobs(&self) -> MutexGuard<'_, BTreeMap<Key, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &Key) -> Result<Bytes, StoreError> {
        let blobs = self.blobs();
        let found = blobs.get(key).cloned();
        found.ok_or_else(|| StoreError::NotFound { key: key.clone() })
    }
}

impl BlobStore for MemoryStore {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blobs().insert(key.clone(), body);
        future::ready(Ok(())).boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        let mut blobs = self.blobs();
        let put = if blobs.contains_key(key) {
            Put::Exists
        } else {
            blobs.insert(key.clone(), body);
            Put::Stored
        };
        future::ready(Ok(put)).boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        let upload = MemoryUpload {
            store: self.clone(),
            key: key.clone(),
            parts: Mutex::default(),
        };
        future::ready(Ok(Box::new(upload) as _)).boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        let body = self.get(key);
        future::ready(body.map(|body| stream::iter([Ok(body)]).boxed())).boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        let part = self.get(key).map(|body| {
            let place = |place| usize::try_from(place).map_or(body.len(), |place| place.min(body.len()));
            let end = place(range.end);
            body.slice(place(range.start).min(end)..end)
        });
        future::ready(part).boxed()
    }

    fn list<'a>(&'a self, below: Option<&'a Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let listed: Vec<Blob> = self
            .blobs()
            .iter()
            .filter(|(key, _)| below.is_none_or(|folder| key.is_below(folder)))
            .map(|(key, body)| Blob {
                key: key.clone(),
                size: body.len() as u64,
            })
            .collect();
        stream::iter(listed).map(Ok).boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blobs().remove(key);
        future::ready(Ok(())).boxed()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("memory")
    }
}

#[derive(Debug)]
struct MemoryUpload {
    store: MemoryStore,
    key: Key,
    parts: Mutex<BTreeMap<u32, Bytes>>,
}

impl MemoryUpload {
    fn parts(&self) -> MutexGuard<'_, BTreeMap<u32, Bytes>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload for MemoryUpload {
    fn part(&self, number: u32, body: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        self.parts().insert(number, body);
        future::ready(Ok(())).boxed()
    }

    fn complete(&self, count: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut body = BytesMut::new();
        for (_, part) in self.parts().range(..count) {
            body.extend_from_slice(part);
        }
        self.store.blobs().insert(self.key.clone(), body.freeze());
        future::ready(Ok(())).boxed()
    }

    fn abort(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        future::ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn memory_keeps_what_every_store_promises() {
        conformance::holds(Arc::new(MemoryStore::new())).await;
    }
}
