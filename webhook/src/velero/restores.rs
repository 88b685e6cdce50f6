//! The Restores of Velero in one namespace, as far as a label may stand for them.

use std::collections::BTreeMap;
use std::fmt;

use clusterbackup_core::interception::{NamespaceMappings, RestoreLabel};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::VeleroError;
use crate::identity::{Identity, Role};

/// A page of a list, of which the metadata are read.
const PAGE: u32 = 500;

/// As many as a namespace may have for a shortened name to be looked for among them.
const PAGES: usize = 10;

/// A Restore that a label stands for.
#[derive(Debug)]
pub(super) struct Restore {
    namespace: String,
    name: String,
    mapping: Value,
}

impl fmt::Display for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Restore {
    /// From where it has mapped namespaces.
    pub(super) fn mappings(self) -> Result<NamespaceMappings, VeleroError> {
        let restore = self.to_string();
        let mapping: Option<BTreeMap<String, String>> = serde_json::from_value(self.mapping)
            .map_err(|cause| VeleroError::Malformed { restore, cause })?;
        let pairs = mapping.iter().flatten();
        Ok(NamespaceMappings::invert(
            pairs.map(|(original, target)| (original.as_str(), target.as_str())),
        ))
    }
}

/// Those in `namespace` whose objects carry `label`: none where Velero isn't installed.
pub(super) async fn find(
    client: &Client,
    identity: &Identity,
    namespace: &str,
    label: RestoreLabel<'_>,
) -> Result<Vec<Restore>, VeleroError> {
    let shelf = Shelf::new(client, identity, namespace);
    let names = if label.may_be_shortened() {
        shelf.names(label).await?
    } else {
        vec![label.value().to_owned()]
    };
    let mut found = Vec::new();
    for name in names {
        found.extend(shelf.get(&name).await?);
    }
    Ok(found)
}

/// Whether they may be read, or why not.
pub(super) async fn look(client: &Client, identity: &Identity, namespace: &str) -> Result<(), VeleroError> {
    let shelf = Shelf::new(client, identity, namespace);
    let least = ListParams::default().limit(1);
    shelf.there(shelf.api.list_metadata(&least).await).map(drop)
}

/// Where Velero keeps Restores.
struct Shelf<'a> {
    api: Api<DynamicObject>,
    identity: &'a Identity,
    namespace: &'a str,
}

impl<'a> Shelf<'a> {
    fn new(client: &Client, identity: &'a Identity, namespace: &'a str) -> Self {
        let kind = GroupVersionKind::gvk("velero.io", "v1", "Restore");
        let resource = ApiResource::from_gvk(&kind);
        Self {
            api: Api::namespaced_with(client.clone(), namespace, &resource),
            identity,
            namespace,
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Restore>, VeleroError> {
        let object = self.there(self.api.get(name).await)?;
        Ok(object.map(|object| Restore {
            namespace: self.namespace.to_owned(),
            name: name.to_owned(),
            mapping: object.data["spec"]["namespaceMapping"].clone(),
        }))
    }

    /// The names that a shortened one stands for.
    async fn names(&self, label: RestoreLabel<'_>) -> Result<Vec<String>, VeleroError> {
        let mut names = Vec::new();
        let mut page = ListParams::default().limit(PAGE);
        for _ in 0..PAGES {
            let Some(list) = self.there(self.api.list_metadata(&page).await)? else {
                return Ok(Vec::new());
            };
            let meant = list.items.iter().map(ResourceExt::name_any);
            names.extend(meant.filter(|name| label.stands_for(name)));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(names),
            }
        }
        Err(VeleroError::TooMany {
            namespace: self.namespace.to_owned(),
            label: label.value().to_owned(),
        })
    }

    /// What was read, if it is there.
    fn there<T>(&self, read: kube::Result<T>) -> Result<Option<T>, VeleroError> {
        let namespace = self.namespace.to_owned();
        match read {
            Ok(found) => Ok(Some(found)),
            // The code, not the reason: a kind that isn't installed is answered by a page of text.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(kube::Error::Api(status)) if status.is_forbidden() => Err(VeleroError::Forbidden {
                remedy: self.identity.remedy(Role::VELERO_READER, &namespace),
                namespace,
            }),
            Err(cause) => Err(VeleroError::Api { namespace, cause }),
        }
    }
}
