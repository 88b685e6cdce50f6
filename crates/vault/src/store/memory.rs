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
        async move {
            self.blobs().insert(key.clone(), body);
            Ok(())
        }
        .boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        async move {
            let mut blobs = self.blobs();
            if blobs.contains_key(key) {
                return Ok(Put::Exists);
            }
            blobs.insert(key.clone(), body);
            Ok(Put::Stored)
        }
        .boxed()
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
        async move {
            let body = self.get(key)?;
            Ok(stream::iter([Ok(body)]).boxed())
        }
        .boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async move {
            let body = self.get(key)?;
            let place = |place| usize::try_from(place).map_or(body.len(), |place| place.min(body.len()));
            let end = place(range.end);
            Ok(body.slice(place(range.start).min(end)..end))
        }
        .boxed()
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let below = below.cloned();
        let listed = async move {
            let blobs = self.blobs();
            let listed = blobs
                .iter()
                .filter(|(key, _)| below.as_ref().is_none_or(|folder| key.is_below(folder)));
            let listed = listed.map(|(key, body)| {
                let (key, size) = (key.clone(), body.len() as u64);
                Ok(Blob { key, size })
            });
            stream::iter(listed.collect::<Vec<_>>())
        };
        listed.flatten_stream().boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.blobs().remove(key);
            Ok(())
        }
        .boxed()
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
        async move {
            self.parts().insert(number, body);
            Ok(())
        }
        .boxed()
    }

    fn complete(&self, count: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let mut body = BytesMut::new();
            for (_, part) in self.parts().range(..count) {
                body.extend_from_slice(part);
            }
            self.store.blobs().insert(self.key.clone(), body.freeze());
            Ok(())
        }
        .boxed()
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
