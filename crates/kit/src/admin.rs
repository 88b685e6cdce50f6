//! The admin port: `/live`, `/ready` and `/metrics` in plain HTTP/1.1, for kubelet and Prometheus.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{metrics::Registry, readiness::Readiness};

/// Scrapers and probes come one at a time; more than this is a mistake or an attack.
const CONNECTIONS: usize = 32;
const HEADERS: Duration = Duration::from_secs(2);
/// A scraper comes back every 15 to 60 s on a kept connection; it may as well open a new one.
const CONNECTION_LIFE: Duration = Duration::from_secs(30);
const BUFFER: usize = 8 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Serves the admin port until `stopped`. It has to outlive the drain: `/ready` is what tells that one is under way.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    readiness: Readiness,
    stopped: CancellationToken,
) -> io::Result<()> {
    let address: SocketAddr = listener.local_addr()?;
    info!(%address, "admin port open");
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let state = Arc::new((registry, readiness));
    stopped
        .run_until_cancelled(accept_all(listener, slots, state))
        .await;
    Ok(())
}

async fn accept_all(listener: TcpListener, slots: Arc<Semaphore>, state: Arc<(Registry, Readiness)>) {
    while let Ok(slot) = slots.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = state.clone();
                tokio::spawn(async move {
                    // A probe that hangs up is nobody's concern.
                    drop(timeout(CONNECTION_LIFE, connection(stream, state)).await);
                    drop(slot);
                });
            }
            Err(error) => {
                warn!(%error, "failed to accept admin connections, trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<(Registry, Readiness)>) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &state.0, &state.1);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(method: &Method, path: &str, registry: &Registry, readiness: &Readiness) -> Response<Full<Bytes>> {
    let handler: fn(&Registry, &Readiness) -> Response<Full<Bytes>> = match path {
        "/live" => |_, _| text(StatusCode::OK, "alive\n"),
        "/ready" => |_, readiness| ready(readiness),
        "/metrics" => |registry, _| metrics(registry),
        _ => {
            return text(
                StatusCode::NOT_FOUND,
                "there are /live, /ready and /metrics here\n",
            );
        }
    };
    if method == Method::GET {
        return handler(registry, readiness);
    }
    let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
    refusal
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET"));
    refusal
}

fn ready(readiness: &Readiness) -> Response<Full<Bytes>> {
    let awaited = readiness.awaited();
    if awaited.is_empty() {
        return text(StatusCode::OK, "ready\n");
    }
    text(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {}\n", awaited.join(", ")),
    )
}

fn metrics(registry: &Registry) -> Response<Full<Bytes>> {
    match registry.encode() {
        Ok(scrape) => respond(
            StatusCode::OK,
            HeaderValue::from_static(Registry::MEDIA_TYPE),
            scrape,
        ),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, TEXT, body)
}

fn respond(status: StatusCode, media_type: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_one_clear_answer() {
        let registry = Registry::new("test", "0").unwrap();
        let readiness = Readiness::new(CancellationToken::new());
        let rules = readiness.handle("rules");
        let status = |method: Method, path| answer(&method, path, &registry, &readiness).status().as_u16();

        assert_eq!(status(Method::GET, "/ready"), 503);
        rules.set_ready();
        let cases = [
            (Method::GET, "/live", 200),
            (Method::GET, "/ready", 200),
            (Method::GET, "/metrics", 200),
            (Method::GET, "/", 404),
            (Method::POST, "/intercept", 404),
            (Method::POST, "/metrics", 405),
        ];
        for (method, path, expected) in cases {
            assert_eq!(status(method.clone(), path), expected, "{method} {path}");
        }
        let scrape = answer(&Method::GET, "/metrics", &registry, &readiness);
        assert_eq!(scrape.headers()[CONTENT_TYPE], "text/plain; version=0.0.4");
    }
}
