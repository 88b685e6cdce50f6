//! A server on a loopback socket, and clients that trust it.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use clusterbackup_kit::{
    body::{self, BodyError},
    crypto,
    metrics::Registry,
    server::{Limits, Server},
    tls::Identity,
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes that isn't broken.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// The largest body that the test's handler takes.
pub(crate) const BODY: usize = 64 * 1024;

const NAME: &str = "webhook.system.svc";

/// Limits that a test can wait for.
pub(crate) fn quick() -> Limits {
    Limits {
        handshake: Duration::from_millis(200),
        headers: Duration::from_millis(200),
        grace: Duration::from_millis(20),
        drain: SOON,
        ..Limits::default()
    }
}

pub(crate) struct Running {
    pub(crate) client: Trusting,
    pub(crate) identity: Arc<Identity>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) stopping: CancellationToken,
    registry: Registry,
    server: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::start_with(limits, take_body).await
    }

    pub(crate) async fn start_with<H, F>(limits: Limits, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        crypto::install();
        let (authority, identity) = (Arc::new(Authority::new()), Arc::new(Identity::default()));
        authority.issue_into(&identity);
        let registry = Registry::new("test", "0").unwrap();
        let stopping = CancellationToken::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = Trusting {
            address: listener.local_addr().unwrap(),
            connector: authority.connector(),
        };
        let server = Server::new(listener, &identity, limits, &registry, stopping.clone()).unwrap();
        let server = tokio::spawn(server.serve(handler));
        Self {
            client,
            identity,
            authority,
            stopping,
            registry,
            server,
        }
    }

    pub(crate) fn scrape(&self) -> String {
        String::from_utf8(self.registry.encode().unwrap()).unwrap()
    }

    /// Waits until the server is drained.
    /// Whether one connection was refused for this reason.
    pub(crate) fn has_refused_one_for(&self, reason: &str) -> bool {
        let series = format!(r#"clusterbackup_server_refused_connections_total{{reason="{reason}"}} 1"#);
        self.scrape().contains(&series)
    }

    pub(crate) async fn drained(self) {
        timeout(SOON, self.server)
            .await
            .expect("the server doesn't stop")
            .unwrap();
    }
}

/// A client that trusts the server's authority.
#[derive(Clone)]
pub(crate) struct Trusting {
    pub(crate) address: SocketAddr,
    connector: TlsConnector,
}

impl Trusting {
    /// A connection after its handshake.
    pub(crate) async fn stream(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.connector
            .connect(NAME.try_into().unwrap(), stream)
            .await
            .unwrap()
    }

    /// A kept connection for requests.
    pub(crate) async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let (requests, connection) = http1::handshake(TokioIo::new(self.stream().await)).await.unwrap();
        tokio::spawn(connection);
        requests
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn post(
    client: &mut SendRequest<Full<Bytes>>,
    body: Bytes,
) -> hyper::Result<Response<Bytes>> {
    client.ready().await?;
    let request = Request::post("/")
        .header("host", NAME)
        .body(Full::new(body))
        .unwrap();
    let (head, body) = client.send_request(request).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// Waits for a condition.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waiting)
        .await
        .expect("the condition never came true");
}

async fn take_body(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let status = match body::read(request.into_body(), BODY, Duration::from_millis(200)).await {
        Ok(_) => StatusCode::OK,
        Err(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
        Err(BodyError::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// Serves another certificate from now on.
    pub(crate) fn issue_into(&self, identity: &Identity) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([NAME.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        identity
            .replace(leaf.pem().as_bytes(), key.serialize_pem().as_bytes())
            .unwrap();
    }

    fn connector(&self) -> TlsConnector {
        use rustls_pki_types::{CertificateDer, pem::PemObject as _};
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap())
            .unwrap();
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Every connection a full handshake: a resumed one shows no certificate.
        config.resumption = rustls::client::Resumption::disabled();
        TlsConnector::from(Arc::new(config))
    }
}
