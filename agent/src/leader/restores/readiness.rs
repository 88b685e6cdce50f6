//! Whether what was restored becomes ready: watched, never polled, and not for longer than was asked for.
//!
//! - `reasons`: why something is not ready, for a person

mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clusterbackup_api::labels::RESTORE;
use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_core::restore::{Binding, Readiness};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream, SelectAll};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub(super) use self::reasons::explain;
use crate::leader::error::{Doing as _, DriveError};
use crate::leader::listed;

/// Objects a page of a watch.
const PAGE: u32 = 100;
/// The provisioner of classes that none makes volumes for.
const NOBODY: &str = "kubernetes.io/no-provisioner";

/// What was created and tells whether it is ready.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaited {
    /// Which objects.
    objects: BTreeSet<ObjectId>,
    /// Their kinds, and where those are.
    kinds: BTreeMap<GroupResource, ApiResource>,
    /// The value of the label that they carry.
    label: String,
}

/// What is known of each of them.
pub(super) type Known = BTreeMap<ObjectId, Readiness>;

/// When claims get their volumes, by their classes.
type Bindings = BTreeMap<String, Binding>;

impl Awaited {
    /// An object was created, as `object` says.
    pub(super) fn add(&mut self, id: &ObjectId, kind: &ApiResource, object: &Value) {
        if !Readiness::is_told_by(&id.kind) {
            return;
        }
        if let Some(label) = object["metadata"]["labels"][RESTORE].as_str() {
            label.clone_into(&mut self.label);
            self.kinds.entry(id.kind.clone()).or_insert_with(|| kind.clone());
            self.objects.insert(id.clone());
        }
    }

    /// The claims among them.
    fn claims(&self) -> Self {
        let is_claim = |object: &&ObjectId| object.kind == Kind::claims();
        Self {
            objects: self.objects.iter().filter(is_claim).cloned().collect(),
            ..self.clone()
        }
    }

    /// Waits until claims have their volumes whose class makes them at once, or the time is over.
    pub(super) async fn bound(
        &self,
        client: &Client,
        limit: Duration,
        stop: &CancellationToken,
    ) -> Result<(), DriveError> {
        let claims = self.claims();
        if claims.objects.is_empty() || limit.is_zero() {
            return Ok(());
        }
        let bindings = bindings(client).await?;
        let judge = |kind: &GroupResource, claim: &Value| match binding(&bindings, claim) {
            immediate @ Some(Binding::Immediate) => Readiness::of(kind, claim, immediate),
            _ => Readiness::Ready,
        };
        let deadline = Instant::now() + limit;
        claims
            .settle(client, deadline, stop, judge, |_| {})
            .await
            .map(drop)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Waits until all of them are ready, or can't be any more, or the time is over; answers what is known then.
    pub(super) async fn ready(
        &self,
        client: &Client,
        limit: Duration,
        stop: &CancellationToken,
        show: impl Fn(&Known),
    ) -> Result<Known, DriveError> {
        let deadline = Instant::now() + limit;
        let bindings = bindings(client).await?;
        let judge =
            |kind: &GroupResource, object: &Value| Readiness::of(kind, object, binding(&bindings, object));
        self.settle(client, deadline, stop, judge, show).await
    }

    async fn settle(
        &self,
        client: &Client,
        deadline: Instant,
        stop: &CancellationToken,
        judge: impl Fn(&GroupResource, &Value) -> Readiness,
        show: impl Fn(&Known),
    ) -> Result<Known, DriveError> {
        let unheard = || Readiness::Waiting("it can't be watched".to_owned());
        let mut known: Known = self.objects.iter().map(|id| (id.clone(), unheard())).collect();
        let mut events = self.watch(client);
        let mut listed = BTreeSet::new();
        loop {
            show(&known);
            if !known.values().any(|one| matches!(one, Readiness::Waiting(_))) {
                break;
            }
            let (kind, event) = tokio::select! {
                event = events.next() => event.ok_or(DriveError::Ended("a watch"))?,
                () = sleep_until(deadline) => break,
                () = stop.cancelled() => break,
            };
            match event {
                Ok(Event::InitApply(object)) => {
                    let id = id(&kind, &object);
                    note(&mut known, &id, &object, &judge);
                    listed.insert(id);
                }
                Ok(Event::Apply(object)) => note(&mut known, &id(&kind, &object), &object, &judge),
                Ok(Event::Delete(object)) => lose(&mut known, |lost| *lost == id(&kind, &object)),
                Ok(Event::InitDone) => {
                    lose(&mut known, |lost| lost.kind == kind && !listed.contains(lost));
                }
                Ok(Event::Init) => listed.retain(|id: &ObjectId| id.kind != kind),
                Err(error) => warn!(%error, %kind, "watching what was restored"),
            }
        }
        Ok(known)
    }

    /// One watch for each kind.
    fn watch(
        &self,
        client: &Client,
    ) -> SelectAll<BoxStream<'static, (GroupResource, watcher::Result<Event<DynamicObject>>)>> {
        let wanted: BTreeSet<&GroupResource> = self.objects.iter().map(|id| &id.kind).collect();
        let kinds = self.kinds.iter().filter(|(kind, _)| wanted.contains(kind));
        let label = format!("{RESTORE}={}", self.label);
        let config = watcher::Config::default().labels(&label).page_size(PAGE);
        let watches = kinds.map(|(kind, resource)| {
            let api = Api::<DynamicObject>::all_with(client.clone(), resource);
            let events = watcher(api, config.clone()).default_backoff();
            let kind = kind.clone();
            events.map(move |event| (kind.clone(), event)).boxed()
        });
        stream::select_all(watches)
    }
}

fn id(kind: &GroupResource, object: &DynamicObject) -> ObjectId {
    ObjectId {
        kind: kind.clone(),
        namespace: object.namespace(),
        name: object.name_any(),
    }
}

fn note(
    known: &mut Known,
    id: &ObjectId,
    object: &DynamicObject,
    judge: impl Fn(&GroupResource, &Value) -> Readiness,
) {
    if let Some(known) = known.get_mut(id)
        && let Ok(object) = serde_json::to_value(object)
    {
        *known = judge(&id.kind, &object);
    }
}

/// Objects that are not there any more. What was ready may go: a Job that has ended.
fn lose(known: &mut Known, is_lost: impl Fn(&ObjectId) -> bool) {
    for (id, readiness) in known {
        if is_lost(id) && *readiness != Readiness::Ready {
            *readiness = Readiness::Failed("it is not there any more".to_owned());
        }
    }
}

async fn bindings(client: &Client) -> Result<Bindings, DriveError> {
    let classes = Api::<StorageClass>::all(client.clone());
    let classes = listed::all(&classes, kube::api::ListParams::default()).await;
    let classes = classes.doing("list the StorageClasses")?.into_iter();
    let made = classes.filter(|class| class.provisioner != NOBODY);
    let binding = |class: StorageClass| {
        let binding = match class.volume_binding_mode.as_deref() {
            Some("WaitForFirstConsumer") => Binding::WaitForFirstConsumer,
            _ => Binding::Immediate,
        };
        (class.name_any(), binding)
    };
    Ok(made.map(binding).collect())
}

/// When a claim gets its volume, as far as that is known.
fn binding(bindings: &Bindings, claim: &Value) -> Option<Binding> {
    bindings.get(claim["spec"]["storageClassName"].as_str()?).copied()
}
