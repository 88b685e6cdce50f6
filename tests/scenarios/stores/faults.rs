//! The vault's stores over a bad network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clusterbackup_tests::Stores;
use clusterbackup_tests::runner::scenarios;
use clusterbackup_tests::stores::{Fault, Kind, Place, Wire};
use clusterbackup_vault::store::{BlobStore as _, PART, Patience, Put, Retrying, Store, StoreError};
use futures::stream::{self, StreamExt as _};

use super::{KINDS, key, whole};

scenarios! {
    Stores: [
        a_busy_store_is_asked_again_when_it_wants_to_be,
        a_clock_that_is_wrong_is_told,
        a_blob_is_read_on_where_the_connection_was_cut,
        a_part_is_sent_again_where_the_connection_was_cut,
        who_keeps_silent_is_given_up,
        a_slow_network_is_waited_for,
    ],
}

/// Enough for a test, in which nobody is really busy.
const PATIENCE: Patience = Patience {
    attempt: Duration::from_secs(20),
    pause: Duration::from_millis(20),
    longest_pause: Duration::from_secs(1),
    total: Duration::from_mins(1),
};

/// The place behind a network of these faults, for each new connection the next.
async fn behind(place: &Place, faults: impl IntoIterator<Item = Fault>) -> Result<(Store, Wire)> {
    let wire = Wire::to(place.address, faults).await?;
    let place = Place {
        address: wire.address(),
        ..place.clone()
    };
    Ok((place.store()?, wire))
}

fn patient(store: Store) -> Store {
    Arc::new(Retrying::new(store, PATIENCE))
}

fn answer(status: &str, headers: &str, code: &str) -> Fault {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>As it is.</Message></Error>");
    let length = body.len();
    Fault::Answer(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

async fn a_busy_store_is_asked_again_when_it_wants_to_be(stores: &Stores) -> Result<()> {
    for kind in KINDS {
        let place = stores.place(kind).await?;
        let busy = [
            answer("503 Service Unavailable", "Retry-After: 1\r\n", "ServerBusy"),
            answer("429 Too Many Requests", "Retry-After: 1\r\n", "SlowDown"),
        ];
        let (store, wire) = behind(&place, busy.clone()).await?;
        let told = store.put(&key("a"), Bytes::from("x")).await;
        let wait = Some(Duration::from_secs(1));
        ensure!(
            matches!(&told, Err(StoreError::Unreachable { retry_after, .. }) if *retry_after == wait),
            "{kind:?}: {told:?}"
        );
        ensure!(wire.connections() == 1, "{kind:?}: the client itself asks once");

        let (store, wire) = behind(&place, busy).await?;
        let begin = Instant::now();
        let put = patient(store).put_if_absent(&key("b"), Bytes::from("x")).await;
        ensure!(put == Ok(Put::Stored), "{kind:?}: {put:?}");
        ensure!(
            begin.elapsed() >= Duration::from_secs(2),
            "{kind:?}: {:?}",
            begin.elapsed()
        );
        ensure!(
            wire.connections() == 3,
            "{kind:?}: {} connections",
            wire.connections()
        );
    }
    Ok(())
}

async fn a_clock_that_is_wrong_is_told(stores: &Stores) -> Result<()> {
    // Both refuse what was signed too long ago; neither server here has a clock that could be set.
    for (kind, code) in [
        (Kind::Azure, "AuthenticationFailed"),
        (Kind::S3, "RequestTimeTooSkewed"),
    ] {
        let place = stores.place(kind).await?;
        let (store, wire) = behind(&place, [answer("403 Forbidden", "", code)]).await?;
        let told = patient(store).put(&key("a"), Bytes::from("x")).await;
        ensure!(
            matches!(told, Err(StoreError::Denied { .. })),
            "{kind:?}: {told:?}"
        );
        ensure!(wire.connections() == 1, "{kind:?}: asking again wouldn't help");
        if let (Kind::S3, Err(told)) = (kind, told) {
            ensure!(told.to_string().contains("clock"), "{told}");
        }
    }
    Ok(())
}

async fn a_blob_is_read_on_where_the_connection_was_cut(stores: &Stores) -> Result<()> {
    let body: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_be_bytes).collect();
    for kind in KINDS {
        let place = stores.place(kind).await?;
        place.store()?.put(&key("a"), body.clone().into()).await?;
        let cuts = || [5_000_000, 100, 1_000_000].map(Fault::CutAnswer);

        let (store, _wire) = behind(&place, cuts()).await?;
        let told = whole(&store, &key("a")).await;
        ensure!(
            told.as_ref().is_err_and(StoreError::is_transient),
            "{kind:?}: half a blob is no blob"
        );

        let (store, wire) = behind(&place, cuts()).await?;
        let found = whole(&patient(store), &key("a")).await?;
        ensure!(found == body, "{kind:?}: {} bytes", found.len());
        ensure!(
            wire.connections() > 3,
            "{kind:?}: {} connections",
            wire.connections()
        );
    }
    Ok(())
}

async fn a_part_is_sent_again_where_the_connection_was_cut(stores: &Stores) -> Result<()> {
    let body = Bytes::from(vec![7; 2 * PART + 5]);
    for kind in KINDS {
        let place = stores.place(kind).await?;
        let cuts = [PART as u64 / 2, 1000, PART as u64 / 3].map(Fault::CutRequest);
        let (store, wire) = behind(&place, cuts).await?;
        let pieces: Vec<_> = body
            .chunks(1 << 20)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let sent = patient(store)
            .put_stream(&key("a"), stream::iter(pieces).boxed())
            .await?;
        ensure!(sent == body.len() as u64, "{kind:?}: {sent}");
        ensure!(whole(&place.store()?, &key("a")).await? == body, "{kind:?}");
        ensure!(
            wire.connections() > 3,
            "{kind:?}: {} connections",
            wire.connections()
        );
    }
    Ok(())
}

async fn who_keeps_silent_is_given_up(stores: &Stores) -> Result<()> {
    let patience = Patience {
        attempt: Duration::from_millis(300),
        total: Duration::from_secs(3),
        ..PATIENCE
    };
    for kind in KINDS {
        let (store, _wire) = behind(&stores.place(kind).await?, vec![Fault::Silence; 1000]).await?;
        let begin = Instant::now();
        let told = Retrying::new(store, patience)
            .get_range(&key("a"), 0..1)
            .await
            .err();
        let told = told.with_context(|| format!("{kind:?}: an answer of nobody"))?;
        ensure!(
            told.to_string().contains("no answer within 300ms"),
            "{kind:?}: {told}"
        );
        ensure!(
            begin.elapsed() < Duration::from_secs(20),
            "{kind:?}: {:?}",
            begin.elapsed()
        );
    }
    Ok(())
}

async fn a_slow_network_is_waited_for(stores: &Stores) -> Result<()> {
    let body = Bytes::from(vec![7; 500_000]);
    for kind in KINDS {
        let place = stores.place(kind).await?;
        let slow = vec![Fault::Slow(Duration::from_millis(50)); 100];
        let (store, _wire) = behind(&place, slow).await?;
        let store = patient(store);
        store.put(&key("a"), body.clone()).await?;
        ensure!(whole(&store, &key("a")).await? == body, "{kind:?}");
    }
    Ok(())
}
