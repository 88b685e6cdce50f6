//! Whom an object concerns, with all that has to be known to decide about it: from what the watches have seen, and, where
//! they may not have seen it yet, from the API server itself.

use std::sync::Arc;

use clusterbackup_api::labels;
use clusterbackup_core::interception::{
    Concern, Interception, NamespaceMappings, OptIn, RestoreLabel, concern,
};
use thiserror::Error;

use crate::deadline::Deadline;
use crate::interceptions::{Interceptions, LiveRead, LiveReadError};
use crate::metrics::Metrics;
use crate::velero::{VeleroError, VeleroRestores};

/// Where parties are found.
pub(super) struct Directory {
    pub(super) interceptions: Arc<Interceptions>,
    pub(super) live: LiveRead,
    pub(super) velero: Arc<VeleroRestores>,
    pub(super) metrics: Arc<Metrics>,
}

/// An interception that concerns an object.
pub(super) struct Party {
    pub(super) interception: Arc<Interception>,
    /// The mappings of the Velero Restore that restores the object, where they count.
    pub(super) velero: Option<Arc<NamespaceMappings>>,
}

/// Why it isn't even known which rules concern an object.
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
}

impl Refusal {
    /// 503 makes clients try again.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Unknown(_) => 403,
            Self::LiveRead(_) => 503,
            Self::Velero { cause, .. } => cause.code(),
        }
    }
}

impl Directory {
    /// The interceptions that concern the object, with all that has to be known to decide by them.
    pub(super) async fn parties(
        &self,
        opt_in: OptIn<'_>,
        namespace: Option<&str>,
    ) -> Result<Vec<Party>, Refusal> {
        let deadline = Deadline::from_now();
        let mut parties = Vec::new();
        for interception in self.concerned(opt_in, deadline).await? {
            let velero = match (opt_in.velero_restore, namespace) {
                (Some(restore), Some(_)) => self.velero_mappings(restore, &interception, deadline).await?,
                _ => None,
            };
            parties.push(Party { interception, velero });
        }
        Ok(parties)
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
