//! An object that is there, changed field by field: the smallest patch that the API server takes, which it judges before it is
//! sent. What was there is kept.

use clusterbackup_api::labels::{MODIFIED, ORIGINAL_NAMESPACE};
use clusterbackup_core::clash::{self, Existing, Field, Proposal, Reason, Settled};
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::restore::{PATCHED_BY, Ready};
use kube::core::Status;
use serde_json::{Value, json};

use super::existing::Changed;
use super::object::{Creator, Fate, Hindrance, hindrance, told};
use super::rights;
use super::stand_in::Place;

/// Questions to the API server about one object. Each bad field takes a few, unless it is named in the refusal.
const QUESTIONS: usize = 16;
/// Attempts at an object that others write at the same time, before there is a pause.
const ATTEMPTS: usize = 5;
/// Fields that a remark names.
const NAMED: usize = 5;

/// What the API server makes of a proposal.
struct Judgement {
    settled: Settled,
    /// What it said first of what it refuses.
    refusal: Option<String>,
}

impl Creator {
    /// Makes of it what the point says, as far as the API server lets the requester. No webhook sees what exists: the rules are
    /// applied here.
    pub(super) async fn patch(
        &self,
        ready: &Ready,
        mut live: Value,
        custom: Option<&CustomKind>,
    ) -> Result<Fate, Hindrance> {
        let ready = match self.rules.decided(ready) {
            Ok(ready) => ready,
            Err(denial) => return Ok(Fate::Failed(denial.to_string().into())),
        };
        let (ready, place) = (&*ready, &Place::of(&ready.target, &ready.object));
        for _ in 0..ATTEMPTS {
            let done = match self.patch_once(place, ready, &live, custom).await {
                Ok(fate) => return Ok(fate),
                Err(kube::Error::Api(status)) if status.is_conflict() => None,
                Err(kube::Error::Api(status)) if rights::lacks(&status) => {
                    return Ok(rights::without(ready, "patch", &status));
                }
                Err(error) => Some(hindrance(&ready.target, &error)),
            };
            if let Some(hindrance) = done {
                return Err(hindrance);
            }
            live = match self.stand_in.get(place).await {
                Ok(Some(live)) => live,
                Ok(None) => return Err(Hindrance::Passing("it was there for a moment".to_owned())),
                Err(error) => return Err(hindrance(&ready.target, &error)),
            };
            if let Some(fate) = self.known(&live) {
                return Ok(fate);
            }
        }
        Err(Hindrance::Passing(
            "it exists and is different, and others write it all the time, so that it could not be changed"
                .to_owned(),
        ))
    }

    async fn patch_once(
        &self,
        place: &Place,
        ready: &Ready,
        live: &Value,
        custom: Option<&CustomKind>,
    ) -> kube::Result<Fate> {
        let verdict = ready.onto(live, custom);
        let decision = match verdict.outcome {
            Ok(decision) => decision,
            Err(denial) => return Ok(Fate::Failed(denial.to_string().into())),
        };
        let existing = Existing::new(&ready.target.kind, live, custom);
        let marks = marks(&self.uid, ready);
        let judgement = self
            .judge(place, ready, live, existing.propose(decision.object))
            .await?;
        let fields = merged(verdict.fields, judgement.settled.fields);
        let remark = remark(&fields, judgement.refusal.as_deref());
        let Some(mut patch) = judgement.settled.patch else {
            return Ok(Fate::Stays(Box::new(Changed {
                before: None,
                fields,
                remark,
            })));
        };
        guard(&mut patch, live);
        mark(&mut patch, marks);
        if let Err(error) = self.stand_in.merge(place, &patch).await
            && !self.has_arrived(place, &error).await
        {
            return Err(error);
        }
        Ok(Fate::Patched(Box::new(Changed {
            before: Some(live.clone()),
            fields,
            remark,
        })))
    }

    /// Asks what of a proposal the API server would take.
    async fn judge(
        &self,
        place: &Place,
        ready: &Ready,
        live: &Value,
        mut proposal: Proposal<'_>,
    ) -> kube::Result<Judgement> {
        let (mut stored, mut refusal) = (live.clone(), None);
        for _ in 0..QUESTIONS {
            let Some(mut question) = proposal.question() else {
                break;
            };
            guard(&mut question, live);
            let error = match self.stand_in.try_merge(place, &question).await {
                Ok(object) => {
                    stored = object;
                    proposal.accept();
                    continue;
                }
                Err(error) => error,
            };
            match &error {
                kube::Error::Api(status) if can_not_judge(status) => {
                    stored = proposal.wanted().clone();
                    proposal.accept();
                }
                kube::Error::Api(status) if is_refusal(status) => {
                    refusal.get_or_insert_with(|| told(&ready.target, &error));
                    let causes = status.details.iter().flat_map(|details| &details.causes);
                    proposal.refuse(causes.map(|cause| cause.field.as_str()));
                }
                _ => return Err(error),
            }
        }
        proposal.give_up();
        Ok(Judgement {
            settled: proposal.settle(&stored),
            refusal,
        })
    }

    /// Whether it was done all the same, and only the answer was lost.
    async fn has_arrived(&self, place: &Place, error: &kube::Error) -> bool {
        if matches!(error, kube::Error::Api(_)) {
            return false;
        }
        let live = self.stand_in.get(place).await.ok().flatten();
        live.is_some_and(|live| self.known(&live).is_some())
    }
}

/// Whether it says something about the object: that trying again doesn't help, and trying less might.
fn is_refusal(status: &Status) -> bool {
    matches!(status.code, 400 | 403 | 422) && !rights::lacks(status)
}

/// Whether it can't be asked, since a webhook in its way does more than judge.
fn can_not_judge(status: &Status) -> bool {
    status.code == 400 && status.message.contains("does not support dry run")
}

/// What the patch is for: the object as it was read.
fn guard(patch: &mut Value, live: &Value) {
    patch["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
}

/// What tells of the restore.
fn marks(uid: &str, ready: &Ready) -> Value {
    let mut marks = json!({ PATCHED_BY: uid });
    for name in [ORIGINAL_NAMESPACE, MODIFIED] {
        let mark = &ready.object["metadata"]["annotations"][name];
        if mark.is_string() {
            marks[name] = mark.clone();
        }
    }
    marks
}

fn mark(patch: &mut Value, marks: Value) {
    let annotations = &mut patch["metadata"]["annotations"];
    match (annotations.as_object_mut(), marks) {
        (Some(annotations), Value::Object(marks)) => annotations.extend(marks),
        (_, marks) => *annotations = marks,
    }
}

/// What was decided of the fields, and what the API server then said of them.
fn merged(decided: Vec<Field>, judged: Vec<Field>) -> Vec<Field> {
    let kept = decided
        .into_iter()
        .filter(|field| field.outcome != clash::Outcome::Changed);
    let mut fields: Vec<_> = kept.chain(judged).collect();
    fields.sort_by(|a, b| a.path.cmp(&b.path));
    fields
}

/// Of the fields that stay although the point has others, some, with what the API server says of them.
fn remark(fields: &[Field], refusal: Option<&str>) -> Option<String> {
    let stays = |field: &&Field| matches!(field.outcome.reason(), Some(Reason::Immutable | Reason::Refused));
    let mut paths: Vec<_> = fields
        .iter()
        .filter(stays)
        .map(|field| field.path.as_str())
        .collect();
    if paths.is_empty() {
        return None;
    }
    let more = match paths.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    paths.truncate(NAMED);
    let why = refusal.unwrap_or("the API server never lets them change");
    let paths = paths.join(", ");
    Some(format!(
        "it exists, and these of its fields stay as they are: {paths}{more}; {why}"
    ))
}
