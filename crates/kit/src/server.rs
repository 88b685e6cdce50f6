//! HTTPS with deadlines, bounds and a drain that loses no request. HTTP/1.1 over TLS, since that is what API servers
//! speak to webhooks.
//!
//! The drain, in order: `stopping` (readiness is gone) → for a grace everything is served as before, but every answer
//! says `Connection: close`, so that clients move on by themselves while the endpoint is removed → idle connections
//! are closed and none are accepted → what is in flight may finish until a deadline → the rest is cut off.

mod connection;
mod metrics;
mod pace;

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use self::metrics::Metrics;
use crate::{
    metrics::{MetricsError, Registry},
    tls::Identity,
};

/// The deadlines and bounds of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the accepted connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request (the end of the handshake for the first one) to the end of its headers.
    pub headers: Duration,
    /// A kept connection without a request. Longer than clients keep theirs (90 s in Go), so that they close first: a
    /// request that crosses our close would be lost.
    pub idle: Duration,
    /// The most bytes that the headers of a request may have.
    pub header_bytes: usize,
    /// The most connections at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// How long everything is served after `stopping`: as long as it takes until nobody is sent here any more.
    pub grace: Duration,
    /// How long requests in flight may take after the grace.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            headers: Duration::from_secs(5),
            idle: Duration::from_mins(3),
            header_bytes: 16 * 1024,
            connections: 1024,
            grace: Duration::from_secs(8),
            drain: Duration::from_secs(10),
        }
    }
}

/// A server can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The TLS configuration is refused.
    #[error("failed to set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The metrics are refused.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The listener is broken.
    #[error("failed to read the listener's address: {0}")]
    Listener(#[from] io::Error),
}

/// An HTTPS server on a listener.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    slots: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// What every connection needs.
struct Shared {
    limits: Limits,
    metrics: Metrics,
    /// Answers say `Connection: close`.
    stopping: CancellationToken,
    /// The grace is over: idle connections go.
    closing: CancellationToken,
    /// The drain is over: all connections go.
    cut: CancellationToken,
}

impl Server {
    /// A server that shows `identity` and begins to drain when `stopping` is cancelled.
    pub fn new(
        listener: TcpListener,
        identity: &Arc<Identity>,
        limits: Limits,
        registry: &Registry,
        stopping: CancellationToken,
    ) -> Result<Self, ServerError> {
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            acceptor: TlsAcceptor::from(identity.server_config()?),
            slots: Arc::new(Semaphore::new(limits.connections)),
            shared: Arc::new(Shared {
                limits,
                metrics: Metrics::register(registry)?,
                stopping,
                closing: CancellationToken::new(),
                cut: CancellationToken::new(),
            }),
        })
    }

    /// Serves until it is drained. `handler` answers every request; a panic in it ends that request's connection only.
    pub async fn serve<H, F>(self, handler: H)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        info!(address = %self.address, "serving");
        let connections = TaskTracker::new();
        let spawn = |stream, slot| {
            let open = connection::run(
                stream,
                self.acceptor.clone(),
                self.shared.clone(),
                handler.clone(),
            );
            connections.spawn(async move {
                open.await;
                drop(slot);
            });
        };
        tokio::select! {
            never = self.accept_all(&spawn) => match never {},
            () = self.grace() => {}
        }
        self.accept_waiting(&spawn);
        drop(self.listener);

        self.shared.closing.cancel();
        connections.close();
        if timeout(self.shared.limits.drain, connections.wait())
            .await
            .is_err()
        {
            warn!(
                connections = connections.len(),
                "cutting off what is still in flight"
            );
            self.shared.cut.cancel();
            connections.wait().await;
        }
        info!("drained");
    }

    async fn grace(&self) {
        self.shared.stopping.cancelled().await;
        sleep(self.shared.limits.grace).await;
    }

    async fn accept_all(&self, spawn: &impl Fn(TcpStream, OwnedSemaphorePermit)) -> std::convert::Infallible {
        let mut pause = AcceptPause::default();
        loop {
            if self.slots.available_permits() == 0 {
                self.shared.metrics.waits.inc();
            }
            let Ok(slot) = self.slots.clone().acquire_owned().await else {
                // Nobody closes the semaphore.
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    pause = AcceptPause::default();
                    spawn(stream, slot);
                }
                Err(error) if is_of_one_connection(&error) => {
                    debug!(%error, "a connection broke before it began");
                }
                Err(error) => {
                    warn!(%error, "failed to accept connections, trying again");
                    sleep(pause.next()).await;
                }
            }
        }
    }

    /// Those who knocked before the end of the grace; closing the listener would reset them.
    fn accept_waiting(&self, spawn: &impl Fn(TcpStream, OwnedSemaphorePermit)) {
        while let Ok(slot) = self.slots.clone().try_acquire_owned() {
            match self.listener.accept().now_or_never() {
                Some(Ok((stream, _))) => spawn(stream, slot),
                _ => return,
            }
        }
    }
}

/// How long to leave a listener alone that can't accept (out of file descriptors, mostly): longer each time.
#[derive(Default)]
struct AcceptPause(u32);

impl AcceptPause {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);

    fn next(&mut self) -> Duration {
        let pause = Self::FIRST.saturating_mul(1 << self.0.min(16)).min(Self::LONGEST);
        self.0 = self.0.saturating_add(1);
        pause
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_cannot_accept_is_left_alone_longer_each_time_but_never_given_up() {
        let mut pause = AcceptPause::default();
        let pauses: Vec<_> = (0..40).map(|_| pause.next()).collect();
        assert_eq!(pauses[..3], [5, 10, 20].map(Duration::from_millis));
        assert_eq!(pauses[39], AcceptPause::LONGEST);
    }

    #[test]
    fn running_out_of_files_is_no_trouble_of_one_connection() {
        const EMFILE: i32 = 24;
        assert!(!is_of_one_connection(&io::Error::from_raw_os_error(EMFILE)));
        assert!(is_of_one_connection(&io::ErrorKind::ConnectionAborted.into()));
    }
}
