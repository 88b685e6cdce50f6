//! Velero's Restores: which of them a restored object belongs to, and from where it has mapped the object's namespace.
//!
//! A Restore is there before what it restores, so one read is enough to say that there is none, and nothing has to be
//! known beforehand: neither which Restores there are nor whether Velero is installed.
//!
//! - `restores`: looks into one namespace

mod restores;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use clusterbackup_core::interception::{NamespaceMappings, RestoreLabel};
use futures::future::join_all;
use kube::Client;
use thiserror::Error;

use self::restores::Restore;
use crate::deadline::{Deadline, Expired};
use crate::identity::Identity;
use crate::metrics::{Lookup, Metrics};
use crate::recent::Recent;
use crate::shared_reads::SharedReads;

/// Looks Restores up.
pub struct VeleroRestores {
    client: Client,
    identity: Identity,
    metrics: Arc<Metrics>,
    recent: Recent<Question, Arc<NamespaceMappings>>,
    reads: SharedReads<Question, Answer>,
}

/// What is looked for, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    namespaces: BTreeSet<String>,
    label: String,
}

type Answer = Result<Arc<NamespaceMappings>, Arc<VeleroError>>;

/// Why it isn't known from where a Restore has mapped namespaces.
#[derive(Debug, Error)]
pub enum VeleroError {
    /// It isn't there.
    #[error(
        "no Restore of Velero answers to the label velero.io/restore-name={label} in {namespaces}; list its namespace in \
         spec.veleroNamespaces, or take the label off if Velero doesn't restore the object"
    )]
    Missing {
        /// The value of the label.
        label: String,
        /// Where it was looked for.
        namespaces: String,
    },
    /// There is more than one.
    #[error(
        "several Restores of Velero answer to the label velero.io/restore-name={label}: {candidates}; delete those that \
         are done, or list only one of their namespaces in spec.veleroNamespaces"
    )]
    Ambiguous {
        /// The value of the label.
        label: String,
        /// Each as `namespace/name`.
        candidates: String,
    },
    /// They may not be read.
    #[error("Velero's Restores in namespace {namespace} may not be read; allow it with: {remedy}")]
    Forbidden {
        /// Where.
        namespace: String,
        /// The exact command that grants the right.
        remedy: String,
    },
    /// A shortened name would have to be looked for among too many.
    #[error(
        "namespace {namespace} has too many Restores of Velero to find the one whose shortened name is {label}; delete old \
         ones, or give the Restore a name of at most 63 characters"
    )]
    TooMany {
        /// Where.
        namespace: String,
        /// The value of the label.
        label: String,
    },
    /// It doesn't have the form of a Restore.
    #[error("spec.namespaceMapping of the Restore {restore} of Velero can't be read: {cause}")]
    Malformed {
        /// `namespace/name`.
        restore: String,
        /// Why not.
        cause: serde_json::Error,
    },
    /// The API server refused or could not be reached.
    #[error("failed to read Velero's Restores in namespace {namespace}: {cause}; try again")]
    Api {
        /// Where.
        namespace: String,
        /// Why.
        cause: kube::Error,
    },
    /// It did not answer in time.
    #[error("failed to read Velero's Restores: {0}; try again")]
    Expired(#[from] Expired),
}

impl VeleroError {
    /// The HTTP status of a refusal. 503 makes clients try again, and is only for what may pass by itself.
    pub const fn code(&self) -> u16 {
        match self {
            Self::Missing { .. } | Self::Forbidden { .. } => 403,
            Self::Ambiguous { .. } | Self::TooMany { .. } | Self::Malformed { .. } => 422,
            Self::Api { .. } | Self::Expired(_) => 503,
        }
    }

    const fn outcome(&self) -> Lookup {
        match self {
            Self::Missing { .. } => Lookup::Missing,
            Self::Ambiguous { .. } => Lookup::Ambiguous,
            Self::Forbidden { .. } => Lookup::Forbidden,
            Self::TooMany { .. } | Self::Malformed { .. } | Self::Api { .. } | Self::Expired(_) => {
                Lookup::Failed
            }
        }
    }
}

impl VeleroRestores {
    /// Looks with `client`, as `identity`.
    pub fn new(client: Client, identity: Identity, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            identity,
            metrics,
            recent: Recent::default(),
            reads: SharedReads::default(),
        }
    }

    /// The namespace mappings of the one Restore in `namespaces` whose objects carry `label`.
    pub async fn mappings(
        &self,
        namespaces: &BTreeSet<String>,
        label: RestoreLabel<'_>,
        deadline: Deadline,
    ) -> Result<Arc<NamespaceMappings>, Arc<VeleroError>> {
        let began = Instant::now();
        let is_same = |known: &Question| known.label == label.value() && known.namespaces == *namespaces;
        if let Some(mappings) = self.recent.get(is_same, began) {
            self.metrics.velero_lookup(Lookup::Recent);
            return Ok(mappings);
        }
        let question = Question {
            namespaces: namespaces.clone(),
            label: label.value().to_owned(),
        };
        let read = question
            .clone()
            .answer(self.client.clone(), self.identity.clone());
        let read = self.reads.join(&question, read);
        let found = match deadline.await_answer(read).await {
            Ok(found) => found,
            Err(expired) => Err(Arc::new(expired.into())),
        };
        let outcome = found
            .as_ref()
            .map_or_else(|error| error.outcome(), |_| Lookup::Found);
        self.metrics.velero_lookup(outcome);
        if let Ok(mappings) = &found {
            self.recent.put(question, mappings.clone(), began);
        }
        found
    }

    /// The commands that allow reading the Restores in those of the `namespaces` where that is forbidden, as far as
    /// it is known in time.
    pub async fn missing_rights<'n>(
        &self,
        namespaces: impl IntoIterator<Item = &'n str>,
        deadline: Deadline,
    ) -> Vec<String> {
        let looks = namespaces.into_iter().map(|namespace| async move {
            let look = restores::look(&self.client, &self.identity, namespace);
            match deadline.await_answer(look).await {
                Ok(Err(VeleroError::Forbidden { remedy, .. })) => Some(remedy),
                _ => None,
            }
        });
        join_all(looks).await.into_iter().flatten().collect()
    }
}

impl Question {
    async fn answer(self, client: Client, identity: Identity) -> Answer {
        let label = RestoreLabel::new(&self.label);
        let everywhere = self
            .namespaces
            .iter()
            .map(|namespace| restores::find(&client, &identity, namespace, label));
        let mut candidates = Vec::new();
        for found in join_all(everywhere).await {
            candidates.extend(found?);
        }
        Ok(Arc::new(self.only_one(candidates)?.mappings()?))
    }

    fn only_one(&self, candidates: Vec<Restore>) -> Result<Restore, VeleroError> {
        let label = self.label.clone();
        match <[Restore; 1]>::try_from(candidates) {
            Ok([restore]) => Ok(restore),
            Err(none) if none.is_empty() => Err(VeleroError::Missing {
                label,
                namespaces: joined(&self.namespaces),
            }),
            Err(several) => Err(VeleroError::Ambiguous {
                label,
                candidates: joined(&several),
            }),
        }
    }
}

fn joined<T: ToString>(parts: impl IntoIterator<Item = T>) -> String {
    let parts: Vec<_> = parts.into_iter().map(|part| part.to_string()).collect();
    parts.join(", ")
}
