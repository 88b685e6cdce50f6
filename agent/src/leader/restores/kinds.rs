//! What the definitions of custom kinds say of them, read once for each restore.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::schema;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::Value;

/// By the name of the definition and the version; none for kinds that have no definition.
type Known = BTreeMap<(String, String), Option<Arc<CustomKind>>>;

/// Reads definitions.
pub(super) struct CustomKinds {
    definitions: Api<DynamicObject>,
    known: Mutex<Known>,
}

impl CustomKinds {
    /// Reads with that client.
    pub(super) fn new(client: Client) -> Self {
        let resource = ApiResource::erase::<CustomResourceDefinition>(&());
        Self {
            definitions: Api::all_with(client, &resource),
            known: Mutex::default(),
        }
    }

    /// What is known of an object's kind; nothing of a built-in one, nor of one that another API server has.
    pub(super) async fn of(&self, id: &ObjectId, object: &Value) -> kube::Result<Option<Arc<CustomKind>>> {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let Some((group, version)) = api_version.split_once('/') else {
            return Ok(None);
        };
        if !group.contains('.') || schema::built_in(api_version, kind).is_some() {
            return Ok(None);
        }
        let question = (id.kind.to_string(), version.to_owned());
        let known = |question: &_| {
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(question)
                .cloned()
        };
        if let Some(kind) = known(&question) {
            return Ok(kind);
        }
        let found = self.definitions.get_opt(&question.0).await?;
        let kind = found
            .and_then(|object| CustomKind::read(&object.data, version))
            .map(Arc::new);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(question, kind.clone());
        Ok(kind)
    }
}
