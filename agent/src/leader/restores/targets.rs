//! The namespaces that objects go into: there, and not being deleted, before anything is created in them. And the definitions
//! of custom resources: known to the API server before any of these is.

use std::time::Duration;

use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::Ready;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::timeout;

use super::object::{Creator, Fate, Refused};
use crate::leader::error::{Doing as _, DriveError};

/// So long a namespace may take to go before nothing is restored into it.
const GOING: Duration = Duration::from_mins(10);
/// So long the API server may take to serve a kind.
const ESTABLISHING: Duration = Duration::from_mins(2);

/// The namespace of that name, if there is one. The leader looks itself: who may not create namespaces is told so even where
/// they exist.
pub(super) async fn existing(client: &Client, name: &str) -> Result<Option<Namespace>, DriveError> {
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = Api::<Namespace>::all(client.clone()).list(&named).await;
    let found = found.doing(format!("look at namespace {name}"))?;
    Ok(found.items.into_iter().next())
}

/// Waits until no namespace of that name is being deleted; says why not if that takes too long.
pub(super) async fn free(client: &Client, name: &str) -> Result<(), String> {
    let found = existing(client, name).await.map_err(|error| error.to_string())?;
    let going = found.filter(|namespace| namespace.metadata.deletion_timestamp.is_some());
    let Some(uid) = going.and_then(|namespace| namespace.uid()) else {
        return Ok(());
    };
    let namespaces = Api::<Namespace>::all(client.clone());
    let gone = await_condition(namespaces, name, conditions::is_deleted(&uid));
    match timeout(GOING, gone).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("namespace {name} can't be watched: {error}")),
        Err(_) => Err(format!(
            "namespace {name} has been going for {} minutes: see what holds it by `kubectl describe namespace {name}`",
            GOING.as_secs() / 60
        )),
    }
}

/// Waits until the API server serves a kind; says why not if that takes too long.
pub(super) async fn served(client: &Client, definition: &str) -> Result<(), String> {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let served = await_condition(definitions, definition, conditions::is_crd_established());
    match timeout(ESTABLISHING, served).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("it is created, but can't be watched: {error}")),
        Err(_) => Err(format!(
            "it is created, but the API server doesn't serve it after {} s: `kubectl describe crd {definition}` says why",
            ESTABLISHING.as_secs()
        )),
    }
}

/// Makes a namespace that the point doesn't have, unless it is there; says why not if it can't be made.
pub(super) async fn make(client: &Client, creator: &Creator, name: &str) -> Result<(), String> {
    match existing(client, name).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => match creator.bring(&bare(name), false).await {
            Fate::Failed(Refused { reason, .. }) => {
                Err(format!("namespace {name} could not be created: {reason}"))
            }
            _ => Ok(()),
        },
        Err(error) => Err(error.to_string()),
    }
}

/// A namespace that says nothing.
fn bare(name: &str) -> Ready {
    let id = ObjectId {
        kind: Kind::namespaces(),
        namespace: None,
        name: name.to_owned(),
    };
    Ready {
        object: json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }),
        origin: id.clone(),
        target: id,
        uid: None,
        owners: Vec::new(),
        source: None,
        warning: None,
        along: true,
    }
}
