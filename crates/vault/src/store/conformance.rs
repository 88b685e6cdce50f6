//! What every store promises, as one suite of tests. It runs against real stores, and panics where a promise is broken.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a suite of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use futures::future;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{BlobStore, Bytestream, Key, PART, Put, Store, StoreError};

/// More than a page of any store has, which is 1,000 with S3 and 5,000 with Azure unless asked for less.
const MANY: usize = 1_500;
const MANY_AT_ONCE: usize = 16;
const WRITERS: u8 = 16;
const LONG: usize = 20_000_000;
const PIECE: usize = 64 << 10;

/// Runs the whole suite in a store without blobs. Leaves blobs behind.
pub async fn holds(store: Store) {
    has_one_winner(store.as_ref()).await;
    holds_for_one_writer(store).await;
}

/// The suite without the race of many writers for one blob.
pub async fn holds_for_one_writer(store: Store) {
    let store = store.as_ref();
    reads_what_was_written(store).await;
    reads_ranges(store).await;
    tells_what_is_missing(store).await;
    writes_over(store).await;
    leaves_what_is_there(store).await;
    deletes_again_and_again(store).await;
    takes_long_streams_in_little_memory(store).await;
    leaves_nothing_of_a_failed_stream(store).await;
    takes_parts_again_and_in_any_order(store).await;
    lists_by_whole_segments_in_order(store).await;
    lists_many(store).await;
}

async fn reads_what_was_written(store: &dyn BlobStore) {
    for (name, body) in [
        ("empty", Bytes::new()),
        ("small", Bytes::from("text")),
        ("large", noise(3_000_000)),
    ] {
        let key = key(&format!("written/{name}"));
        store.put(&key, body.clone()).await.unwrap();
        assert_eq!(whole(store, &key).await, body, "{key}");
        let length = body.len() as u64;
        let found: Vec<u64> = store
            .list(Some(&self::key("written")))
            .try_filter(|blob| future::ready(blob.key == key))
            .map_ok(|blob| blob.size)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(found, [length], "{key} once in the list, with its length");
    }
}

async fn reads_ranges(store: &dyn BlobStore) {
    let (full, empty) = (key("ranges/full"), key("ranges/empty"));
    let body = noise(100_000);
    store.put(&full, body.clone()).await.unwrap();
    store.put(&empty, Bytes::new()).await.unwrap();
    for (range, expected) in [
        (0..1, 0..1),
        (0..100_000, 0..100_000),
        (5..70_000, 5..70_000),
        (99_999..100_000, 99_999..100_000),
        (99_999..100_001, 99_999..100_000),
        (0..u64::MAX, 0..100_000),
        (100_000..100_001, 0..0),
        (100_005..100_009, 0..0),
        (7..7, 0..0),
        (0..0, 0..0),
    ] {
        let found = store.get_range(&full, range.clone()).await.unwrap();
        assert!(
            found == body.slice(expected),
            "{range:?} is {} bytes",
            found.len()
        );
        let found = store.get_range(&empty, range.clone()).await;
        assert_eq!(found, Ok(Bytes::new()), "{range:?} of nothing");
    }
}

async fn tells_what_is_missing(store: &dyn BlobStore) {
    store.put(&key("missing/there"), Bytes::new()).await.unwrap();
    for name in ["missing/blob", "missing", "nowhere/at/all"] {
        let key = key(name);
        let missing = StoreError::NotFound { key: key.clone() };
        assert_eq!(store.stream(&key).await.err(), Some(missing.clone()), "{key}");
        assert_eq!(store.get_range(&key, 0..9).await, Err(missing.clone()), "{key}");
        assert_eq!(
            store.get_range(&key, 3..3).await,
            Err(missing),
            "{key}, nothing of it"
        );
    }
    assert_eq!(names(store, Some("nowhere")).await, [""; 0]);
}

async fn writes_over(store: &dyn BlobStore) {
    let key = key("over/blob");
    for body in ["a first, longer one", "a second one", ""] {
        store.put(&key, Bytes::from(body)).await.unwrap();
        assert_eq!(whole(store, &key).await, body);
    }
    let long = noise(PART + 1);
    store.put_stream(&key, pieces(long.clone())).await.unwrap();
    assert!(
        whole(store, &key).await == long,
        "a stream is written over a blob"
    );
    store.put(&key, Bytes::from("short")).await.unwrap();
    assert_eq!(whole(store, &key).await, "short");
}

async fn has_one_winner(store: &dyn BlobStore) {
    let key = key("race/for/it");
    let body = |writer: u8| Bytes::from(vec![writer; 50_000]);
    let racing = (0..WRITERS).map(async |writer| (writer, store.put_if_absent(&key, body(writer)).await));
    let results = future::join_all(racing).await;
    let winners: Vec<u8> = results
        .into_iter()
        .filter_map(|(writer, put)| (put.unwrap() == Put::Stored).then_some(writer))
        .collect();
    let [winner] = winners[..] else {
        panic!("of {WRITERS} writers, these were told that they have stored it: {winners:?}")
    };
    assert!(
        whole(store, &key).await == body(winner),
        "what is there is the winner's"
    );
    assert_eq!(names(store, Some("race")).await, ["race/for/it"]);
}

async fn leaves_what_is_there(store: &dyn BlobStore) {
    let key = key("absent/blob");
    for round in ["the first", "after it was deleted"] {
        let put = store.put_if_absent(&key, Bytes::from(round)).await;
        assert_eq!(put, Ok(Put::Stored), "{round}");
        let put = store.put_if_absent(&key, Bytes::from("over it")).await;
        assert_eq!(put, Ok(Put::Exists), "{round}");
        assert_eq!(whole(store, &key).await, round);
        store.delete(&key).await.unwrap();
    }
}

async fn deletes_again_and_again(store: &dyn BlobStore) {
    let (gone, stays) = (key("deleted/a"), key("deleted/b"));
    for key in [&gone, &stays] {
        store.put(key, Bytes::from("x")).await.unwrap();
    }
    for _ in 0..2 {
        store.delete(&gone).await.unwrap();
        assert_eq!(names(store, Some("deleted")).await, ["deleted/b"]);
    }
    store.delete(&key("deleted/b/c")).await.unwrap();
    store.delete(&key("deleted-never/was")).await.unwrap();
    assert_eq!(whole(store, &stays).await, "x");
}

async fn takes_long_streams_in_little_memory(store: &dyn BlobStore) {
    let long = noise(LONG);
    let key = key("long/blob");
    let alive = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));
    let source = long.clone();
    let (counted, most) = (Arc::clone(&alive), Arc::clone(&peak));
    let body = stream::iter((0..LONG).step_by(PIECE)).map(move |start| {
        let piece = source.slice(start..(start + PIECE).min(LONG)).to_vec();
        most.fetch_max(counted.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(Bytes::from_owner(Counted(piece, Arc::clone(&counted))))
    });
    assert_eq!(store.put_stream(&key, body.boxed()).await, Ok(LONG as u64));
    assert!(
        peak.load(Ordering::Relaxed) < 8,
        "the pieces of a stream aren't collected"
    );
    assert!(
        whole(store, &key).await == long,
        "a long stream comes back as it was"
    );
    let range = store.get_range(&key, 7_999_990..8_400_000).await.unwrap();
    assert!(range == long.slice(7_999_990..8_400_000), "a range across parts");
}

async fn leaves_nothing_of_a_failed_stream(store: &dyn BlobStore) {
    let broken = || StoreError::Source {
        message: "a reset connection".to_owned(),
    };
    let before = key("failed/before");
    store.put(&before, Bytes::from("before")).await.unwrap();
    for length in [0, 10, PART, 2 * PART + 9] {
        let body = move || pieces(noise(length)).chain(stream::iter([Err(broken())])).boxed();
        for key in [&before, &key("failed/new")] {
            assert_eq!(
                store.put_stream(key, body()).await,
                Err(broken()),
                "after {length} bytes"
            );
        }
        assert_eq!(
            names(store, Some("failed")).await,
            ["failed/before"],
            "after {length} bytes"
        );
        assert_eq!(whole(store, &before).await, "before", "after {length} bytes");
    }
}

async fn takes_parts_again_and_in_any_order(store: &dyn BlobStore) {
    let key = key("parts/blob");
    let body = noise(2 * PART + 3);
    let upload = store.upload(&key).await.unwrap();
    upload.part(2, body.slice(2 * PART..)).await.unwrap();
    upload.part(0, body.slice(1..=PART)).await.unwrap();
    upload.part(0, body.slice(..PART)).await.unwrap();
    upload.part(1, body.slice(PART..2 * PART)).await.unwrap();
    assert_eq!(
        names(store, Some("parts")).await,
        [""; 0],
        "not before it is completed"
    );
    upload.complete(3).await.unwrap();
    assert!(whole(store, &key).await == body, "its parts in their order");

    let upload = store.upload(&self::key("parts/given-up")).await.unwrap();
    upload.part(0, body.slice(..PART)).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(names(store, Some("parts")).await, ["parts/blob"]);
}

async fn lists_by_whole_segments_in_order(store: &dyn BlobStore) {
    // In the order of the bytes: '-' and '.' come before '/', digits and letters after it.
    let all = [
        "order/a-/x",
        "order/a-b",
        "order/a.b",
        "order/a/-",
        "order/a/b/c",
        "order/a/b0",
        "order/a0",
        "order/ab/c",
    ];
    for name in all.iter().rev() {
        store.put(&key(name), Bytes::from(*name)).await.unwrap();
    }
    assert_eq!(names(store, Some("order")).await, all);
    assert_eq!(names(store, Some("order/a")).await, all[3..6]);
    assert_eq!(names(store, Some("order/a/b")).await, ["order/a/b/c"]);
    assert_eq!(
        names(store, Some("order/a0")).await,
        [""; 0],
        "a blob isn't below itself"
    );
    let everything = names(store, None).await;
    assert!(
        everything.is_sorted()
            && all
                .iter()
                .all(|name| everything.iter().any(|other| other == name))
    );
}

async fn lists_many(store: &dyn BlobStore) {
    let all: Vec<String> = (0..MANY)
        .map(|number| format!("many/{:02}/{number:04}.json", number % 7))
        .collect();
    stream::iter(&all)
        .map(|name| async { store.put(&key(name), Bytes::from("{}")).await })
        .buffer_unordered(MANY_AT_ONCE)
        .try_collect::<()>()
        .await
        .unwrap();
    let mut sorted = all;
    sorted.sort();
    assert_eq!(names(store, Some("many")).await, sorted);
}

/// A piece that says when nobody holds it any more.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// Bytes of which no two places are alike.
fn noise(length: usize) -> Bytes {
    let mut body = Vec::with_capacity(length + 8);
    let mut word = 1_u64;
    while body.len() < length {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        body.extend_from_slice(&word.to_be_bytes());
    }
    body.truncate(length);
    body.into()
}

fn pieces(mut body: Bytes) -> Bytestream {
    let next = move || (!body.is_empty()).then(|| Ok(body.split_to(PIECE.min(body.len()))));
    stream::iter(std::iter::from_fn(next)).boxed()
}

async fn whole(store: &dyn BlobStore, key: &Key) -> Bytes {
    let pieces = store.stream(key).await.unwrap();
    let whole: BytesMut = pieces
        .try_fold(BytesMut::new(), async |mut whole, piece| {
            whole.extend_from_slice(&piece);
            Ok(whole)
        })
        .await
        .unwrap();
    whole.freeze()
}

async fn names(store: &dyn BlobStore, below: Option<&str>) -> Vec<String> {
    let below = below.map(key);
    let blobs = store.list(below.as_ref());
    blobs
        .map_ok(|blob| blob.key.to_string())
        .try_collect()
        .await
        .unwrap()
}
