//! What claims are made from goes when nobody needs it: when the claim has its volume, or when nobody creates it any more.
//! That may be long after the end of the restore, and under another leader. The driver's snapshot stays: the recovery point
//! owns it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clusterbackup_api::labels::{CLAIM, RESTORE, RESTORE_UID};
use clusterbackup_api::snapshots::{VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_core::restore::Filling;
use clusterbackup_core::selection::Name;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::warn;

use crate::leader::error::{Doing as _, DriveError, OrGone as _};
use crate::leader::listed;
use crate::leader::shown::labelled;
use crate::leader::world::World;

/// After an attempt that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Knows which restores may still create claims.
#[derive(Debug, Default)]
pub(in crate::leader::restores) struct Helpers {
    under_way: Mutex<BTreeSet<String>>,
    changed: Notify,
}

/// Everything that is watched, as it is known.
struct Views {
    contents: Store<VolumeSnapshotContent>,
    snapshots: Store<VolumeSnapshot>,
    claims: Store<PersistentVolumeClaim>,
}

impl Views {
    /// The claim that is made from the snapshot; by another name, where a rule has given it one.
    fn claim(&self, named: &Name, snapshot: &str) -> Option<Arc<PersistentVolumeClaim>> {
        let known = self
            .claims
            .get(&ObjectRef::new(&named.name).within(&named.namespace));
        known.or_else(|| {
            self.claims.find(|claim| {
                let source = claim.spec.as_ref().and_then(|spec| spec.data_source.as_ref());
                claim.namespace().as_deref() == Some(&named.namespace)
                    && source.is_some_and(|source| source.name == snapshot)
            })
        })
    }
}

impl Helpers {
    /// These restores, by uid, are not at their end, and there are no others.
    pub(in crate::leader::restores) fn all(&self, uids: impl Iterator<Item = String>) {
        *self.under_way() = uids.collect();
        self.wake();
    }

    /// A restore goes on.
    pub(in crate::leader::restores) fn begin(&self, uid: &str) {
        self.under_way().insert(uid.to_owned());
    }

    /// A restore creates nothing more.
    pub(in crate::leader::restores) fn end(&self, uid: &str) {
        self.under_way().remove(uid);
        self.wake();
    }

    /// There may be something to do.
    pub(in crate::leader::restores) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Removes what is not needed, for as long as it is polled. Where there is nothing, nothing is watched.
    pub(in crate::leader::restores) async fn keep(&self, world: &World) -> Result<(), DriveError> {
        loop {
            self.changed.notified().await;
            match self.tend(world).await {
                Ok(()) => {}
                Err(DriveError::Superseded) => return Err(DriveError::Superseded),
                Err(error) => {
                    warn!(%error, "removing what claims were made from; trying again");
                    sleep(PAUSE).await;
                    self.wake();
                }
            }
        }
    }

    /// Removes what is not needed until nothing is left.
    async fn tend(&self, world: &World) -> Result<(), DriveError> {
        let client = &world.client;
        let contents = Api::<VolumeSnapshotContent>::all(client.clone());
        let marked = kube::api::ListParams::default().labels(RESTORE_UID);
        let found = listed::all(&contents, marked).await.or_gone();
        let found = found.doing("list the VolumeSnapshotContents of restores")?;
        if found.is_none_or(|found| found.is_empty()) {
            return Ok(());
        }
        let (contents, events) = labelled(client, RESTORE_UID, |_| {});
        let mut of_contents = pin!(events);
        let (snapshots, events) = labelled(client, RESTORE_UID, |_| {});
        let mut of_snapshots = pin!(events);
        let (claims, events) = labelled(client, RESTORE, slim);
        let mut of_claims = pin!(events);
        let views = Views {
            contents,
            snapshots,
            claims,
        };
        let mut complete = [false; 3];
        loop {
            tokio::select! {
                event = of_contents.next() => complete[0] |= is_complete("VolumeSnapshotContents", event)?,
                event = of_snapshots.next() => complete[1] |= is_complete("VolumeSnapshots", event)?,
                event = of_claims.next() => complete[2] |= is_complete("PersistentVolumeClaims", event)?,
                () = self.changed.notified() => {}
            }
            if complete != [true; 3] {
                continue;
            }
            if views.contents.is_empty() && views.snapshots.is_empty() {
                return Ok(());
            }
            self.remove_unneeded(world, &views).await?;
        }
    }

    /// Removes snapshots first: a content can't go before.
    async fn remove_unneeded(&self, world: &World, views: &Views) -> Result<(), DriveError> {
        let client = &world.client;
        for snapshot in views.snapshots.state() {
            let namespace = snapshot.namespace().unwrap_or_default();
            if self.has_to_go(client, views, &*snapshot, &namespace).await? {
                let snapshots = Api::<VolumeSnapshot>::namespaced(client.clone(), &namespace);
                delete(world, &snapshots, &*snapshot).await?;
            }
        }
        for content in views.contents.state() {
            let namespace = &content.spec.volume_snapshot_ref.namespace;
            let snapshot = ObjectRef::new(&content.name_any()).within(namespace);
            if views.snapshots.get(&snapshot).is_none()
                && self.has_to_go(client, views, &*content, namespace).await?
            {
                let contents = Api::<VolumeSnapshotContent>::all(client.clone());
                delete(world, &contents, &*content).await?;
            }
        }
        Ok(())
    }

    /// Whether no claim in the namespace needs it any more, and nobody has deleted it yet.
    async fn has_to_go<K>(
        &self,
        client: &Client,
        views: &Views,
        helper: &K,
        namespace: &str,
    ) -> Result<bool, DriveError>
    where
        K: Resource<DynamicType = ()>,
    {
        if helper.meta().deletion_timestamp.is_some() {
            return Ok(false);
        }
        let named = helper.annotations().get(CLAIM).cloned().unwrap_or_default();
        let claim = Name::new(namespace, named);
        let under_way = helper.labels().get(RESTORE_UID);
        let under_way = under_way.is_some_and(|uid| self.under_way().contains(uid));
        let filling = |claim: Option<&PersistentVolumeClaim>| {
            let claim = claim.and_then(|claim| serde_json::to_value(claim).ok());
            Filling::of(claim.as_ref(), &helper.name_any())
        };
        if let Some(known) = views.claim(&claim, &helper.name_any()) {
            return Ok(!filling(Some(&known)).needs_source(under_way));
        }
        if under_way {
            return Ok(false);
        }
        // A rule may have taken the label off that it is watched by.
        let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
        let found = claims.get_opt(&claim.name).await;
        let found = found.doing(format!("read PersistentVolumeClaim {claim}"))?;
        Ok(!filling(found.as_ref()).needs_source(under_way))
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps of a claim only what says how far it is.
fn slim(claim: &mut PersistentVolumeClaim) {
    claim.metadata.managed_fields = None;
    claim.metadata.annotations = None;
}

/// Whether a watch has told everything that there is by now.
fn is_complete<K>(kind: &'static str, event: Option<watcher::Result<Event<K>>>) -> Result<bool, DriveError> {
    match event {
        Some(Ok(Event::InitDone)) => Ok(true),
        Some(Ok(_)) => Ok(false),
        Some(Err(error)) => {
            warn!(%error, kind, "watching what claims are made from");
            Ok(false)
        }
        None => Err(DriveError::Ended("a watch")),
    }
}

/// Deletes this very object.
async fn delete<K>(world: &World, objects: &Api<K>, object: &K) -> Result<(), DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    if !world.is_latest().await? {
        return Err(DriveError::Superseded);
    }
    let this_one = DeleteParams::default().preconditions(Preconditions {
        uid: object.uid(),
        resource_version: None,
    });
    let name = object.name_any();
    match objects.delete(&name, &this_one).await.or_gone() {
        // Another one of that name.
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
        done => done.doing(format!("delete {} {name}", K::kind(&()))).map(drop),
    }
}
