//! Load on an HTTPS endpoint over kept connections, as an API server keeps them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Where the load goes.
#[derive(Clone)]
pub(super) struct Target {
    address: SocketAddr,
    server: ServerName<'static>,
    path: &'static str,
    tls: TlsConnector,
}

/// How fast requests follow each other.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// On each connection the next as soon as the last is answered: what it can do.
    ClosedLoop,
    /// So many a second over all connections, whatever the answers take.
    PerSecond(u32),
}

/// What was measured.
pub(super) struct Report {
    /// In rising order.
    latencies: Vec<Duration>,
    took: Duration,
}

impl Target {
    /// `authority` is the PEM of who signed the certificate, which is for `server`.
    pub(super) fn new(
        address: SocketAddr,
        server: String,
        path: &'static str,
        authority: &str,
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address,
            server: ServerName::try_from(server)?,
            path,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Posts the bodies in turn over so many connections for `time`. A single answer that is no admission is an error.
    pub(super) async fn load(
        &self,
        bodies: &[Bytes],
        connections: u32,
        pace: Pace,
        time: Duration,
    ) -> Result<Report> {
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(Connection::open(self, bodies).await?);
        }
        let start = Instant::now();
        let mut workers = JoinSet::new();
        for (number, connection) in (0..).zip(opened) {
            workers.spawn(
                match pace {
                    Pace::ClosedLoop => Worker {
                        connection,
                        start,
                        time,
                        first: Duration::ZERO,
                        interval: Duration::ZERO,
                    },
                    Pace::PerSecond(rate) => {
                        let between = Duration::from_secs(1) / rate;
                        Worker {
                            connection,
                            start,
                            time,
                            first: between * number,
                            interval: between * connections,
                        }
                    }
                }
                .run(),
            );
        }
        let mut latencies = Vec::new();
        while let Some(done) = workers.join_next().await {
            latencies.extend(done??);
        }
        latencies.sort_unstable();
        Ok(Report {
            latencies,
            took: start.elapsed(),
        })
    }
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    path: &'static str,
    bodies: Vec<Bytes>,
    turn: usize,
}

impl Connection {
    async fn open(target: &Target, bodies: &[Bytes]) -> Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let stream = target
            .tls
            .connect(target.server.clone(), stream)
            .await
            .context("no TLS connection")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Whatever ends it fails the request that is under way.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: target.server.to_str().into_owned(),
            path: target.path,
            bodies: bodies.to_vec(),
            turn: 0,
        })
    }

    async fn post(&mut self) -> Result<()> {
        let body = self.bodies[self.turn % self.bodies.len()].clone();
        self.turn += 1;
        let request = Request::post(self.path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        let admitted = br#""allowed":true"#;
        ensure!(
            status == StatusCode::OK && answer.windows(admitted.len()).any(|window| window == admitted),
            "the answer is {status}: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }
}

/// One connection's share of the load.
struct Worker {
    connection: Connection,
    start: Instant,
    time: Duration,
    /// When the first request is due, after the start.
    first: Duration,
    /// From one to the next; nothing means at once.
    interval: Duration,
}

impl Worker {
    async fn run(mut self) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        let mut due = self.start + self.first;
        while self.start.elapsed() < self.time {
            let begun = if self.interval.is_zero() || due <= Instant::now() {
                // Late because the last answer was: that wait counts, or a server that stalls would look well.
                if self.interval.is_zero() {
                    Instant::now()
                } else {
                    due
                }
            } else {
                // The timer's own lateness does not count.
                tokio::time::sleep_until(due.into()).await;
                Instant::now()
            };
            self.connection.post().await?;
            latencies.push(begun.elapsed());
            due += self.interval;
        }
        Ok(latencies)
    }
}

impl Report {
    pub(super) fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.len()).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }

    /// The latency that so many thousandths of the requests stay below.
    pub(super) fn permille(&self, permille: usize) -> Duration {
        let index = (self.latencies.len() * permille / 1000).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).copied().unwrap_or_default()
    }

    pub(super) fn longest(&self) -> Duration {
        self.latencies.last().copied().unwrap_or_default()
    }
}
