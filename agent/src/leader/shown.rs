//! The objects of a kind as a watch shows them, for whoever asks about many at once.

use std::fmt::Debug;

use futures::Stream;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

/// Objects a page: a Backup may be large.
pub(super) const PAGE: u32 = 20;

/// Watches a kind in all namespaces. What `slim` leaves of an object is kept, for as long as the events are read.
pub(super) fn shown<K>(
    client: &Client,
    slim: fn(&mut K),
) -> (Store<K>, impl Stream<Item = watcher::Result<Event<K>>> + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    of(client, Config::default(), slim)
}

/// The same of those that carry a label.
pub(super) fn labelled<K>(
    client: &Client,
    label: &str,
    slim: fn(&mut K),
) -> (Store<K>, impl Stream<Item = watcher::Result<Event<K>>> + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    of(client, Config::default().labels(label), slim)
}

fn of<K>(
    client: &Client,
    config: Config,
    slim: fn(&mut K),
) -> (Store<K>, impl Stream<Item = watcher::Result<Event<K>>> + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let config = config.page_size(PAGE);
    let events = watcher(Api::<K>::all(client.clone()), config).default_backoff();
    (store, events.modify(slim).reflect(writer))
}
