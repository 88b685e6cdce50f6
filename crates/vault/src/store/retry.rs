//! Tries again. Here alone is decided how often and how long, for all stores; their clients' own ways of doing so are off.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::{Blob, BlobStore, Bytestream, Key, Put, Store, StoreError, Upload};

/// What a stream that was cut off goes on with.
const PIECE: u64 = 4 << 20;

/// How long a store is asked again that can't be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// An answer that takes longer is none. It is enough for a part to go through a slow line.
    pub attempt: Duration,
    /// The pause after the first failure. Each is twice as long as the one before, less up to half of it by chance, so that
    /// those who failed together don't come again together.
    pub pause: Duration,
    /// No pause is longer, unless the store asks for it.
    pub longest_pause: Duration,
    /// What fails after so long has failed.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_mins(1),
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            total: Duration::from_mins(5),
        }
    }
}

impl Patience {
    /// The pause before the next attempt, if there is to be one. `failures` counts from 1, `chance` is below 1.
    fn next_pause(
        &self,
        error: &StoreError,
        failures: u32,
        elapsed: Duration,
        chance: f64,
    ) -> Option<Duration> {
        let StoreError::Unreachable { retry_after, .. } = error else {
            return None;
        };
        let doubled = self.pause.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let pause = doubled.min(self.longest_pause).mul_f64(1.0 - chance / 2.0);
        let pause = pause.max(retry_after.unwrap_or_default());
        (elapsed + pause <= self.total).then_some(pause)
    }

    /// Asks until there is an answer, or an error that stays.
    async fn ask<'a, T>(
        &self,
        question: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut tries = Tries::new(*self);
        loop {
            match tries.in_time(question()).await {
                Err(error) => tries.pause(error).await?,
                answer => return answer,
            }
        }
    }
}

/// The attempts at one thing.
struct Tries {
    patience: Patience,
    begin: Instant,
    failures: u32,
}

impl Tries {
    fn new(patience: Patience) -> Self {
        Self {
            patience,
            begin: Instant::now(),
            failures: 0,
        }
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let limit = self.patience.attempt;
        timeout(limit, answer).await.unwrap_or_else(|_| {
            Err(StoreError::Unreachable {
                message: format!("no answer within {limit:?}"),
                retry_after: None,
            })
        })
    }

    /// Returns after a pause when it is time for the next attempt; otherwise, the error stays.
    async fn pause(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.failures += 1;
        let elapsed = self.begin.elapsed();
        let pause = self.patience.next_pause(&error, self.failures, elapsed, chance());
        let Some(pause) = pause else { return Err(error) };
        tracing::debug!(%error, ?pause, failures = self.failures, "the store is asked again");
        sleep(pause).await;
        Ok(())
    }
}

/// A number from 0 to below 1. A good one isn't needed.
fn chance() -> f64 {
    let random = RandomState::new().hash_one(0);
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

/// A store that is asked again where that may help.
///
/// An answer can be lost after a blob was written. So `put_if_absent` may say `Exists` of the very blob that it has
/// written: who needs to know reads it. A stream that was cut off goes on where it was, so blobs that are written over
/// meanwhile are not for it.
#[derive(Clone, Debug)]
pub struct Retrying {
    store: Store,
    patience: Patience,
}

impl Retrying {
    /// Asks this store with this patience.
    pub fn new(store: Store, patience: Patience) -> Self {
        Self { store, patience }
    }
}

impl BlobStore for Retrying {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        let put = move || self.store.put(key, body.clone());
        async move { self.patience.ask(put).await }.boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        let put = move || self.store.put_if_absent(key, body.clone());
        async move { self.patience.ask(put).await }.boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        async move {
            Ok(Box::new(RetryingUpload {
                upload: self.patience.ask(|| self.store.upload(key)).await?,
                patience: self.patience,
            }) as _)
        }
        .boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        async move {
            let begun = Resumable {
                pieces: Some(self.patience.ask(|| self.store.stream(key)).await?),
                place: 0,
                key: key.clone(),
                source: self.clone(),
            };
            let pieces = stream::try_unfold(begun, async |mut begun| {
                let piece = begun.next().await?;
                Ok(piece.map(|piece| (piece, begun)))
            });
            Ok(pieces.boxed())
        }
        .boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        let get = move || self.store.get_range(key, range.clone());
        async move { self.patience.ask(get).await }.boxed()
    }

    /// Begins anew after a failure, and leaves out what was listed before.
    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let below = below.cloned();
        let begin = (self.store.list(below.as_ref()), None, Tries::new(self.patience));
        let listed = stream::try_unfold(begin, move |(mut blobs, mut last, mut tries)| {
            let below = below.clone();
            async move {
                loop {
                    match tries.in_time(blobs.next().map(Option::transpose)).await {
                        Ok(None) => return Ok(None),
                        Ok(Some(Blob { key, .. })) if last.as_ref().is_some_and(|last| *last >= key) => {}
                        Ok(Some(blob)) => {
                            last = Some(blob.key.clone());
                            return Ok(Some((blob, (blobs, last, Tries::new(self.patience)))));
                        }
                        Err(error) => {
                            tries.pause(error).await?;
                            blobs = self.store.list(below.as_ref());
                        }
                    }
                }
            }
        });
        listed.boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.patience.ask(|| self.store.delete(key)).await }.boxed()
    }
}

/// A blob that is being read.
struct Resumable {
    /// As long as nothing has failed.
    pieces: Option<Bytestream>,
    place: u64,
    key: Key,
    source: Retrying,
}

impl Resumable {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let patience = self.source.patience;
        if let Some(pieces) = &mut self.pieces {
            let tries = Tries::new(patience);
            let next = tries.in_time(pieces.next().map(Option::transpose)).await;
            match next {
                Err(error) if error.is_transient() => {
                    tracing::debug!(%error, key = %self.key, place = self.place, "the blob is read on from here");
                    self.pieces = None;
                }
                other => return other.inspect(|piece| self.pass(piece.as_ref())),
            }
        }
        let piece = self
            .source
            .get_range(&self.key, self.place..self.place + PIECE)
            .await?;
        self.pass(Some(&piece));
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn pass(&mut self, piece: Option<&Bytes>) {
        self.place += piece.map_or(0, |piece| piece.len() as u64);
    }
}

#[derive(Debug)]
struct RetryingUpload {
    upload: Box<dyn Upload>,
    patience: Patience,
}

impl Upload for RetryingUpload {
    fn part(&self, number: u32, body: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        let send = move || self.upload.part(number, body.clone());
        async move { self.patience.ask(send).await }.boxed()
    }

    fn complete(&self, count: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.patience.ask(|| self.upload.complete(count)).await }.boxed()
    }

    fn abort(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.patience.ask(|| self.upload.abort()).await }.boxed()
    }
}

#[cfg(test)]
mod tests;
