//! One connection: its handshake, its requests, its end.

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONNECTION};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::IntGauge;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;

use super::{
    Shared,
    metrics::Refusal,
    pace::{Pace, Paced, Phase},
};

/// Serves one connection until it ends, is overdue or is cut off.
pub(super) async fn run<H, F>(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>, handler: H)
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let _open = Open::count(&shared.metrics.open);
    let whole_life = async {
        if let Some(stream) = handshake(stream, &acceptor, &shared).await {
            requests(stream, &shared, handler).await;
        }
    };
    tokio::select! {
        () = whole_life => {}
        () = shared.cut.cancelled() => shared.metrics.refuse(Refusal::CutOff),
    }
}

async fn handshake(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    shared: &Shared,
) -> Option<TlsStream<TcpStream>> {
    // Answers are small and awaited: nothing is gained by collecting them.
    drop(stream.set_nodelay(true));
    let reason = match timeout(shared.limits.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => {
            debug!(%error, "handshake failed");
            // rustls' own complaints are wrapped as invalid data, all else comes from the socket.
            if error.kind() == std::io::ErrorKind::InvalidData {
                Refusal::HandshakeTls
            } else {
                Refusal::HandshakeClosed
            }
        }
        Err(_) => Refusal::HandshakeTimeout,
    };
    shared.metrics.refuse(reason);
    None
}

async fn requests<H, F>(stream: TlsStream<TcpStream>, shared: &Shared, handler: H)
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let pace = Pace::new();
    let service = service_fn(|request| {
        pace.enter(Phase::Serving);
        let answer = handler(request);
        let pace = &pace;
        async move {
            let mut answer = answer.await;
            if shared.stopping.is_cancelled() {
                answer
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            pace.enter(Phase::Idle);
            Ok::<_, Infallible>(answer)
        }
    });
    let stream = TokioIo::new(Paced::new(stream, pace.clone()));
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_header_size(shared.limits.header_bytes)
            .serve_connection(stream, service)
    );
    tokio::select! {
        end = serving.as_mut() => return ended(end, shared),
        phase = pace.overdue(&shared.limits) => return overdue(phase, shared),
        () = shared.closing.cancelled() => {}
    }
    // A request that is on its way is answered, and that answer closes the connection.
    if pace.is_idle() {
        serving.as_mut().graceful_shutdown();
    }
    tokio::select! {
        end = serving => ended(end, shared),
        phase = pace.overdue(&shared.limits) => overdue(phase, shared),
    }
}

fn ended(end: hyper::Result<()>, shared: &Shared) {
    if let Err(error) = end {
        debug!(%error, "connection ended");
        if error.is_parse() {
            shared.metrics.refuse(Refusal::NotHttp);
        }
    }
}

fn overdue(phase: Phase, shared: &Shared) {
    debug!(?phase, "connection overdue");
    if phase == Phase::Headers {
        shared.metrics.refuse(Refusal::HeadersTimeout);
    }
}

/// Counts an open connection for as long as it lives, also if its handler panics.
struct Open(IntGauge);

impl Open {
    fn count(connections: &IntGauge) -> Self {
        connections.inc();
        Self(connections.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
