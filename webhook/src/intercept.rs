//! `/intercept`: an opted-in object on its way into the cluster → the same object, changed by its rules.
//!
//! - `opt_in`: the door's conditions, once more
//! - `parties`: whom the object concerns
//! - `answer`: what is answered, and what it counts as
//! - `clashes`: what is told of the fields of an object that exists already

mod answer;
mod clashes;
mod opt_in;
mod parties;

use std::sync::Arc;
use std::time::Instant;

use clusterbackup_core::clash::Existing;
use clusterbackup_core::interception::{Case, Concerned, OptIn, Subject, Verdict, decide};
use clusterbackup_core::modifier::{Rename, RuleSet};
use clusterbackup_core::object::ObjectName;
use serde_json::Value;

use self::answer::Answer;
use self::opt_in::opt_in;
use self::parties::{Directory, Known};
use crate::custom_kinds::CustomKinds;
use crate::interceptions::{Interceptions, LiveRead};
use crate::metrics::{Door, Metrics};
use crate::object;
use crate::review::{AdmissionRequest, AdmissionResponse, Metadata, Operation};
use crate::velero::VeleroRestores;

/// The handler.
pub struct Intercept {
    directory: Directory,
    metrics: Arc<Metrics>,
}

/// A request, and the metadata of its object.
struct Incoming<'a> {
    request: &'a AdmissionRequest<'a>,
    metadata: &'a Metadata<'a>,
}

/// Both objects of an update, without their managed fields.
struct Update {
    object: Value,
    existing: Value,
}

impl Update {
    /// Nothing where the request is none.
    fn read(request: &AdmissionRequest<'_>) -> Result<Option<Self>, serde_json::Error> {
        let Some(existing) = request.existing() else {
            return Ok(None);
        };
        Ok(Some(Self {
            object: object::read_whole(request.object, &[])?,
            existing: object::read_whole(existing, &[])?,
        }))
    }

    /// Whether it says no more than what the object was restored by: that is nobody's concern, whatever is known of
    /// interceptions and rules.
    fn is_only_labelled(&self, request: &AdmissionRequest<'_>) -> bool {
        Existing::new(&request.group_resource(), &self.existing, None).is_only_labelled(&self.object)
    }
}

impl Intercept {
    /// Reviews by `interceptions`; what they don't know, by `live`; what Velero restores, also by `velero`; what isn't
    /// built in, also by `custom_kinds`.
    pub fn new(
        interceptions: Arc<Interceptions>,
        live: LiveRead,
        velero: Arc<VeleroRestores>,
        custom_kinds: CustomKinds,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            directory: Directory {
                interceptions,
                live,
                velero,
                custom_kinds,
                metrics: metrics.clone(),
            },
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
        if !matches!(request.operation, Operation::Create | Operation::Update) {
            return (Door::None, Answer::not_intercepted(request));
        }
        let (metadata, existing) = match read_metadata(request) {
            Ok(both) => both,
            Err(error) => {
                return (
                    Door::None,
                    Answer::malformed(request, "the metadata of the object", &error),
                );
            }
        };
        let Some(by) = opt_in(request, &metadata, existing.as_ref()) else {
            return (Door::None, Answer::not_intercepted(request));
        };
        let incoming = Incoming {
            request,
            metadata: &metadata,
        };
        let answer = match Update::read(request) {
            Ok(Some(update)) if update.is_only_labelled(request) => Answer::untouched(request),
            Ok(update) => self.answer_for(by, &incoming, update).await,
            Err(error) => Answer::malformed(request, "the object", &error),
        };
        (Door::of(by), answer)
    }

    async fn answer_for(&self, by: OptIn<'_>, incoming: &Incoming<'_>, update: Option<Update>) -> Answer {
        let request = incoming.request;
        match self.directory.look_up(by, request).await {
            Ok(known) if known.parties.is_empty() => Answer::untouched(request),
            Ok(known) => self
                .decide(incoming, update, &known)
                .unwrap_or_else(|error| Answer::malformed(request, "the object", &error)),
            Err(refusal) => Answer::refused(request, refusal.code(), &refusal.to_string()),
        }
    }

    fn decide(
        &self,
        incoming: &Incoming<'_>,
        update: Option<Update>,
        known: &Known,
    ) -> Result<Answer, serde_json::Error> {
        let Incoming { request, metadata } = incoming;
        let group_resource = request.group_resource();
        let rules: Vec<&RuleSet> = known
            .parties
            .iter()
            .filter_map(|party| party.interception.rules.as_deref().ok())
            .collect();
        let (object, existing) = match update {
            None => (
                object::read(request.object, metadata, &group_resource, &rules)?,
                None,
            ),
            // The rules that want the managed fields were not known when the rest was read.
            Some(update) if rules.iter().any(|rules| rules.touches_managed_fields()) => {
                (object::read_whole(request.object, &rules)?, Some(update.existing))
            }
            Some(update) => (update.object, Some(update.existing)),
        };
        let concerned: Vec<_> = known
            .parties
            .iter()
            .map(|party| Concerned {
                interception: &party.interception,
                restore: party.velero.as_deref(),
            })
            .collect();
        let subject = Subject {
            group_resource: &group_resource,
            name: name(incoming),
            namespace: request.namespace(),
        };
        let case = Case {
            subject,
            rename: rename(incoming),
            object,
            existing,
            custom: known.custom.as_deref(),
        };
        let Verdict {
            outcome,
            rules,
            fields,
        } = decide(&concerned, case);
        self.metrics.rules(&concerned, &rules);
        self.metrics.clashes(&fields);
        Ok(match outcome {
            Ok(decision) => Answer::admitted(request, &subject, decision, &fields),
            Err(denial) => Answer::denied(request, &denial),
        })
    }
}

/// The metadata of the object as it would be stored and, on UPDATE, as it is stored.
fn read_metadata<'a>(
    request: &AdmissionRequest<'a>,
) -> Result<(Metadata<'a>, Option<Metadata<'a>>), serde_json::Error> {
    let existing = request.existing().map(Metadata::parse).transpose()?;
    Ok((Metadata::parse(request.object)?, existing))
}

fn name<'a>(incoming: &Incoming<'a>) -> ObjectName<'a> {
    let given = Some(incoming.request.name.as_ref()).filter(|name| !name.is_empty());
    let metadata = incoming.metadata;
    match (
        given.or(metadata.name.as_deref()),
        metadata.generate_name.as_deref(),
    ) {
        (Some(name), _) => ObjectName::Exact(name),
        (None, prefix) => ObjectName::Prefix(prefix.unwrap_or_default()),
    }
}

/// A server-side apply that creates stores the object under the key it was sent to: renamed, it could not be read.
fn rename(incoming: &Incoming<'_>) -> Rename {
    if incoming.metadata.is_server_side_apply() {
        return Rename::Refused(
            "server-side apply stores the object under the name it was applied to; create it instead",
        );
    }
    Rename::Allowed
}
