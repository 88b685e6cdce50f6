//! `/intercept`: an opted-in object on its way into the cluster → the same object, changed by its rules.

use std::sync::Arc;
use std::time::Instant;

use clusterbackup_api::labels;
use clusterbackup_core::interception::{
    self, Concern, Concerned, Decision, Interception, NamespaceMappings, OptIn, RestoreLabel, Subject,
    Verdict, concern, decide,
};
use clusterbackup_core::modifier::{Rename, RuleSet};
use clusterbackup_core::object::ObjectName;
use thiserror::Error;

use crate::deadline::Deadline;
use crate::interceptions::{Interceptions, LiveRead, LiveReadError};
use crate::metrics::{Door, Metrics, Outcome};
use crate::object;
use crate::review::{AdmissionRequest, AdmissionResponse, Metadata, Operation};
use crate::velero::{VeleroError, VeleroRestores};

/// The handler.
pub struct Intercept {
    interceptions: Arc<Interceptions>,
    live: LiveRead,
    velero: VeleroRestores,
    metrics: Arc<Metrics>,
}

/// An object with what concerns it.
struct Case<'a> {
    request: &'a AdmissionRequest<'a>,
    metadata: &'a Metadata<'a>,
    opt_in: OptIn<'a>,
}

/// An interception that concerns an object.
struct Party {
    interception: Arc<Interception>,
    /// The mappings of the Velero Restore that restores the object, where they count.
    velero: Option<Arc<NamespaceMappings>>,
}

/// Why it isn't even known which rules concern an object.
#[derive(Debug, Error)]
enum Refusal {
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
        cause: VeleroError,
    },
}

impl Refusal {
    /// 503 makes clients try again.
    const fn code(&self) -> u16 {
        match self {
            Self::Unknown(_) => 403,
            Self::LiveRead(_) => 503,
            Self::Velero { cause, .. } => cause.code(),
        }
    }
}

impl Intercept {
    /// Reviews by `interceptions`; what they don't know, by `live`; what Velero restores, also by `velero`.
    pub fn new(
        interceptions: Arc<Interceptions>,
        live: LiveRead,
        velero: VeleroRestores,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            interceptions,
            live,
            velero,
            metrics,
        }
    }

    /// Answers one review, and counts it.
    pub async fn review(&self, request: &AdmissionRequest<'_>) -> AdmissionResponse {
        let started = Instant::now();
        let (door, Answer { outcome, response }) = self.answer(request).await;
        self.metrics.review(door, outcome, started.elapsed());
        response
    }

    async fn answer(&self, request: &AdmissionRequest<'_>) -> (Door, Answer) {
        if request.operation != Operation::Create {
            return (Door::None, Answer::not_intercepted(request));
        }
        let metadata = match Metadata::parse(request.object) {
            Ok(metadata) => metadata,
            Err(error) => {
                return (
                    Door::None,
                    Answer::malformed(request, "the metadata of the object", &error),
                );
            }
        };
        let case = Case {
            request,
            metadata: &metadata,
            opt_in: OptIn {
                intercept: metadata.label(labels::INTERCEPT),
                velero_restore: metadata.label(labels::VELERO_RESTORE),
            },
        };
        let answer = match self.parties(&case).await {
            Ok(parties) if parties.is_empty() => Answer::untouched(request),
            Ok(parties) => self.decide(&case, &parties),
            Err(refusal) => Answer::denied(request, refusal.code(), &refusal.to_string()),
        };
        (Door::of(case.opt_in), answer)
    }

    /// The interceptions that concern the object, with all that has to be known to decide by them.
    async fn parties(&self, case: &Case<'_>) -> Result<Vec<Party>, Refusal> {
        let deadline = Deadline::from_now();
        let mut parties = Vec::new();
        for interception in self.concerned(case, deadline).await? {
            let velero = self.velero_mappings(case, &interception, deadline).await?;
            parties.push(Party { interception, velero });
        }
        Ok(parties)
    }

    /// From where the Velero Restore that restores the object has mapped its namespace, where the interception wants to
    /// know.
    async fn velero_mappings(
        &self,
        case: &Case<'_>,
        interception: &Interception,
        deadline: Deadline,
    ) -> Result<Option<Arc<NamespaceMappings>>, Refusal> {
        let namespaces = &interception.velero_namespaces;
        let Some(restore) = case.opt_in.velero_restore else {
            return Ok(None);
        };
        if namespaces.is_empty() || case.request.namespace().is_none() || interception.rules.is_err() {
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
        case: &Case<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Arc<Interception>>, Refusal> {
        let opt_in = case.opt_in;
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

    fn decide(&self, case: &Case<'_>, parties: &[Party]) -> Answer {
        let request = case.request;
        let group_resource = request.group_resource();
        let rules: Vec<&RuleSet> = parties
            .iter()
            .filter_map(|party| party.interception.rules.as_deref().ok())
            .collect();
        let object = match object::read(request.object, case.metadata, &group_resource, &rules) {
            Ok(object) => object,
            Err(error) => return Answer::malformed(request, "the object", &error),
        };
        let subject = Subject {
            group_resource: &group_resource,
            name: name(case),
            namespace: request.namespace(),
        };
        let concerned: Vec<_> = parties
            .iter()
            .map(|party| Concerned {
                interception: &party.interception,
                velero: party.velero.as_deref(),
            })
            .collect();
        let case = interception::Case {
            subject,
            rename: rename(case.metadata),
            object,
            existing: None,
        };
        let Verdict { outcome, rules, .. } = decide(&concerned, case);
        self.metrics.rules(&rules);
        match outcome {
            Ok(decision) => Answer::changed(request, decision),
            Err(denial) => Answer::denied(request, denial.code(), &denial.to_string()),
        }
    }
}

/// What is answered, and what it counts as.
struct Answer {
    outcome: Outcome,
    response: AdmissionResponse,
}

impl Answer {
    fn untouched(request: &AdmissionRequest<'_>) -> Self {
        Self {
            outcome: Outcome::Untouched,
            response: AdmissionResponse::allow(request.uid.as_ref()),
        }
    }

    fn not_intercepted(request: &AdmissionRequest<'_>) -> Self {
        let warning = format!(
            "{:?} is not intercepted; the webhook configuration asks for it nevertheless",
            request.operation
        );
        let Self { outcome, response } = Self::untouched(request);
        Self {
            outcome,
            response: response.with_warnings(vec![warning]),
        }
    }

    fn changed(request: &AdmissionRequest<'_>, decision: Decision) -> Self {
        match AdmissionResponse::allow(request.uid.as_ref()).with_patch(&decision.operations) {
            Ok(response) => Self {
                outcome: Outcome::Changed,
                response: response
                    .with_warnings(decision.warnings)
                    .with_audit("modified", decision.mark.to_string()),
            },
            Err(error) => Self::denied(request, 500, &format!("the patch can't be written: {error}")),
        }
    }

    fn denied(request: &AdmissionRequest<'_>, code: u16, message: &str) -> Self {
        Self {
            outcome: Outcome::Denied,
            response: AdmissionResponse::deny(request.uid.as_ref(), code, message),
        }
    }

    fn malformed(request: &AdmissionRequest<'_>, what: &str, error: &serde_json::Error) -> Self {
        let message = format!("{what} can't be read: {error}");
        Self {
            outcome: Outcome::Malformed,
            response: AdmissionResponse::deny(request.uid.as_ref(), 400, &message),
        }
    }
}

fn name<'a>(case: &Case<'a>) -> ObjectName<'a> {
    let given = Some(case.request.name.as_ref()).filter(|name| !name.is_empty());
    let metadata = case.metadata;
    match (
        given.or(metadata.name.as_deref()),
        metadata.generate_name.as_deref(),
    ) {
        (Some(name), _) => ObjectName::Exact(name),
        (None, prefix) => ObjectName::Prefix(prefix.unwrap_or_default()),
    }
}

/// A server-side apply that creates stores the object under the key it was sent to: renamed, it could not be read.
fn rename(metadata: &Metadata<'_>) -> Rename {
    if metadata.is_server_side_apply() {
        return Rename::Refused(
            "server-side apply stores the object under the name it was applied to; create it instead",
        );
    }
    Rename::Allowed
}
