//! Whom an object concerns, with all that has to be known to decide about it: from what the watches have seen, and, where
//! they may not have seen it yet, from the API server itself.

use std::sync::Arc;

use clusterbackup_api::labels;
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::interception::{
    Concern, ConflictPolicy, CustomResourceStrategy, Interception, NamespaceMappings, OptIn, RestoreLabel,
    concern,
};
use clusterbackup_core::schema;
use thiserror::Error;

use crate::custom_kinds::{CustomKindError, CustomKinds};
use crate::deadline::Deadline;
use crate::interceptions::{Interceptions, LiveRead, LiveReadError};
use crate::metrics::Metrics;
use crate::review::AdmissionRequest;
use crate::velero::{VeleroError, VeleroRestores};

/// Where all that is found.
pub(super) struct Directory {
    pub(super) interceptions: Arc<Interceptions>,
    pub(super) live: LiveRead,
    pub(super) velero: Arc<VeleroRestores>,
    pub(super) custom_kinds: CustomKinds,
    pub(super) metrics: Arc<Metrics>,
}

/// What has to be known to decide about an object.
pub(super) struct Known {
    pub(super) parties: Vec<Party>,
    /// What the definition of its kind says, where that makes a difference.
    pub(super) custom: Option<Arc<CustomKind>>,
}

/// An interception that concerns an object.
pub(super) struct Party {
    pub(super) interception: Arc<Interception>,
    /// The mappings of the Velero Restore that restores the object, where they count.
    pub(super) velero: Option<Arc<NamespaceMappings>>,
}

/// Why it isn't even known what decides about an object.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    /// It names an interception that isn't there.
    #[error(
        "no RestoreInterception answers to the label {}={_0}; create it, correct the label, or remove it",
        labels::INTERCEPT
    )]
    Unknown(String),
    /// Whether there is one could not be found out.
    #[error("it could not be found out whose rules concern the object: {0}; try again")]
    LiveRead(#[from] LiveReadError),
    /// It isn't known from where Velero has mapped its namespace.
    #[error("interception {interception} concerns the object, but where it comes from is unknown: {cause}")]
    Velero {
        interception: String,
        cause: Arc<VeleroError>,
    },
    /// It isn't known what its definition says.
    #[error("it could not be found out what may become of the object: {0}")]
    CustomKind(#[from] Arc<CustomKindError>),
}

impl Refusal {
    /// 503 makes clients try again.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Unknown(_) => 403,
            Self::LiveRead(_) => 503,
            Self::Velero { cause, .. } => cause.code(),
            Self::CustomKind(cause) => cause.code(),
        }
    }
}

impl Directory {
    /// What has to be known to decide about the object of `request`.
    pub(super) async fn look_up(
        &self,
        opt_in: OptIn<'_>,
        request: &AdmissionRequest<'_>,
    ) -> Result<Known, Refusal> {
        let deadline = Deadline::from_now();
        let mut parties = Vec::new();
        for interception in self.concerned(opt_in, deadline).await? {
            let velero = match (opt_in.velero_restore, request.namespace()) {
                (Some(restore), Some(_)) => self.velero_mappings(restore, &interception, deadline).await?,
                _ => None,
            };
            parties.push(Party { interception, velero });
        }
        let custom = if wants_definition(&parties, request) {
            let version = &request.resource.version;
            self.custom_kinds
                .get(&request.group_resource(), version, deadline)
                .await?
        } else {
            None
        };
        Ok(Known { parties, custom })
    }

    /// From where the Velero Restore that restores the object has mapped its namespace, where the interception wants to
    /// know.
    async fn velero_mappings(
        &self,
        restore: &str,
        interception: &Interception,
        deadline: Deadline,
    ) -> Result<Option<Arc<NamespaceMappings>>, Refusal> {
        let namespaces = &interception.velero_namespaces;
        if namespaces.is_empty() || interception.rules.is_err() {
            return Ok(None);
        }
        let found = self
            .velero
            .mappings(namespaces, RestoreLabel::new(restore), deadline)
            .await;
        found.map(Some).map_err(|cause| Refusal::Velero {
            interception: interception.name.clone(),
            cause,
        })
    }

    /// The interceptions that concern the object. What the watches may not have seen yet is read once, directly.
    async fn concerned(
        &self,
        opt_in: OptIn<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Arc<Interception>>, Refusal> {
        let generation = self.interceptions.current();
        let known = concern(&generation.interceptions, opt_in);
        let is_final = match (&known, opt_in.velero_restore) {
            (Concern::Interceptions(concerned), _) => {
                concerned.iter().all(|interception| interception.rules.is_ok())
            }
            (Concern::None, Some(restore)) => generation.is_unconcerned(restore),
            (Concern::None, None) => true,
            (Concern::Unknown, _) => false,
        };
        if is_final {
            return Ok(known.interceptions().into_iter().cloned().collect());
        }
        self.metrics.live_read();
        // Only that nobody is concerned is remembered. Nobody is refused for what a former read didn't find.
        match (self.live.concern(opt_in, deadline).await?, opt_in.velero_restore) {
            (Concern::Unknown, _) => Err(Refusal::Unknown(opt_in.intercept.unwrap_or_default().to_owned())),
            (Concern::None, Some(restore)) => {
                generation.set_unconcerned(restore);
                Ok(Vec::new())
            }
            (found, _) => Ok(found.interceptions()),
        }
    }
}

/// Whether what the definition of its kind says makes a difference to an object: where the kind isn't built in, and lists
/// may be merged by their keys or fields may not change.
fn wants_definition(parties: &[Party], request: &AdmissionRequest<'_>) -> bool {
    let group_resource = request.group_resource();
    let interceptions = || parties.iter().map(|party| &party.interception);
    let strictest = interceptions()
        .map(|interception| interception.conflict_policy)
        .max();
    let is_merged = request.existing().is_some() && strictest == Some(ConflictPolicy::Patch);
    let has_keys = |interception: &Arc<Interception>| {
        interception.custom_resources == CustomResourceStrategy::ListMapKeys
            && interception
                .rules
                .as_ref()
                .is_ok_and(|rules| rules.has_strategic_rules_for(&group_resource))
    };
    (is_merged || interceptions().any(has_keys)) && is_custom(request)
}

/// Groups of definitions have a dot in them.
fn is_custom(request: &AdmissionRequest<'_>) -> bool {
    let (group, version) = (&request.resource.group, &request.resource.version);
    group.contains('.') && schema::built_in(&format!("{group}/{version}"), &request.kind.kind).is_none()
}
