//! The cluster of the current context: how it is reached, and what is told where it doesn't answer.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::Error;

/// An API server that takes longer is told of as one that doesn't answer.
const LIMIT: Duration = Duration::from_secs(15);

/// Runs a command that asks the cluster.
pub(crate) fn run<T>(work: impl AsyncFnOnce(Client) -> Result<T, Error>) -> Result<T, Error> {
    without(async || work(client().await?).await)
}

/// The way to the cluster.
pub(crate) async fn client() -> Result<Client, Error> {
    let agent = concat!("kubectl-clusterbackup/", env!("CARGO_PKG_VERSION"));
    clusterbackup_kit::client::connect(agent)
        .await
        .map_err(Error::Client)
}

/// Runs a command that waits for others than the cluster.
pub(crate) fn without<T>(work: impl AsyncFnOnce() -> Result<T, Error>) -> Result<T, Error> {
    clusterbackup_kit::crypto::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(work())
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

/// An object that has to be there. `kinds` is what it is called in URLs, with its group.
pub(crate) async fn get<K>(client: &Client, kinds: &str, namespace: &str, name: &str) -> Result<K, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let found = answer(&format!("get {kinds}"), namespace, api.get_opt(name)).await;
    found.map_err(Error::Cluster)?.ok_or_else(|| {
        Error::Cluster(format!(
            "there is no {} {namespace}/{name}; `kubectl get {kinds} --all-namespaces` lists all there are",
            K::kind(&())
        ))
    })
}

/// All objects of a kind in a namespace.
pub(crate) async fn list<K>(client: &Client, kinds: &str, namespace: &str) -> Result<Vec<K>, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let all = ListParams::default();
    let found = answer(&format!("list {kinds}"), namespace, api.list(&all)).await;
    Ok(found.map_err(Error::Cluster)?.items)
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
        kube::Error::Api(status) => format!("failed to {what}{place}: {}", status.message),
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
