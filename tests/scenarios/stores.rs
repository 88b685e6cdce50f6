//! The vault's stores against real servers.

pub(crate) mod faults;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clusterbackup_tests::runner::scenarios;
use clusterbackup_tests::stores::{Kind, Place};
use clusterbackup_tests::{Stores, ports};
use clusterbackup_vault::location::{Deletion, Location, LocationError};
use clusterbackup_vault::store::{Blob, Key, Store, StoreError, conformance};
use futures::TryStreamExt as _;
use jiff::Timestamp;

scenarios! {
    Stores: [
        azure_keeps_what_every_store_promises,
        s3_keeps_what_every_store_promises,
        a_shared_access_signature_is_enough,
        a_wrong_key_is_told_and_never_shown,
        a_place_that_is_not_there_is_told,
        a_server_that_is_not_there_is_told,
        a_place_becomes_a_location_and_is_checked,
    ],
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Azure, Kind::S3];

async fn azure_keeps_what_every_store_promises(stores: &Stores) -> Result<()> {
    conformance::holds(stores.place(Kind::Azure).await?.store()?).await;
    Ok(())
}

async fn s3_keeps_what_every_store_promises(stores: &Stores) -> Result<()> {
    // S3 has one winner; versitygw looks whether a file is there and then writes it, and of 16 writers now and then two win.
    conformance::holds_for_one_writer(stores.place(Kind::S3).await?.store()?).await;
    Ok(())
}

async fn a_shared_access_signature_is_enough(stores: &Stores) -> Result<()> {
    let place = stores.place(Kind::Azure).await?;
    let now = Timestamp::now();
    let store = place.store_by_signature(now + Duration::from_hours(1))?;
    store.put(&key("a/b"), Bytes::from("x")).await?;
    ensure!(store.get_range(&key("a/b"), 0..9).await? == "x");

    let over = place.store_by_signature(now - Duration::from_hours(1))?;
    for told in failures(&over).await? {
        ensure!(matches!(told, StoreError::Denied { .. }), "{told:?}");
        ensure!(!format!("{told:?} {told} {over:?}").contains("sig="), "{told}");
    }
    Ok(())
}

async fn a_wrong_key_is_told_and_never_shown(stores: &Stores) -> Result<()> {
    // What the texts would show of it: itself, in base64, or in another form of an URL.
    const CANARY: &str = "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5";
    for kind in KINDS {
        let place = Place {
            key: CANARY.to_owned(),
            ..stores.place(kind).await?
        };
        let store = place.store()?;
        for told in failures(&store).await? {
            ensure!(matches!(told, StoreError::Denied { .. }), "{kind:?}: {told:?}");
            let shown = format!("{told:?} {told} {store:?}");
            ensure!(!shown.contains(CANARY) && !shown.contains("canary"), "{shown}");
        }
    }
    Ok(())
}

async fn a_place_that_is_not_there_is_told(stores: &Stores) -> Result<()> {
    for kind in KINDS {
        let place = Place {
            name: "nowhere".to_owned(),
            ..stores.place(kind).await?
        };
        for told in failures(&place.store()?).await? {
            ensure!(
                matches!(told, StoreError::NoLocation { .. }),
                "{kind:?}: {told:?}"
            );
        }
    }
    Ok(())
}

async fn a_server_that_is_not_there_is_told(stores: &Stores) -> Result<()> {
    for kind in KINDS {
        let place = Place {
            address: ports::free()?,
            ..stores.place(kind).await?
        };
        for told in failures(&place.store()?).await? {
            ensure!(told.is_transient(), "{kind:?}: {told:?}");
            ensure!(told.to_string().contains("refused"), "{told}");
        }
    }
    Ok(())
}

async fn a_place_becomes_a_location_and_is_checked(stores: &Stores) -> Result<()> {
    for kind in KINDS {
        let store = stores.place(kind).await?.store()?;
        let made = Location::open(&store, None).await?;
        ensure!(made.check().await? == Deletion::Possible, "{kind:?}");
        let opened = Location::open(&store, None).await?;
        ensure!(
            opened.id() == made.id(),
            "{kind:?}: the same location has the same name"
        );
        let left: Vec<Blob> = store.list(None).try_collect().await?;
        ensure!(
            left.len() == 1,
            "{kind:?}: nothing but the marker is left: {left:?}"
        );

        store.put(&key("others/file"), Bytes::from("x")).await?;
        let foreign = Location::open(&store, Some(&key("others"))).await;
        ensure!(
            matches!(foreign, Err(LocationError::Foreign { .. })),
            "{kind:?}: {foreign:?}"
        );
    }
    Ok(())
}

/// What each way of asking a store fails with.
async fn failures(store: &Store) -> Result<Vec<StoreError>> {
    let key = key("a/b");
    let failures = [
        store.put(&key, Bytes::from("x")).await.err(),
        store.put_if_absent(&key, Bytes::from("x")).await.err(),
        store.get_range(&key, 0..1).await.err(),
        whole(store, &key).await.err(),
        store.list(None).try_collect::<Vec<_>>().await.err(),
        store.delete(&key).await.err(),
    ];
    failures
        .into_iter()
        .map(|failure| failure.with_context(|| format!("{store:?} did what it can't")))
        .collect()
}

pub(crate) async fn whole(store: &Store, key: &Key) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<Bytes> = store.stream(key).await?.try_collect().await?;
    Ok(pieces.concat())
}

#[allow(clippy::panic, reason = "a text of a test")]
pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap_or_else(|error| panic!("{error}"))
}
