//! Pods and controllers that a restore has created and that hooks are for: their pods are seen after they were created.

use clusterbackup_core::hook::expected;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::Ready;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt as _};

use super::asked::Asked;
use crate::leader::error::{Doing as _, DriveError};
use crate::leader::restores::stand_in::Place;

/// A pod, or a controller.
pub(super) struct Expected {
    /// Which.
    pub(super) target: ObjectId,
    /// Its uid.
    pub(super) uid: String,
    place: Place,
}

impl Expected {
    /// What was created, if hooks are for the pods that come of it.
    pub(super) fn of(ready: &Ready, uid: &str, asked: &Asked) -> Option<Self> {
        let namespace = ready.target.namespace.as_ref()?;
        let labels = expected::labels(&ready.target.kind, &ready.object)?;
        let labels = serde_json::from_value(labels.clone()).unwrap_or_default();
        let mut hooks = asked.hooks.iter();
        let concerned =
            asked.namespaces.contains(namespace) && hooks.any(|hook| hook.pods.select(namespace, &labels));
        concerned.then(|| Self {
            target: ready.target.clone(),
            uid: uid.to_owned(),
            place: Place::of(&ready.target, &ready.object),
        })
    }

    /// How many pods come of it; none as long as it doesn't say so. Of one that is gone none come.
    pub(super) async fn pods(&self, client: &Client) -> Result<Option<u64>, DriveError> {
        let siblings: Api<DynamicObject> = self.place.siblings(client);
        let named = ListParams::default().fields(&format!("metadata.name={}", self.target.name));
        let found = siblings
            .list(&named)
            .await
            .doing(format!("look at {}", self.target))?;
        let same = |found: &DynamicObject| found.uid().as_ref() == Some(&self.uid);
        let Some(found) = found.items.into_iter().find(same) else {
            return Ok(Some(0));
        };
        let found = serde_json::to_value(found).unwrap_or_default();
        Ok(expected::pods(&self.target.kind, &found))
    }
}
