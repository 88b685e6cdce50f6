//! Objects of a kind that are driven, each from where it stands to its end by one task: which of them there is something to
//! do for, how many at a time, and when one that failed is driven again.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::error::DriveError;
use super::shown::PAGE;

/// Between two attempts at one that could not be driven: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Nothing is due for longer than this without a look.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A kind whose objects are driven.
pub(super) trait Driven:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + 'static
{
    /// What is known of one.
    type Status: Clone + Default + PartialEq + Send;
    /// Where one stands.
    type Phase: Copy + PartialEq + Send;

    /// What is known of it.
    fn status(&self) -> Option<&Self::Status>;
    /// The same, to be written.
    fn status_mut(&mut self) -> &mut Option<Self::Status>;
    /// Where it stands, by its status.
    fn phase(status: &Self::Status) -> Option<Self::Phase>;
    /// Whether a phase is the last one.
    fn is_end(phase: Self::Phase) -> bool;
    /// Whether something is under way that is to be taken up before others begin.
    fn is_under_way(phase: Self::Phase) -> bool;
    /// Whether a person wants it stopped.
    fn is_cancelled(&self) -> bool;
    /// Whether one that is being deleted stays until it was driven once more.
    fn is_held(&self) -> bool;
}

/// What a person wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Orders {
    /// That it runs.
    Run,
    /// That it stops.
    Cancel,
    /// That it stops and goes.
    Delete,
}

/// Which one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// Its uid.
    pub(super) uid: String,
}

/// Who drives the objects of a kind.
pub(super) trait Crew {
    /// The kind.
    type Object: Driven;
    /// More than these wait for their turn.
    const AT_ONCE: usize;

    /// Drives one to its end. Orders that nobody gives any more mean that it is gone.
    fn drive(
        &self,
        key: Key,
        orders: watch::Receiver<Orders>,
    ) -> impl Future<Output = Result<(), DriveError>> + Send + 'static;

    /// Cleans up behind those that are gone: all that there are were listed, and these are not at their end.
    async fn sweep(&self, listed: &[Key], known: &[Key]);

    /// Cleans up behind one that went while it was driven.
    async fn lost(&self, key: &Key);

    /// Counts those that are not at their end.
    fn count(&self, phases: &[Option<<Self::Object as Driven>::Phase>]);
}

/// The objects that there is something to do for.
pub(super) struct Fleet<C: Crew> {
    crew: C,
    known: BTreeMap<Key, Known<<C::Object as Driven>::Phase>>,
    drives: JoinSet<(Key, Result<(), DriveError>)>,
    /// What a listing under way has named so far.
    listed: Vec<Key>,
}

/// One that is not at its end, or is to be deleted.
struct Known<P> {
    phase: Option<P>,
    orders: watch::Sender<Orders>,
    driven: bool,
    /// When it may be driven again, and the pause after the next failure.
    due: Instant,
    pause: Duration,
}

impl<C: Crew> Fleet<C> {
    /// Drives what there is to drive for as long as it is polled. It ends only by a failure of its own.
    pub(super) async fn run(client: Client, crew: C) -> Result<(), DriveError> {
        let mut fleet = Self {
            crew,
            known: BTreeMap::new(),
            drives: JoinSet::new(),
            listed: Vec::new(),
        };
        let api = Api::<C::Object>::all(client);
        let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
        loop {
            let wake = fleet.drive();
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => fleet.absorb(event).await,
                    Some(Err(error)) => warn!(%error, kind = &*kind::<C>(), "watching objects"),
                    None => return Err(DriveError::Ended("a watch")),
                },
                Some(done) = fleet.drives.join_next() => match done {
                    Ok((key, result)) => fleet.note(&key, result).await,
                    Err(_) => return Err(DriveError::Ended("the work on an object")),
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    async fn absorb(&mut self, event: Event<C::Object>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.extend(key(&object));
                self.see(&object);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                self.known.retain(|key, _| listed.contains(key));
                let known: Vec<_> = self.known.keys().cloned().collect();
                self.crew.sweep(&listed, &known).await;
            }
            Event::Apply(object) => self.see(&object),
            Event::Delete(object) => {
                if let Some(key) = key(&object) {
                    self.known.remove(&key);
                }
            }
        }
    }

    fn see(&mut self, object: &C::Object) {
        let Some(key) = key(object) else { return };
        let phase = object.status().and_then(C::Object::phase);
        let deleting = object.meta().deletion_timestamp.is_some();
        let wanted = match (deleting, object.is_cancelled()) {
            (true, _) => Orders::Delete,
            (false, true) => Orders::Cancel,
            (false, false) => Orders::Run,
        };
        let ended = phase.is_some_and(C::Object::is_end);
        let idle = if deleting { !object.is_held() } else { ended };
        match self.known.get_mut(&key) {
            Some(known) => {
                known.phase = phase;
                known
                    .orders
                    .send_if_modified(|orders| std::mem::replace(orders, wanted) != wanted);
                if idle && !known.driven {
                    self.known.remove(&key);
                }
            }
            None if !idle => {
                let known = Known {
                    phase,
                    orders: watch::channel(wanted).0,
                    driven: false,
                    due: Instant::now(),
                    pause: FIRST_PAUSE,
                };
                self.known.insert(key, known);
            }
            None => {}
        }
        self.count();
    }

    /// Begins what is due, those that run already first, and says when something is due again.
    fn drive(&mut self) -> Instant {
        let now = Instant::now();
        let mut waiting: Vec<_> = self.known.iter().filter(|(_, known)| !known.driven).collect();
        waiting.sort_by_key(|(_, known)| !known.phase.is_some_and(C::Object::is_under_way));
        let wake = waiting
            .iter()
            .map(|(_, known)| known.due)
            .filter(|due| *due > now)
            .min();
        let due = waiting.into_iter().filter(|(_, known)| known.due <= now);
        let room = C::AT_ONCE.saturating_sub(self.drives.len());
        let begin: Vec<Key> = due.take(room).map(|(key, _)| key.clone()).collect();
        for key in begin {
            if let Some(known) = self.known.get_mut(&key) {
                known.driven = true;
                info!(
                    kind = &*kind::<C>(),
                    namespace = key.namespace,
                    name = key.name,
                    "driving it"
                );
                let driving = self.crew.drive(key.clone(), known.orders.subscribe());
                self.drives.spawn(async move { (key, driving.await) });
            }
        }
        wake.unwrap_or(now + LONGEST_WAIT)
    }

    /// A drive has ended: by itself, then the watch says what is left to do; or by a failure, then it begins again.
    async fn note(&mut self, key: &Key, done: Result<(), DriveError>) {
        let Some(known) = self.known.get_mut(key) else {
            // It is gone, by our own hand or by force.
            return self.crew.lost(key).await;
        };
        known.driven = false;
        match done {
            Ok(()) => {
                // What a watch has not told yet would be driven again, and find nothing to do.
                let deleted = *known.orders.borrow() == Orders::Delete;
                if known.phase.is_some_and(C::Object::is_end) || deleted {
                    self.known.remove(key);
                } else {
                    known.due = Instant::now() + FIRST_PAUSE;
                }
            }
            Err(error) => {
                let (kind, namespace, name) = (kind::<C>(), &key.namespace, &key.name);
                warn!(%error, kind = &*kind, namespace, name, "driving it; trying again");
                known.due = Instant::now() + known.pause;
                known.pause = (known.pause * 2).min(LONGEST_PAUSE);
            }
        }
        self.count();
    }

    fn count(&self) {
        let phases: Vec<_> = self.known.values().map(|known| known.phase).collect();
        self.crew.count(&phases);
    }
}

fn key(object: &impl Driven) -> Option<Key> {
    Some(Key {
        namespace: object.namespace()?,
        name: object.name_any(),
        uid: object.uid()?,
    })
}

fn kind<C: Crew>() -> std::borrow::Cow<'static, str> {
    C::Object::kind(&())
}
