//! What the definitions of custom kinds say of them, read when a review needs it.

use std::sync::Arc;
use std::time::Instant;

use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::object::GroupResource;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client};
use thiserror::Error;

use crate::deadline::{Deadline, Expired};
use crate::recent::Recent;
use crate::shared_reads::SharedReads;

/// Reads definitions.
pub struct CustomKinds {
    client: Client,
    recent: Recent<Question, Arc<CustomKind>>,
    reads: SharedReads<Question, Answer>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    /// The name of the definition.
    definition: String,
    version: String,
}

type Answer = Result<Option<Arc<CustomKind>>, Arc<CustomKindError>>;

/// Why it isn't known what a definition says.
#[derive(Debug, Error)]
pub enum CustomKindError {
    /// It may not be read.
    #[error(
        "the CustomResourceDefinition {definition} may not be read; apply the webhook's manifests of this version, whose \
         ClusterRole clusterbackup-webhook allows it"
    )]
    Forbidden {
        /// Its name.
        definition: String,
    },
    /// The API server refused or could not be reached.
    #[error("failed to read the CustomResourceDefinition {definition}: {cause}; try again")]
    Api {
        /// Its name.
        definition: String,
        /// Why.
        cause: kube::Error,
    },
    /// It did not answer in time.
    #[error("failed to read the definition of the object's kind: {0}; try again")]
    Expired(#[from] Expired),
}

impl CustomKindError {
    /// The HTTP status of a refusal. 503 makes clients try again, and is only for what may pass by itself.
    pub const fn code(&self) -> u16 {
        match self {
            Self::Forbidden { .. } => 403,
            Self::Api { .. } | Self::Expired(_) => 503,
        }
    }
}

impl CustomKinds {
    /// Reads with `client`.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            recent: Recent::default(),
            reads: SharedReads::default(),
        }
    }

    /// What is known of a kind in a version. Nothing where it has no definition: other API servers may serve kinds
    /// of their own.
    pub async fn get(
        &self,
        group_resource: &GroupResource,
        version: &str,
        deadline: Deadline,
    ) -> Result<Option<Arc<CustomKind>>, Arc<CustomKindError>> {
        let question = Question {
            definition: group_resource.to_string(),
            version: version.to_owned(),
        };
        let began = Instant::now();
        if let Some(kind) = self.recent.get(|known| *known == question, began) {
            return Ok(Some(kind));
        }
        let read = self
            .reads
            .join(&question, read(self.client.clone(), question.clone()));
        let found = deadline
            .await_answer(read)
            .await
            .map_err(CustomKindError::from)??;
        if let Some(kind) = &found {
            self.recent.put(question, kind.clone(), began);
        }
        Ok(found)
    }
}

async fn read(client: Client, Question { definition, version }: Question) -> Answer {
    let resource = ApiResource::erase::<CustomResourceDefinition>(&());
    let found = Api::<DynamicObject>::all_with(client, &resource)
        .get_opt(&definition)
        .await;
    match found {
        Ok(found) => Ok(found
            .and_then(|object| CustomKind::read(&object.data, &version))
            .map(Arc::new)),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            Err(Arc::new(CustomKindError::Forbidden { definition }))
        }
        Err(cause) => Err(Arc::new(CustomKindError::Api { definition, cause })),
    }
}
