//! Objects of a kind that the leader looks at one by one: each when it says something new, and again from time to time,
//! since what it depends on changes without it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::error::{Doing as _, DriveError, OrGone as _};

/// Objects a page.
const PAGE: u32 = 100;
/// Before a look that came to nothing is taken again.
const AGAIN: Duration = Duration::from_secs(5);
/// The same, where somebody else wrote into it meanwhile.
const STALE: Duration = Duration::from_secs(1);

/// How objects are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two looks at one that doesn't change.
    pub(super) pause: Duration,
    /// So many are looked at at a time.
    pub(super) at_once: usize,
}

/// Looks at all objects of a kind for as long as it is polled. It ends only by a failure of its own.
pub(super) async fn run<K, Look>(
    client: &Client,
    pace: Pace,
    look: impl Fn(K) -> Look,
) -> Result<(), DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    Look: Future<Output = Result<(), DriveError>>,
{
    let api = Api::<K>::all(client.clone());
    let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
    let mut rounds = Rounds::new(pace.pause);
    let mut looks = FuturesUnordered::new();
    loop {
        let due = rounds.next_due().filter(|_| looks.len() < pace.at_once);
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => rounds.absorb(event),
                Some(Err(error)) => warn!(%error, kind = &*K::kind(&()), "watching objects"),
                None => return Err(DriveError::Ended("a watch")),
            },
            Some(look) = looks.next() => rounds.end(look),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((uid, object)) = rounds.begin() {
                    looks.push(look(object).map(|done| Looked { uid, done }));
                }
            }
        }
    }
}

/// Writes what was found into the status, where that says something new. A version later than the one that was looked at
/// is left alone: it is looked at again.
pub(super) async fn report<K, Status>(
    client: &Client,
    object: &K,
    before: Option<&Status>,
    after: &Status,
) -> Result<(), DriveError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    Status: PartialEq + Serialize,
{
    if before == Some(after) {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "resourceVersion": object.resource_version() },
        "status": after,
    });
    let api = Api::<K>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let written = api
        .patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    let what = format!("write the status of a {}", K::kind(&()));
    written.or_gone().doing(what).map(drop)
}

/// The objects of a kind, and when each is looked at next.
struct Rounds<K> {
    pause: Duration,
    known: BTreeMap<String, Known<K>>,
    /// What a listing under way has named so far.
    listed: BTreeMap<String, Known<K>>,
}

struct Known<K> {
    object: K,
    due: Instant,
}

/// What came of a look.
struct Looked {
    uid: String,
    done: Result<(), DriveError>,
}

impl<K: Resource<DynamicType = ()> + Clone> Rounds<K> {
    fn new(pause: Duration) -> Self {
        Self {
            pause,
            known: BTreeMap::new(),
            listed: BTreeMap::new(),
        }
    }

    fn absorb(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                let (uid, known) = self.see(object);
                self.listed.insert(uid, known);
            }
            Event::InitDone => self.known = std::mem::take(&mut self.listed),
            Event::Apply(object) => {
                let (uid, known) = self.see(object);
                self.known.insert(uid, known);
            }
            Event::Delete(object) => {
                self.known.remove(&object.uid().unwrap_or_default());
            }
        }
    }

    /// As it is seen now: what it says is looked at once, what others write into it changes nothing.
    fn see(&self, object: K) -> (String, Known<K>) {
        let uid = object.uid().unwrap_or_default();
        let before = self.known.get(&uid);
        let same = before.filter(|known| known.object.meta().generation == object.meta().generation);
        let due = same.map_or_else(Instant::now, |known| known.due);
        (uid, Known { object, due })
    }

    fn next_due(&self) -> Option<Instant> {
        self.known.values().map(|known| known.due).min()
    }

    /// What is looked at now.
    fn begin(&mut self) -> Option<(String, K)> {
        let (uid, known) = self.known.iter_mut().min_by_key(|(_, known)| known.due)?;
        known.due = Instant::now() + self.pause;
        Some((uid.clone(), known.object.clone()))
    }

    fn end(&mut self, Looked { uid, done }: Looked) {
        let (Err(error), Some(known)) = (done, self.known.get_mut(&uid)) else {
            return;
        };
        let pause = if error.is_conflict() { STALE } else { AGAIN };
        known.due = known.due.min(Instant::now() + pause);
        if !error.is_conflict() {
            let (kind, namespace, name) = (K::kind(&()), known.object.namespace(), known.object.name_any());
            warn!(%error, kind = &*kind, namespace, name, "looking at it; trying again");
        }
    }
}

#[cfg(test)]
mod tests {
    use clusterbackup_api::BackupInstance;

    use super::*;

    const PAUSE: Duration = Duration::from_mins(1);

    fn instance(uid: &str, generation: i64) -> BackupInstance {
        let object = json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupInstance",
            "metadata": { "name": uid, "namespace": "shop", "uid": uid, "generation": generation },
            "spec": {},
        });
        serde_json::from_value(object).unwrap()
    }

    fn due_now(rounds: &Rounds<BackupInstance>) -> bool {
        rounds.next_due().is_some_and(|due| due <= Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn what_says_something_new_is_looked_at_at_once() {
        let mut rounds = Rounds::new(PAUSE);
        rounds.absorb(Event::Apply(instance("a", 1)));
        assert!(due_now(&rounds));
        rounds.begin().unwrap();
        rounds.absorb(Event::Apply(instance("a", 1)));
        assert_eq!(
            rounds.next_due(),
            Some(Instant::now() + PAUSE),
            "a status is nothing new"
        );
        rounds.absorb(Event::Apply(instance("a", 2)));
        assert!(due_now(&rounds));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_came_to_nothing_is_taken_again_soon() {
        let mut rounds = Rounds::new(PAUSE);
        rounds.absorb(Event::Apply(instance("a", 1)));
        let (uid, _) = rounds.begin().unwrap();
        let done = Err(DriveError::Superseded);
        rounds.end(Looked { uid, done });
        assert_eq!(rounds.next_due(), Some(Instant::now() + AGAIN));
        let (uid, _) = rounds.begin().unwrap();
        rounds.end(Looked { uid, done: Ok(()) });
        assert_eq!(rounds.next_due(), Some(Instant::now() + PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_listing_forgets_what_is_gone_and_keeps_the_rounds() {
        let mut rounds = Rounds::new(PAUSE);
        for uid in ["a", "b"] {
            rounds.absorb(Event::Apply(instance(uid, 1)));
            rounds.begin().unwrap();
        }
        rounds.absorb(Event::Init);
        rounds.absorb(Event::InitApply(instance("b", 1)));
        assert_eq!(rounds.known.len(), 2, "not before all are listed");
        rounds.absorb(Event::InitDone);
        assert_eq!(rounds.known.keys().collect::<Vec<_>>(), ["b"]);
        assert!(!due_now(&rounds));
        rounds.absorb(Event::Delete(instance("b", 1)));
        assert!(rounds.begin().is_none());
    }
}
