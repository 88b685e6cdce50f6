//! The one way to a Kubernetes client: configuration by kube's inference (`KUBECONFIG`, `~/.kube/config`, the pod's
//! service account), deadlines and a user agent.

use std::time::Duration;

use http::{HeaderValue, header::USER_AGENT};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt as _;
use kube::client::retry::RetryPolicy;
use kube::{Client, Config, config::InferConfigError};
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};
use tower_http::trace::TraceLayer;

/// An API server that doesn't accept the connection by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a watch stays silent (the server ends one after 290 s): cuts only what hangs.
const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// There is no client to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Neither a kubeconfig nor a pod's environment was found, or it can't be read.
    #[error(
        "no cluster to talk to: {0}; set KUBECONFIG to a readable file, or run in a pod with a ServiceAccount token"
    )]
    Config(#[from] InferConfigError),
    /// The user agent has characters that a header can't carry.
    #[error("`{0}` is no user agent: only visible ASCII is allowed")]
    UserAgent(String),
    /// The configuration was found, but no client can be made of it.
    #[error("failed to build a client from the cluster configuration ({0}); check its certificates and user")]
    Build(#[from] kube::Error),
}

/// A client for the cluster that the environment names. Makes no call yet; [`crate::crypto::install`] comes first.
pub async fn connect(user_agent: &str) -> Result<Client, ClientError> {
    let agent =
        HeaderValue::from_str(user_agent).map_err(|_| ClientError::UserAgent(user_agent.to_owned()))?;
    let mut config = Config::infer().await?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    config.headers.push((USER_AGENT, agent));
    Ok(of(config)?)
}

/// A client as kube builds it ([`Client::try_from`]: the same layers in the same order), but without Nagle's algorithm.
/// With it the first request of each new connection waits 40 ms for an acknowledgement that the server delays, and a
/// frozen application waits with it. kube takes a connector of our own in no other way than this.
pub fn of(config: Config) -> kube::Result<Client> {
    if config.proxy_url.is_some() {
        // kube says which ways through a proxy this build has.
        return Client::try_from(config);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let retry = config
        .default_retry
        .then(|| RetryLayer::new(RetryPolicy::server_retry()));
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(retry)
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .layer(TraceLayer::new_for_http())
        .map_err(BoxError::from)
        .service(legacy::Client::builder(TokioExecutor::new()).build(connector));
    Ok(Client::new(service, config.default_namespace))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::SocketAddr;

    use rustix::net::{getpeername, sockopt};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Whether Nagle's algorithm is off, for each connection of this process to an address.
    fn nodelay_of_connections_to(address: SocketAddr) -> Vec<bool> {
        let myself = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
            .filter_map(|number| pidfd_getfd(&myself, number, PidfdGetfdFlags::empty()).ok())
            .filter(|file| {
                let peer = getpeername(file).ok().flatten();
                peer.and_then(|peer| SocketAddr::try_from(peer).ok()) == Some(address)
            })
            .map(|connection| sockopt::tcp_nodelay(connection).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_request_leaves_at_once_and_says_who_asks() {
        crate::crypto::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = Config::new(format!("http://{address}/prefix").parse().unwrap());
        config.auth_info.token = Some("secret".to_owned().into());
        config
            .headers
            .push((USER_AGENT, HeaderValue::from_static("tester/1")));
        let client = of(config).unwrap();

        let answered = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = connection.read(&mut request).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            connection.write_all(answer).await.unwrap();
            (
                connection,
                String::from_utf8_lossy(&request[..read]).to_lowercase(),
            )
        });
        let request = http::Request::get("/version").body(Vec::new()).unwrap();
        client.request_text(request).await.unwrap();
        let (_connection, asked) = answered.await.unwrap();
        assert_eq!(nodelay_of_connections_to(address), [true]);
        for part in [
            "get /prefix/version ",
            "user-agent: tester/1\r\n",
            "authorization: bearer secret\r\n",
        ] {
            assert!(asked.contains(part), "{part} is missing in {asked}");
        }
    }
}
