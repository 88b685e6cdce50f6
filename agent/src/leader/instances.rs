//! Says of each BackupInstance whether a backup of it could run now: its condition `Ready`. It is looked at when it changes,
//! and now and then: hooks and rights change without it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use clusterbackup_api::BackupInstance;
use clusterbackup_api::backup_instance::BackupInstanceStatus;
use clusterbackup_api::conditions::{self, READY};
use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::conditions::condition;
use super::error::{Doing as _, DriveError, OrGone as _};
use super::policies;
use super::subject::{PlanError, Subject};
use super::terms::Terms;

/// Between two looks at an instance that doesn't change.
const PAUSE: Duration = Duration::from_secs(30);
/// Before the next look at one that somebody else wrote into at the same moment.
const AGAIN: Duration = Duration::from_secs(1);
/// Instances a page.
const PAGE: u32 = 100;

/// The instances of the cluster.
pub(super) struct Instances {
    client: Client,
    known: BTreeMap<String, Known>,
    /// What a listing under way has named so far.
    listed: BTreeMap<String, Known>,
}

/// An instance, and when it is looked at next.
struct Known {
    instance: BackupInstance,
    due: Instant,
}

impl Instances {
    /// Looks at them for as long as it is polled, at one after the other. It ends only by a failure of its own.
    pub(super) async fn run(client: Client) -> Result<(), DriveError> {
        let api = Api::<BackupInstance>::all(client.clone());
        let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
        let mut instances = Self {
            client,
            known: BTreeMap::new(),
            listed: BTreeMap::new(),
        };
        loop {
            let next = instances.next();
            let due = next
                .as_ref()
                .map_or_else(|| Instant::now() + PAUSE, |(due, _)| *due);
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => instances.absorb(event),
                    Some(Err(error)) => warn!(%error, "watching BackupInstances"),
                    None => return Err(DriveError::Ended("the watch of BackupInstances")),
                },
                () = sleep_until(due) => if let Some((_, uid)) = next {
                    instances.look_at(&uid).await;
                },
            }
        }
    }

    fn absorb(&mut self, event: Event<BackupInstance>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(instance) => {
                let (uid, known) = self.see(instance);
                self.listed.insert(uid, known);
            }
            Event::InitDone => self.known = std::mem::take(&mut self.listed),
            Event::Apply(instance) => {
                let (uid, known) = self.see(instance);
                self.known.insert(uid, known);
            }
            Event::Delete(instance) => {
                self.known.remove(&instance.uid().unwrap_or_default());
            }
        }
    }

    fn see(&self, instance: BackupInstance) -> (String, Known) {
        let uid = instance.uid().unwrap_or_default();
        let known = Known::since(self.known.get(&uid), instance);
        (uid, known)
    }

    /// Which one is looked at next, and when.
    fn next(&self) -> Option<(Instant, String)> {
        let next = self.known.iter().min_by_key(|(_, known)| known.due);
        next.map(|(uid, known)| (known.due, uid.clone()))
    }

    async fn look_at(&mut self, uid: &str) {
        let Some(known) = self.known.get_mut(uid) else {
            return;
        };
        let pause = match look_at(&self.client, &known.instance).await {
            Ok(Said::AsItStands) => PAUSE,
            Ok(Said::OfAnOldVersion) => AGAIN,
            Err(error) => {
                let (namespace, instance) = (known.instance.namespace(), known.instance.name_any());
                warn!(%error, namespace, instance, "whether it is ready can't be told; trying again");
                PAUSE
            }
        };
        known.due = Instant::now() + pause;
    }
}

impl Known {
    /// As it is seen now: what it says is looked at once, what others write into it changes nothing.
    fn since(before: Option<&Self>, instance: BackupInstance) -> Self {
        let same = before.filter(|known| known.instance.metadata.generation == instance.metadata.generation);
        Self {
            due: same.map_or_else(Instant::now, |known| known.due),
            instance,
        }
    }
}

/// Of what a look was.
enum Said {
    AsItStands,
    OfAnOldVersion,
}

async fn look_at(client: &Client, instance: &BackupInstance) -> Result<Said, DriveError> {
    let ready = match could_run(client, instance).await {
        Ok(()) => condition(READY, "True", "Ready", "a backup of it could run now".to_owned()),
        Err(PlanError::Impossible { obstacle, message }) => {
            condition(READY, "False", &format!("{obstacle:?}"), message)
        }
        Err(PlanError::Unread(error)) => return Err(error),
    };
    let ready = Condition {
        observed_generation: instance.metadata.generation,
        ..ready
    };
    let before = instance.status.clone().unwrap_or_default();
    let mut after = BackupInstanceStatus {
        observed_generation: instance.metadata.generation,
        ..before.clone()
    };
    conditions::merge(&mut after.conditions, ready);
    if after == before {
        return Ok(Said::AsItStands);
    }
    // Only what is ours: the rest of the status is written by others.
    let patch = json!({
        "metadata": { "resourceVersion": instance.metadata.resource_version },
        "status": { "observedGeneration": after.observed_generation, "conditions": after.conditions },
    });
    let api = Api::<BackupInstance>::namespaced(client.clone(), &instance.namespace().unwrap_or_default());
    let written = api
        .patch_status(
            &instance.name_any(),
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await;
    match written {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Said::OfAnOldVersion),
        written => written
            .or_gone()
            .doing("say whether a BackupInstance is ready")
            .map(|_| Said::AsItStands),
    }
}

async fn could_run(client: &Client, instance: &BackupInstance) -> Result<(), PlanError> {
    let subject = Subject::of(client, instance.clone()).await?;
    Terms::of(client, &subject).await?;
    match &instance.spec.policy {
        Some(policy) => policies::check(client, &instance.namespace().unwrap_or_default(), policy).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(generation: i64) -> BackupInstance {
        let object = json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupInstance",
            "metadata": { "name": "shop", "namespace": "shop", "uid": "u1", "generation": generation },
            "spec": {},
        });
        serde_json::from_value(object).unwrap()
    }

    #[tokio::test]
    async fn an_instance_that_says_something_new_is_looked_at_at_once() {
        let due = Instant::now() + PAUSE;
        let before = Known {
            instance: instance(1),
            due,
        };
        assert_eq!(Known::since(Some(&before), instance(1)).due, due);
        assert!(Known::since(Some(&before), instance(2)).due < due);
        assert!(Known::since(None, instance(1)).due < due);
    }
}
