//! When a store is asked again, and that a blob comes whole all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future;

use super::*;
use crate::store::{MemoryStore, conformance};

fn unreachable(retry_after: Option<u64>) -> StoreError {
    StoreError::Unreachable {
        message: "busy".to_owned(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

#[test]
fn pauses_double_within_bounds_and_are_as_long_as_the_store_asks() {
    let patience = Patience::default();
    let full = StoreError::Full {
        message: String::new(),
    };
    for (error, failures, elapsed, chance, expected) in [
        (unreachable(None), 1, 0, 0.0, Some(500)),
        (unreachable(None), 2, 0, 0.0, Some(1000)),
        (unreachable(None), 2, 0, 0.5, Some(750)),
        (unreachable(None), 5, 0, 0.0, Some(8000)),
        (unreachable(None), 7, 0, 0.0, Some(30_000)),
        (unreachable(None), u32::MAX, 0, 0.0, Some(30_000)),
        (unreachable(Some(7)), 1, 0, 0.0, Some(7000)),
        (unreachable(Some(0)), 2, 0, 0.0, Some(1000)),
        (unreachable(Some(60)), 1, 240, 0.9, Some(60_000)),
        (unreachable(Some(61)), 1, 240, 0.9, None),
        (unreachable(None), 1, 300, 0.0, None),
        (full, 1, 0, 0.0, None),
    ] {
        let pause = patience.next_pause(&error, failures, Duration::from_secs(elapsed), chance);
        let found = pause.map(|pause| pause.as_millis());
        assert_eq!(found, expected, "{error:?}, {failures} failures, {elapsed} s");
    }
    assert!((0..1000).all(|_| (0.0..1.0).contains(&chance())));
}

#[tokio::test(start_paused = true)]
async fn what_fails_now_and_then_keeps_what_every_store_promises() {
    let store = Faulty::new(|request| request % 3 != 0);
    conformance::holds(Arc::new(Retrying::new(Arc::new(store), Patience::default()))).await;
}

#[tokio::test(start_paused = true)]
async fn what_never_answers_fails_after_the_time_for_it() {
    let patience = Patience::default();
    let store = Retrying::new(Arc::new(Faulty::new(|_| true)), patience);
    let begin = Instant::now();
    let failed = store.put(&Key::new("a").unwrap(), Bytes::new()).await;
    assert!(failed.is_err_and(|error| error.is_transient()));
    let taken = begin.elapsed();
    assert!(taken <= patience.total && taken > patience.total / 2, "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_none() {
    let patience = Patience::default();
    let never = patience.ask(|| future::pending::<Result<(), StoreError>>().boxed());
    let begin = Instant::now();
    let told = never.await.unwrap_err().to_string();
    assert!(told.contains("no answer within 60s"), "{told}");
    assert!(begin.elapsed() <= patience.total + patience.attempt);
}

#[tokio::test(start_paused = true)]
async fn what_stays_wrong_is_told_at_once() {
    let store = Retrying::new(Arc::new(MemoryStore::new()), Patience::default());
    let begin = Instant::now();
    assert!(matches!(
        store.stream(&Key::new("a").unwrap()).await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

/// A store to which some requests don't come, by their numbers; streams and lists break off in the middle.
#[derive(Debug)]
struct Faulty {
    store: MemoryStore,
    requests: Arc<AtomicU32>,
    fails: fn(u32) -> bool,
}

impl Faulty {
    fn new(fails: fn(u32) -> bool) -> Self {
        Self {
            store: MemoryStore::new(),
            requests: Arc::default(),
            fails,
        }
    }

    fn request(&self) -> Result<(), StoreError> {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        if (self.fails)(request) {
            Err(unreachable(None))
        } else {
            Ok(())
        }
    }
}

impl BlobStore for Faulty {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        // It is the answer that gets lost.
        async { self.request().and(self.store.put(key, body).await) }.boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        async {
            self.request()?;
            self.store.put_if_absent(key, body).await
        }
        .boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        async {
            self.request()?;
            let upload = self.store.upload(key).await?;
            let network = Self {
                store: self.store.clone(),
                requests: Arc::clone(&self.requests),
                fails: self.fails,
            };
            Ok(Box::new(FaultyUpload { upload, network }) as _)
        }
        .boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        async {
            self.request()?;
            let whole = self.store.get_range(key, 0..u64::MAX).await?;
            let half = whole.slice(..whole.len() / 2);
            Ok(stream::iter([Ok(half), Err(unreachable(None))]).boxed())
        }
        .boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async {
            self.request()?;
            self.store.get_range(key, range).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let failed = self.request().err();
        let most = if failed.is_some() { 700 } else { usize::MAX };
        let listed = self.store.list(below).take(most);
        listed.chain(stream::iter(failed.map(Err))).boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        async {
            self.request()?;
            self.store.delete(key).await
        }
        .boxed()
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn Upload>,
    network: Faulty,
}

impl Upload for FaultyUpload {
    fn part(&self, number: u32, body: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.network.request().and(self.upload.part(number, body).await) }.boxed()
    }

    fn complete(&self, count: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.network.request()?;
            self.upload.complete(count).await
        }
        .boxed()
    }

    fn abort(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.network.request().and(self.upload.abort().await) }.boxed()
    }
}
