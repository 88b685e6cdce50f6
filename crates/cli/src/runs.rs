//! What a leader carries out, Backups and Restores: found, watched until it has ended, stopped.
//!
//! - `progress`: how it goes on, shown while it does

pub(crate) mod progress;

use std::fmt::Debug;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use self::progress::{Display, Picture};
use crate::Error;
use crate::arguments::backup::Place;
use crate::cluster::{self, answer, refusal};
use crate::words::span;

/// A leader takes one up at once; after this one asks oneself whether there is a leader.
const UNTAKEN: Duration = Duration::from_secs(30);

/// A kind whose objects a leader carries out.
pub(crate) trait Run:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + 'static
{
    /// What it is called in URLs, with its group.
    const KINDS: &'static str;
    /// The command that follows one.
    const FOLLOW: &'static str;
    /// How far one is.
    type Picture: Picture;

    /// Whether a leader has begun.
    fn is_taken_up(&self) -> bool;
    /// Whether it is at its end.
    fn has_ended(&self) -> bool;
    /// How far it is.
    fn picture(&self) -> Self::Picture;
}

/// Those of a namespace.
pub(crate) struct Runs<K> {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    kind: PhantomData<K>,
}

impl<K: Run> Runs<K> {
    pub(crate) fn at(place: &Place, client: Client) -> Self {
        Self {
            namespace: place.namespace(&client),
            client,
            kind: PhantomData,
        }
    }

    pub(crate) fn api(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// `shop/nightly`.
    pub(crate) fn called(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }

    pub(crate) async fn get(&self, name: &str) -> Result<K, Error> {
        cluster::get(&self.client, K::KINDS, &self.namespace, name).await
    }

    /// Makes one, which a leader then takes up.
    pub(crate) async fn make(&self, run: &K) -> Result<K, Error> {
        let (api, params) = (self.api(), PostParams::default());
        let what = format!("create {}", K::KINDS);
        let made = answer(&what, &self.namespace, api.create(&params, run)).await;
        made.map_err(Error::Cluster)
    }

    /// Asks the leader to stop one.
    pub(crate) async fn cancel(&self, name: &str) -> Result<K, Error> {
        self.get(name).await?;
        let cancel = Patch::Merge(json!({ "spec": { "cancel": true } }));
        let params = PatchParams::default();
        let what = format!("patch {}", K::KINDS);
        let patched = answer(&what, &self.namespace, self.api().patch(name, &params, &cancel)).await;
        patched.map_err(Error::Cluster)
    }

    /// Shows how it goes on until it has ended.
    pub(crate) async fn until_ended(&self, name: &str, limit: Duration) -> Result<K, Error> {
        let display = Display::new(&self.called(name));
        let ended = tokio::time::timeout(limit, self.watch(name, &display)).await;
        display.close();
        ended.unwrap_or_else(|_| {
            let follow = K::FOLLOW.replace("NAME", name);
            Err(Error::Cluster(format!(
                "the {} {} has not ended within {} s; it goes on: `kubectl clusterbackup {follow} -n {}`",
                K::kind(&()),
                self.called(name),
                limit.as_secs(),
                self.namespace
            )))
        })
    }

    async fn watch(&self, name: &str, display: &Display<K::Picture>) -> Result<K, Error> {
        let mut changes = pin!(watcher::watch_object(self.api(), name).default_backoff());
        let mut taken_up = false;
        loop {
            let next = tokio::time::timeout(UNTAKEN, changes.next()).await;
            match next {
                Ok(Some(Ok(Some(run)))) => {
                    taken_up |= run.is_taken_up();
                    display.show(run.picture());
                    if run.has_ended() {
                        return Ok(run);
                    }
                }
                Ok(Some(Ok(None))) => return Err(self.deleted(name)),
                Ok(Some(Err(error))) => match is_final(&error) {
                    Some(error) => {
                        let what = format!("watch {}", K::KINDS);
                        return Err(Error::Cluster(refusal(&what, &self.namespace, error)));
                    }
                    None => display.note(&format!("the API server doesn't answer, trying again: {error}")),
                },
                Err(_) if !taken_up => display.note(
                    "nobody has taken it up yet; is there a leader? `kubectl clusterbackup agents status`",
                ),
                Ok(None) | Err(_) => {}
            }
        }
    }

    pub(crate) fn deleted(&self, name: &str) -> Error {
        Error::Cluster(format!("the {} {} was deleted", K::kind(&()), self.called(name)))
    }
}

/// A watch that another try doesn't mend: whoever may not watch now may not in a moment.
pub(crate) fn is_final(error: &watcher::Error) -> Option<&kube::Error> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return None;
    };
    matches!(error, kube::Error::Api(status) if status.is_forbidden() || status.is_not_found())
        .then_some(error)
}

/// When one began, and how long it took.
pub(crate) fn print_times(
    began: Option<&MicroTime>,
    ended: Option<&MicroTime>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(began) = began else { return Ok(()) };
    let took = ended.map_or_else(String::new, |ended| {
        format!(", took {}", span(ended.0.duration_since(began.0).unsigned_abs()))
    });
    writeln!(out, "Began:     {:.0}{took}", began.0)
}
