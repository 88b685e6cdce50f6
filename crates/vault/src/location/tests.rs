//! Places that are a vault's, and stores that lie.

use std::ops::Range;

use futures::future::{self, BoxFuture};
use futures::stream::BoxStream;
use futures::{FutureExt as _, TryStreamExt as _};

use super::*;
use crate::store::{Blob, BlobStore, Bytestream, MemoryStore, Upload};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

#[tokio::test]
async fn an_empty_place_becomes_a_vaults_once() {
    let store: Store = Arc::new(MemoryStore::new());
    let opened = (0..8).map(|_| Location::open(&store, None));
    let locations = future::try_join_all(opened).await.unwrap();
    assert!(
        locations
            .iter()
            .all(|location| location.id() == locations[0].id())
    );
    assert_eq!(locations[0].check().await, Ok(Deletion::Possible));
    let left: Vec<Blob> = store.list(None).try_collect().await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn vaults_below_prefixes_know_nothing_of_each_other() {
    let store: Store = Arc::new(MemoryStore::new());
    let one = Location::open(&store, Some(&key("a/one"))).await.unwrap();
    let other = Location::open(&store, Some(&key("a/on"))).await.unwrap();
    assert_ne!(one.id(), other.id());
    one.store().put(&key("data"), Bytes::from("x")).await.unwrap();
    assert_eq!(store.get_range(&key("a/one/data"), 0..9).await.unwrap(), "x");
    assert_eq!(other.store().list(None).count().await, 1);
}

#[tokio::test]
async fn a_vault_is_not_taken_for_another_nor_begun_anew() {
    let store: Store = Arc::new(MemoryStore::new());
    let told = Location::known(&store, None, "one").await.unwrap_err();
    assert!(matches!(told, LocationError::Gone { .. }), "{told}");
    assert_eq!(store.list(None).count().await, 0);

    let made = Location::open(&store, None).await.unwrap();
    let found = Location::known(&store, None, made.id()).await.unwrap();
    assert_eq!(found.id(), made.id());
    let told = Location::known(&store, None, "one").await.unwrap_err();
    assert!(matches!(told, LocationError::Another { .. }), "{told}");
}

#[tokio::test]
async fn a_place_that_is_not_a_vaults_is_refused_and_left_as_it_is() {
    for (name, text, problem) in [
        (
            "backups/shop.tar.gz",
            "x",
            "the location holds files, such as backups/shop.tar.gz, but no vault.json",
        ),
        ("vault.json", "", "vault.json is no marker of a vault (EOF"),
        (
            "vault.json",
            "{}",
            "vault.json is no marker of a vault (missing field `id`",
        ),
        (
            "vault.json",
            r#"{"id":"a","format":2}"#,
            "the vault has the format 2, and this version reads up to 1",
        ),
    ] {
        let store: Store = Arc::new(MemoryStore::new());
        store.put(&key(name), Bytes::from(text)).await.unwrap();
        let told = Location::open(&store, None).await.unwrap_err().to_string();
        assert!(told.starts_with(problem), "{told}");
        assert_eq!(store.list(None).count().await, 1);
        assert_eq!(store.get_range(&key(name), 0..99).await.unwrap(), text);
    }
}

#[tokio::test]
async fn a_later_writer_may_say_more_in_the_marker() {
    let store: Store = Arc::new(MemoryStore::new());
    let text = r#"{"id":"a","format":1,"colour":"red"}"#;
    store.put(&key(MARKER), Bytes::from(text)).await.unwrap();
    assert_eq!(Location::open(&store, None).await.unwrap().id(), "a");
}

#[tokio::test]
async fn a_store_that_lies_is_found_out() {
    for (lie, expected) in [
        (Lie::Overwrites, Ok("destroy each other")),
        (Lie::Corrupts, Ok("doesn't give back what was written")),
        (Lie::KeepsDeleted, Ok("still has it")),
        (Lie::Immutable, Err(Deletion::Refused)),
    ] {
        let memory = MemoryStore::new();
        let honest = Location::open(&(Arc::new(memory.clone()) as Store), None)
            .await
            .unwrap();
        let location = Location {
            store: Arc::new(Lying(memory, lie)),
            ..honest
        };
        match (location.check().await, expected) {
            (Err(error), Ok(text)) => assert!(error.to_string().contains(text), "{error}"),
            (Ok(deletion), Err(expected)) => assert_eq!(deletion, expected),
            (found, _) => panic!("{lie:?}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn a_store_that_keeps_everything_is_given_one_probe_a_day() {
    let memory = MemoryStore::new();
    let honest: Store = Arc::new(memory.clone());
    let honest = Location::open(&honest, None).await.unwrap();
    let keeping = Location {
        store: Arc::new(Lying(memory, Lie::Immutable)),
        ..honest.clone()
    };
    let begin = Timestamp::UNIX_EPOCH;
    let after = |minutes| begin + SignedDuration::from_mins(minutes);
    let probes = async || {
        let listed = honest.store.list(Some(&key(PROBES)));
        listed.count().await
    };
    for (minutes, count) in [(0, 1), (5, 1), (1430, 1), (1445, 2), (1500, 2)] {
        let found = keeping.check_at(after(minutes)).await;
        assert_eq!(
            (found, probes().await),
            (Ok(Deletion::Refused), count),
            "{minutes}"
        );
    }
    // One that somebody is perhaps at work on stays, and those that are left go once the store lets them.
    let found = honest.check_at(after(1447)).await;
    assert_eq!((found, probes().await), (Ok(Deletion::Possible), 1));
    let found = honest.check_at(after(1500)).await;
    assert_eq!((found, probes().await), (Ok(Deletion::Possible), 0));
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Overwrites,
    Corrupts,
    KeepsDeleted,
    Immutable,
}

/// Look-alikes exist that do each of these.
#[derive(Debug)]
struct Lying(MemoryStore, Lie);

impl BlobStore for Lying {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.put(key, body)
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        match self.1 {
            Lie::Overwrites => self.0.put(key, body).map(|put| put.map(|()| Put::Stored)).boxed(),
            _ => self.0.put_if_absent(key, body),
        }
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        self.0.upload(key)
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        self.0.stream(key)
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        let range = if self.1 == Lie::Corrupts {
            range.start..5
        } else {
            range
        };
        self.0.get_range(key, range)
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        self.0.list(below)
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        match self.1 {
            Lie::KeepsDeleted => future::ready(Ok(())).boxed(),
            Lie::Immutable => {
                let message = "until tomorrow".to_owned();
                let key = key.clone();
                future::ready(Err(StoreError::Immutable { key, message })).boxed()
            }
            _ => self.0.delete(key),
        }
    }
}

#[tokio::test]
async fn who_only_reads_leaves_no_marker() {
    let store: Store = Arc::new(MemoryStore::new());
    let prefix = key("shop");
    assert_eq!(
        Location::find(&store, Some(&prefix)).await.err(),
        Some(LocationError::NoVault)
    );
    assert_eq!(store.list(None).count().await, 0);
    let made = Location::open(&store, Some(&prefix)).await.unwrap();
    let found = Location::find(&store, Some(&prefix)).await.unwrap();
    assert_eq!(found.id(), made.id());
}
