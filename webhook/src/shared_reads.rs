//! Reads of the API server that reviews share. Of the same kind there is one at a time, and whoever asks while it is
//! under way shares the next one: so a flood of reviews is no flood of reads, and nobody is answered by what was read
//! before they asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::Mutex as Turn;

type Read<T> = Shared<BoxFuture<'static, T>>;

/// Reads, told apart by `K`.
pub struct SharedReads<K, T>(Arc<Mutex<BTreeMap<K, Lane<T>>>>);

/// The reads of one kind. There as long as somebody waits for one.
struct Lane<T> {
    /// Whose turn it is.
    turn: Arc<Turn<()>>,
    /// The one that has not begun; gone when nobody waits for it any more.
    next: Option<WeakShared<BoxFuture<'static, T>>>,
}

impl<K, T> Default for SharedReads<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T> Clone for SharedReads<K, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, T> fmt::Debug for SharedReads<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedReads").finish_non_exhaustive()
    }
}

impl<K, T> SharedReads<K, T>
where
    K: Ord + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// What is read for `key` from now on: by `read`, unless somebody else's is about to begin.
    pub fn join<R>(&self, key: &K, read: R) -> Read<T>
    where
        R: Future<Output = T> + Send + 'static,
    {
        let mut lanes = self.lanes();
        lanes.retain(|_, lane| Arc::strong_count(&lane.turn) > 1);
        let lane = lanes.entry(key.clone()).or_insert_with(|| Lane {
            turn: Arc::default(),
            next: None,
        });
        if let Some(next) = lane.next.as_ref().and_then(WeakShared::upgrade) {
            return next;
        }
        let (reads, key, turn) = (self.clone(), key.clone(), lane.turn.clone());
        let next = async move {
            let _turn = turn.lock().await;
            if let Some(lane) = reads.lanes().get_mut(&key) {
                lane.next = None;
            }
            read.await
        };
        let next = next.boxed().shared();
        lane.next = next.downgrade();
        next
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<K, Lane<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Reads that say how many came before them, and take until they are let through.
    #[derive(Default)]
    struct Source {
        begun: Arc<AtomicUsize>,
        gate: Option<Arc<Semaphore>>,
        reads: SharedReads<&'static str, usize>,
    }

    impl Source {
        fn with_gate() -> Self {
            Self {
                gate: Some(Arc::new(Semaphore::new(0))),
                ..Self::default()
            }
        }

        fn ask(&self, key: &'static str) -> tokio::task::JoinHandle<usize> {
            let (begun, gate) = (self.begun.clone(), self.gate.clone());
            tokio::spawn(self.reads.join(&key, async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                if let Some(gate) = gate {
                    gate.acquire().await.unwrap().forget();
                }
                number
            }))
        }

        async fn until_begun(&self, number: usize) {
            while self.begun.load(Ordering::SeqCst) < number {
                tokio::task::yield_now().await;
            }
        }

        fn let_through(&self, number: usize) {
            self.gate.as_ref().unwrap().add_permits(number);
        }
    }

    #[tokio::test]
    async fn who_asks_during_a_read_shares_the_next_one() {
        let source = Source::with_gate();
        let first = source.ask("a");
        source.until_begun(1).await;
        let others: Vec<_> = (0..10).map(|_| source.ask("a")).collect();
        source.let_through(2);
        assert_eq!(first.await.unwrap(), 0);
        for other in join_all(others).await {
            assert_eq!(other.unwrap(), 1);
        }
        assert_eq!(source.begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn reads_of_other_kinds_do_not_wait() {
        let source = Source::with_gate();
        let asked = [source.ask("a"), source.ask("b")];
        source.until_begun(2).await;
        source.let_through(2);
        join_all(asked).await;
    }

    #[tokio::test]
    async fn who_gives_up_keeps_nobody_waiting() {
        let source = Source::with_gate();
        let running = source.ask("a");
        source.until_begun(1).await;
        let waiting = source.ask("a");
        tokio::task::yield_now().await;
        waiting.abort();
        waiting.await.unwrap_err();
        let patient = source.ask("a");
        running.abort();
        running.await.unwrap_err();
        source.until_begun(2).await;
        source.let_through(1);
        assert_eq!(patient.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_what_nobody_waits_for() {
        let source = Source::default();
        for key in ["a", "b", "c"] {
            source.ask(key).await.unwrap();
        }
        drop(source.reads.join(&"d", async { 0 }));
        assert_eq!(source.reads.lanes().len(), 1, "the last one, until somebody asks");
    }
}
