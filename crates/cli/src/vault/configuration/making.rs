//! One object of a configuration: made where it is missing, left alone where it is there.

use std::collections::BTreeSet;

use clusterbackup_core::configuration::{NeededSecret, Place, agrees, overlay};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams, TypeMeta};
use kube::{Api, Client};
use serde::Serialize;
use serde_json::Value;

use crate::cluster::answer;

/// What came of an object.
#[derive(Debug, Serialize)]
#[serde(tag = "result", rename_all = "camelCase")]
pub(super) enum Done {
    /// It is made.
    Created,
    /// It was there, as it was.
    Same,
    /// It was there and said something else, which is changed.
    Overwritten,
    /// It is there and says something else.
    Different,
    /// It could not be made.
    Failed { message: String },
}

impl Done {
    /// Whether it is there, as it was.
    pub(super) const fn is_good(&self) -> bool {
        matches!(self, Self::Created | Self::Same | Self::Overwritten)
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Created => "created".to_owned(),
            Self::Same => "is there".to_owned(),
            Self::Overwritten => "changed".to_owned(),
            Self::Different => "is there, and says something else: look at it, or use --overwrite".to_owned(),
            Self::Failed { message } => message.clone(),
        }
    }
}

/// Makes an object, unless it is there.
pub(super) async fn make(client: &Client, place: &Place, object: &Value, overwrite: bool) -> Done {
    attempt(client, place, object, overwrite)
        .await
        .unwrap_or_else(|message| Done::Failed { message })
}

async fn attempt(client: &Client, place: &Place, object: &Value, overwrite: bool) -> Result<Done, String> {
    let unreadable = |error: serde_json::Error| format!("the vault's copy is no object: {error}");
    let types: TypeMeta = serde_json::from_value(object.clone()).map_err(unreadable)?;
    let kind = GroupVersionKind::try_from(types).map_err(|error| error.to_string())?;
    let kind = ApiResource::from_gvk(&kind);
    let namespace = place.namespace.as_deref().unwrap_or_default();
    let objects: Api<DynamicObject> = match &place.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    };
    let new: DynamicObject = serde_json::from_value(object.clone()).map_err(unreadable)?;
    let made = async {
        match objects.create(&PostParams::default(), &new).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
            made => made.map(|_| true),
        }
    };
    if answer(&format!("create {}", kind.plural), namespace, made).await? {
        return Ok(Done::Created);
    }
    let existing = answer(
        &format!("get {}", kind.plural),
        namespace,
        objects.get(&place.name),
    )
    .await?;
    let existing = serde_json::to_value(existing).map_err(unreadable)?;
    if agrees(&existing, object) {
        return Ok(Done::Same);
    }
    if !overwrite {
        return Ok(Done::Different);
    }
    let changed: DynamicObject = serde_json::from_value(overlay(existing, object)).map_err(unreadable)?;
    let params = PostParams::default();
    let replaced = objects.replace(&place.name, &params, &changed);
    answer(&format!("update {}", kind.plural), namespace, replaced).await?;
    Ok(Done::Overwritten)
}

/// Of the Secrets those that aren't there, or may not be looked for.
pub(super) async fn missing(client: &Client, secrets: BTreeSet<NeededSecret>) -> Vec<NeededSecret> {
    let mut missing = Vec::new();
    for secret in secrets {
        let found = Api::<Secret>::namespaced(client.clone(), &secret.namespace);
        let found = answer(
            "get secrets",
            &secret.namespace,
            found.get_metadata_opt(&secret.name),
        )
        .await;
        if !matches!(found, Ok(Some(_))) {
            missing.push(secret);
        }
    }
    missing
}
