//! The one way to a Kubernetes client: configuration by kube's inference (`KUBECONFIG`, `~/.kube/config`, the pod's
//! service account), deadlines and a user agent.

use std::time::Duration;

use http::{HeaderValue, header::USER_AGENT};
use kube::{Client, Config, config::InferConfigError};

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
    Ok(Client::try_from(config)?)
}
