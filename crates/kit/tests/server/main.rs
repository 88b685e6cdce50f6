//! The server's promises, kept on real sockets: deadlines, bounds, exchange of the certificate, the drain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod running;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clusterbackup_kit::server::Limits;
use http::{Response, StatusCode, header::CONNECTION};
use running::{BODY, Running, SOON, Trusting, post, quick, until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn http_1_1_alone_is_offered() {
    let running = Running::start(quick()).await;
    let stream = running.client.stream().await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_off_before_the_handshake() {
    let running = Running::start(quick()).await;
    let mut silent = TcpStream::connect(running.client.address).await.unwrap();
    assert_cut_off(&mut silent).await;
    until(|| running.has_refused_one_for("handshake_timeout")).await;
}

#[tokio::test]
async fn a_handshake_that_is_none_is_counted() {
    let running = Running::start(quick()).await;
    let mut plain = TcpStream::connect(running.client.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    until(|| running.has_refused_one_for("handshake_tls")).await;
}

#[tokio::test]
async fn headers_that_do_not_end_are_cut_off() {
    let running = Running::start(quick()).await;
    let mut slow = running.client.stream().await;
    slow.write_all(b"POST / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    assert_cut_off(&mut slow).await;
    until(|| running.has_refused_one_for("headers_timeout")).await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_counted() {
    let running = Running::start(quick()).await;
    let mut other = running.client.stream().await;
    other.write_all(b"EHLO x\r\n\r\n").await.unwrap();
    until(|| running.has_refused_one_for("not_http")).await;
}

#[tokio::test]
async fn headers_that_do_not_end_are_cut_off_on_a_kept_connection_too() {
    let limits = Limits {
        idle: Duration::from_mins(10),
        ..quick()
    };
    let running = Running::start(limits).await;
    let mut stream = running.client.stream().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_cut_off(&mut stream).await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_timeout_but_not_its_own() {
    let limits = Limits {
        idle: Duration::from_secs(2),
        ..quick()
    };
    let headers = limits.headers;
    let running = Running::start(limits).await;
    let mut kept = running.client.connect().await;
    assert_eq!(
        post(&mut kept, Bytes::new()).await.unwrap().status(),
        StatusCode::OK
    );
    // The one sleep with a meaning: longer than the header timeout without a byte.
    tokio::time::sleep(headers * 2).await;
    assert_eq!(
        post(&mut kept, Bytes::new()).await.unwrap().status(),
        StatusCode::OK
    );
    until(|| kept.is_closed()).await;
    until(|| running.scrape().contains("clusterbackup_server_connections 0")).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_the_client_sees_why() {
    let running = Running::start(quick()).await;
    for (size, expected) in [
        (0, StatusCode::OK),
        (BODY, StatusCode::OK),
        (BODY + 1, StatusCode::PAYLOAD_TOO_LARGE),
        (BODY * 2, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let mut client = running.client.connect().await;
        let answer = post(&mut client, vec![b'x'; size].into()).await.unwrap();
        assert_eq!(answer.status(), expected, "{size} bytes");
    }
}

#[tokio::test]
async fn a_body_that_is_announced_far_too_large_is_refused_unread() {
    let running = Running::start(quick()).await;
    let mut stream = running.client.stream().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    timeout(SOON, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let running = Running::start(quick()).await;
    let mut stream = running.client.stream().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")
        .await
        .unwrap();
    let mut answer = [0; 12];
    timeout(SOON, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn connections_over_the_bound_wait_until_one_ends() {
    let limits = Limits {
        connections: 1,
        idle: Duration::from_mins(10),
        ..quick()
    };
    let running = Running::start(limits).await;
    let mut first = running.client.connect().await;
    post(&mut first, Bytes::new()).await.unwrap();
    let waiting = tokio::spawn({
        let trust = running.client.clone();
        async move { trust.connect().await }
    });
    until(|| running.scrape().contains("clusterbackup_server_connections 1")).await;
    assert!(!waiting.is_finished());
    assert!(
        running
            .scrape()
            .contains("clusterbackup_server_connection_waits_total 1")
    );
    drop(first);
    let mut second = timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(
        post(&mut second, Bytes::new()).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_certificate_exchanged_under_load_fails_no_new_connection() {
    let running = Running::start(quick()).await;
    let exchanging = tokio::spawn({
        let (identity, authority) = (running.identity.clone(), running.authority.clone());
        async move {
            loop {
                authority.issue_into(&identity);
                tokio::task::yield_now().await;
            }
        }
    });
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let stream = running.client.stream().await;
        seen.insert(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec());
    }
    exchanging.abort();
    assert!(seen.len() > 1, "the certificate was never exchanged");
}

#[tokio::test]
async fn a_panicking_handler_ends_one_connection_and_no_more() {
    let running = Running::start_with(quick(), |_| async { panic!("a bug") }).await;
    for _ in 0..3 {
        let mut client = running.client.connect().await;
        assert!(post(&mut client, Bytes::new()).await.is_err());
    }
    until(|| running.scrape().contains("clusterbackup_server_connections 0")).await;
}

#[tokio::test]
async fn in_the_grace_all_is_served_and_every_answer_says_close() {
    let limits = Limits {
        grace: Duration::from_mins(10),
        ..quick()
    };
    let running = Running::start(limits).await;
    let mut kept = running.client.connect().await;
    let before = post(&mut kept, Bytes::new()).await.unwrap();
    assert!(!before.headers().contains_key(CONNECTION));

    running.stopping.cancel();
    let on_kept = post(&mut kept, Bytes::new()).await.unwrap();
    let on_new = post(&mut running.client.connect().await, Bytes::new())
        .await
        .unwrap();
    for answer in [on_kept, on_new] {
        assert_eq!(
            (answer.status(), answer.headers()[CONNECTION].to_str().unwrap()),
            (StatusCode::OK, "close")
        );
    }
    until(|| kept.is_closed()).await;
}

/// Clients as an API server has them: kept connections, and a new one when the server closed the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_no_request() {
    let limits = Limits {
        grace: Duration::from_secs(3),
        ..quick()
    };
    let running = Running::start(limits).await;
    let answered = Arc::new(AtomicUsize::new(0));
    // The endpoint is taken away some time after the drain began, before the grace ends.
    let removed = CancellationToken::new();
    let clients: Vec<_> = (0..8)
        .map(|_| tokio::spawn(load(running.client.clone(), answered.clone(), removed.clone())))
        .collect();
    until(|| answered.load(Ordering::Relaxed) > 100).await;
    running.stopping.cancel();
    let so_far = answered.load(Ordering::Relaxed);
    until(|| answered.load(Ordering::Relaxed) > so_far + 100).await;
    removed.cancel();
    for client in clients {
        client.await.unwrap();
    }
    running.drained().await;
}

async fn load(trust: Trusting, answered: Arc<AtomicUsize>, removed: CancellationToken) {
    let mut client = trust.connect().await;
    while !removed.is_cancelled() {
        if client.ready().await.is_err() {
            client = trust.connect().await;
        }
        let answer = post(&mut client, Bytes::from_static(b"{}"))
            .await
            .expect("a lost request");
        assert_eq!(answer.status(), StatusCode::OK);
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_of_the_grace_is_answered() {
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (arrived, go) = (arrived.clone(), go.clone());
        move |_| {
            let (arrived, go) = (arrived.clone(), go.clone());
            async move {
                arrived.notify_one();
                go.notified().await;
                Response::new(Bytes::from_static(b"late").into())
            }
        }
    };
    let running = Running::start_with(quick(), handler).await;
    let mut idle = running.client.connect().await;
    go.notify_one();
    post(&mut idle, Bytes::new()).await.unwrap();
    arrived.notified().await;
    let mut client = running.client.connect().await;
    let request = tokio::spawn(async move {
        post(&mut client, Bytes::new())
            .await
            .map(|answer| answer.status())
    });
    arrived.notified().await;

    running.stopping.cancel();
    until(|| refuses(running.client.address)).await;
    go.notify_one();
    assert_eq!(request.await.unwrap().unwrap(), StatusCode::OK);
    assert!(
        post(&mut idle, Bytes::new()).await.is_err(),
        "an idle connection is closed"
    );
    running.drained().await;
}

#[tokio::test]
async fn what_never_ends_is_cut_off_when_the_drain_ends() {
    let limits = Limits {
        drain: Duration::from_millis(100),
        ..quick()
    };
    let running = Running::start_with(limits, |_| std::future::pending()).await;
    let mut client = running.client.connect().await;
    let request = tokio::spawn(async move { post(&mut client, Bytes::new()).await.map(drop) });
    running.stopping.cancel();
    running.drained().await;
    assert!(request.await.unwrap().is_err());
}

async fn assert_cut_off(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    // Either an end or a reset, as long as it comes.
    drop(
        timeout(SOON, stream.read_to_end(&mut rest))
            .await
            .expect("the connection stays open"),
    );
}

fn refuses(address: SocketAddr) -> bool {
    std::net::TcpStream::connect(address).is_err()
}
