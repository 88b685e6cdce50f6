//! A drill: the writer dies at each of its requests to the store, before it or just after it. Never is there a point that
//! doesn't verify; what is left is recognised; and another attempt succeeds.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, TryStreamExt as _};
use futures::{FutureExt as _, StreamExt as _};

use super::{Manifest, PointError, sample, verify};
use crate::catalogue;
use crate::seal::Seal;
use crate::store::{Blob, BlobStore, Bytestream, Key, Put, Store, StoreError, Upload};

/// A store as a process sees it that dies at its n-th request.
#[derive(Debug)]
struct Dying {
    store: Store,
    requests: AtomicU32,
    dies_at: u32,
    /// Whether the last request reaches the store; its answer never comes.
    sent: bool,
}

impl Dying {
    async fn live<T>(&self, request: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if number < self.dies_at {
            return request.await;
        }
        if number == self.dies_at && self.sent {
            drop(request.await);
        }
        Err(StoreError::Other {
            message: "nothing any more".to_owned(),
        })
    }
}

impl BlobStore for Dying {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        self.live(self.store.put(key, body)).boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        self.live(self.store.put_if_absent(key, body)).boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        self.live(self.store.upload(key)).boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        self.live(self.store.stream(key)).boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        self.live(self.store.get_range(key, range)).boxed()
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let listed = self.store.list(below);
        let listed = self.live(async move { Ok(listed) });
        futures::stream::once(listed).try_flatten().boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        self.live(self.store.delete(key)).boxed()
    }
}

async fn attempt(store: &Store, name: &str) -> Result<Manifest, PointError> {
    let large = (0..2).map(|number| sample::entry("secrets", None, &number.to_string(), 5 << 20));
    let entries = sample::entries().into_iter().chain(large);
    sample::write(store, sample::begin(0, name), Seal::Clear, entries).await
}

/// What must hold after a death, and that the next attempt makes a point or finds the one that is there.
async fn recover(store: &Store, context: &str) {
    let listed: Vec<_> = catalogue::list(store).try_collect().await.unwrap();
    for manifest in &listed {
        let verified = verify(store.clone(), &manifest.begin.id, None).await.unwrap();
        assert!(verified.is_good(), "{context}: {verified:?}");
    }
    let any = store.list(None).try_next().await.unwrap().is_some();
    let left: Vec<_> = catalogue::leftovers(store).try_collect().await.unwrap();
    assert_eq!(left.len(), usize::from(any && listed.is_empty()), "{context}");
    assert!(
        left.iter()
            .all(|leftover| leftover.begin == Some(sample::begin(0, "first"))),
        "{context}"
    );
    match attempt(store, "second").await {
        Ok(_) => assert!(listed.is_empty(), "{context}"),
        Err(error) => assert!(
            matches!(error, PointError::Superseded { .. }) && !listed.is_empty(),
            "{error}"
        ),
    }
    let verified = verify(store.clone(), &sample::id(0), None).await.unwrap();
    assert!(verified.is_good(), "{context}: {verified:?}");
}

#[tokio::test]
async fn a_writer_may_die_at_any_request() {
    for sent in [false, true] {
        for dies_at in 1.. {
            let store = sample::store();
            let requests = AtomicU32::new(0);
            let dying: Store = Arc::new(Dying {
                store: store.clone(),
                requests,
                dies_at,
                sent,
            });
            let died = attempt(&dying, "first").await.is_err();
            recover(&store, &format!("died at {dies_at}, sent: {sent}")).await;
            if !died {
                assert!(dies_at > 6, "too few requests for parts and manifest: {dies_at}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn of_two_writers_at_once_exactly_one_makes_the_point() {
    for _ in 0..5 {
        let store = sample::store();
        let (one, other) = tokio::join!(attempt(&store, "one"), attempt(&store, "other"));
        let made = [&one, &other].map(Result::is_ok);
        assert!(made[0] != made[1], "{made:?}");
        let lost = if made[0] { other } else { one };
        assert!(matches!(lost, Err(PointError::Superseded { .. })), "{lost:?}");
        assert!(verify(store, &sample::id(0), None).await.unwrap().is_good());
    }
}
