//! What a pod is controlled by: its ReplicaSet, that one's Deployment, and whatever is above. Each controller is asked for
//! once.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersion, GroupVersionKind, PartialObjectMeta};
use kube::discovery::Scope;
use kube::{Api, Client, ResourceExt as _};

use crate::leader::error::{Doing as _, DriveError, OrGone as _};

/// More than so many above each other are not looked for.
const DEPTH: usize = 8;

/// Controllers by what was asked about them.
pub(super) struct Controllers {
    client: Client,
    /// What controls a controller, by its uid.
    above: BTreeMap<String, Option<OwnerReference>>,
    /// Where the objects of a kind are, by version and kind; none where there is no such kind.
    kinds: BTreeMap<(String, String), Option<(ApiResource, Scope)>>,
}

impl Controllers {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            above: BTreeMap::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// The uids of what controls an object: its own controller, that one's, and so on.
    pub(super) async fn of(&mut self, object: &ObjectMeta) -> Result<Vec<String>, DriveError> {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let mut line = Vec::new();
        let mut next = controller(object);
        while let Some(owner) = next.filter(|_| line.len() < DEPTH) {
            next = if let Some(known) = self.above.get(&owner.uid) {
                known.clone()
            } else {
                let above = self.read(&owner, namespace).await?;
                self.above.insert(owner.uid.clone(), above.clone());
                above
            };
            line.push(owner.uid);
        }
        Ok(line)
    }

    /// What controls an owner; none if it is gone, or another object has its name. It is listed: that is what the leader's
    /// role allows of every kind.
    async fn read(
        &mut self,
        owner: &OwnerReference,
        namespace: &str,
    ) -> Result<Option<OwnerReference>, DriveError> {
        let Some((kind, scope)) = self.kind(owner).await? else {
            return Ok(None);
        };
        let objects = match scope {
            Scope::Namespaced => Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &kind),
            Scope::Cluster => Api::all_with(self.client.clone(), &kind),
        };
        let named = ListParams::default().fields(&format!("metadata.name={}", owner.name));
        let found = objects.list_metadata(&named).await;
        let found = found.doing(format!("look at {} {}", owner.kind, owner.name))?;
        let same = |found: &PartialObjectMeta<DynamicObject>| found.uid().as_ref() == Some(&owner.uid);
        Ok(found
            .items
            .into_iter()
            .find(same)
            .and_then(|found| controller(&found.metadata)))
    }

    async fn kind(&mut self, owner: &OwnerReference) -> Result<Option<(ApiResource, Scope)>, DriveError> {
        let key = (owner.api_version.clone(), owner.kind.clone());
        if let Some(known) = self.kinds.get(&key) {
            return Ok(known.clone());
        }
        let found = match owner.api_version.parse::<GroupVersion>() {
            Ok(version) => {
                let kind = GroupVersionKind::gvk(&version.group, &version.version, &owner.kind);
                let found = kube::discovery::pinned_kind(&self.client, &kind).await;
                match found.or_gone() {
                    Err(kube::Error::Discovery(_)) => None,
                    found => found.doing(format!("find the kind {}", owner.kind))?,
                }
            }
            Err(_) => None,
        };
        let found = found.map(|(kind, capabilities)| (kind, capabilities.scope));
        self.kinds.insert(key, found.clone());
        Ok(found)
    }
}

fn controller(object: &ObjectMeta) -> Option<OwnerReference> {
    let owners = object.owner_references.iter().flatten();
    owners
        .clone()
        .find(|owner| owner.controller == Some(true))
        .cloned()
}
