//! The cluster of the current context: how it is reached, and what is told where it doesn't answer.

use std::future::Future;
use std::time::Duration;

use kube::Client;

use crate::Error;

/// An API server that takes longer is told of as one that doesn't answer.
const LIMIT: Duration = Duration::from_secs(15);

/// Runs a command that asks the cluster.
pub(crate) fn run<T>(work: impl AsyncFnOnce(Client) -> Result<T, Error>) -> Result<T, Error> {
    clusterbackup_kit::crypto::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(async {
        let client =
            clusterbackup_kit::client::connect(concat!("kubectl-clusterbackup/", env!("CARGO_PKG_VERSION")))
                .await
                .map_err(Error::Client)?;
        work(client).await
    })
}

/// What the API server says, or why it can't be had, and what to do.
pub(crate) async fn answer<T>(
    what: &str,
    namespace: &str,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, String> {
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(refusal(what, namespace, &error)),
        Err(_) => Err(format!(
            "failed to {what}{}: no answer within {} s",
            place(namespace),
            LIMIT.as_secs()
        )),
    }
}

/// Why the API server doesn't do it, and what to do.
pub(crate) fn refusal(what: &str, namespace: &str, error: &kube::Error) -> String {
    let place = place(namespace);
    match error {
        kube::Error::Api(status) if status.is_forbidden() && !is_by_admission(&status.message) => {
            format!("you may not {what}{place}; ask an administrator for that right")
        }
        kube::Error::Api(status) if status.is_not_found() => {
            format!("failed to {what}{place}: there is no such thing; is clusterbackup installed?")
        }
        error => format!("failed to {what}{place}: {error}"),
    }
}

/// Whether it was a webhook or a policy that refused, and no missing right.
fn is_by_admission(message: &str) -> bool {
    message.starts_with("admission webhook") || message.contains("ValidatingAdmissionPolicy")
}

fn place(namespace: &str) -> String {
    match namespace {
        "" => String::new(),
        namespace => format!(" in namespace {namespace}"),
    }
}
