//! The admin port on a real socket, as kubelet and Prometheus see it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use clusterbackup_kit::{admin, metrics::Registry, readiness::Readiness, shutdown::Shutdown};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(20);

async fn start(shutdown: &Shutdown, readiness: &Readiness) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let registry = Registry::new("test", "0").unwrap();
    shutdown.spawn(
        "admin",
        admin::serve(listener, registry, readiness.clone(), shutdown.stopped()),
    );
    address
}

async fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .expect("the connection stays open")
        .unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    send(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

#[tokio::test]
async fn ready_names_what_is_awaited_and_goes_when_the_drain_begins() {
    let shutdown = Shutdown::default();
    let readiness = Readiness::new(shutdown.stopping());
    let (rules, certificate) = (readiness.handle("rules"), readiness.handle("certificate"));
    let address = start(&shutdown, &readiness).await;

    let answer = get(address, "/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.ends_with("not ready: rules, certificate\n"),
        "{answer}"
    );
    rules.set_ready();
    certificate.set_ready();
    assert!(get(address, "/ready").await.starts_with("HTTP/1.1 200"));

    shutdown.begin();
    let answer = get(address, "/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.ends_with("not ready: shutdown\n"),
        "{answer}"
    );
    assert!(
        get(address, "/live").await.starts_with("HTTP/1.1 200"),
        "alive while it drains"
    );
    shutdown.finish(SOON).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "gone in the end");
}

#[tokio::test]
async fn metrics_come_in_the_text_format() {
    let shutdown = Shutdown::default();
    let address = start(&shutdown, &Readiness::new(shutdown.stopping())).await;
    let answer = get(address, "/metrics").await;
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4\r\n"),
        "{answer}"
    );
    assert!(answer.contains("clusterbackup_build_info"), "{answer}");
}

#[tokio::test]
async fn headers_that_do_not_end_are_cut_off() {
    let shutdown = Shutdown::default();
    let address = start(&shutdown, &Readiness::new(shutdown.stopping())).await;
    let answer = send(address, "GET /live HTTP/1.1\r\n").await;
    assert!(!answer.contains("200"), "{answer}");
}
