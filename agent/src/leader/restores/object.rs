//! One object, created in the name of the requester, or brought to terms with what is there already.

use std::time::Duration;

use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{Conflicts, ObjectReport, Outcome, Ready, Refusal, Wave};
use kube::Client;
use kube::core::Status;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::existing::{Changed, Step};
use super::kinds::CustomKinds;
use super::rules::{Outgoing, Rules};
use super::stand_in::{Made, Place, StandIn};

/// So long a single object is tried for, where what stands in its way may pass.
const PATIENCE: Duration = Duration::from_mins(1);
/// So long, where the webhook that applies the rules doesn't answer. Then the restore as a whole waits for it.
const WEBHOOK_PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts at it.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// This restore created it.
    Created(Created),
    /// It is there, as the point has it.
    Unchanged,
    /// It is there and different, in fields that can't be changed.
    Stays(Box<Changed>),
    /// This restore changed it.
    Patched(Box<Changed>),
    /// This restore deleted it, and created another one.
    Replaced(Created, Box<Changed>),
    /// This restore deleted it, and could not create another one.
    Lost(String, Box<Changed>),
    /// It is there, and is different.
    Skipped(String),
    /// It is not there, or not as it should be.
    Failed(Refused),
}

/// Why an object is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// For a person.
    pub(super) reason: String,
    /// What a preview makes of it.
    pub(super) refusal: Refusal,
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        let refusal = Refusal::Other;
        Self { reason, refusal }
    }
}

impl Fate {
    /// What it was refused for, if it was.
    pub(super) const fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Failed(refused) => Some(refused.refusal),
            _ => None,
        }
    }

    /// What is told of it.
    pub(super) fn report(&self, ready: &Ready, wave: Wave) -> ObjectReport {
        let report = |outcome| ObjectReport::new(ready.origin.clone(), ready.target.clone(), wave, outcome);
        let because = |outcome, reason: &String| ObjectReport {
            message: Some(reason.clone()),
            ..report(outcome)
        };
        let changed = |outcome, changed: &Changed| ObjectReport {
            fields: changed.fields.clone(),
            warnings: changed.remark.iter().cloned().collect(),
            before: changed.before.clone(),
            ..report(outcome)
        };
        match self {
            Self::Created(_) => report(Outcome::Created),
            Self::Unchanged => report(Outcome::Unchanged),
            Self::Stays(change) => changed(Outcome::Unchanged, change),
            Self::Patched(change) => changed(Outcome::Patched, change),
            Self::Replaced(_, change) => changed(Outcome::Replaced, change),
            Self::Lost(reason, change) => ObjectReport {
                message: Some(reason.clone()),
                ..changed(Outcome::Failed, change)
            },
            Self::Skipped(reason) => because(Outcome::Skipped, reason),
            Self::Failed(refused) => because(Outcome::Failed, &refused.reason),
        }
    }
}

/// An object that a restore created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Created {
    /// Its uid.
    pub(super) uid: String,
    /// Its name, which rules can change.
    pub(super) name: String,
    /// Whether the rules of the restore were applied to it, if there are any.
    pub(super) is_guarded: bool,
}

/// Who creates objects, and for which restore.
pub(super) struct Creator {
    /// In whose name.
    pub(super) stand_in: StandIn,
    /// The restore that the objects carry.
    pub(super) uid: String,
    /// What changes them on their way.
    pub(super) rules: Rules,
    /// What becomes of objects that are there and different.
    pub(super) conflicts: Conflicts,
    /// What is known of kinds that are not built in.
    pub(super) kinds: CustomKinds,
    /// In the leader's own name, for what the requester has nothing to do with.
    pub(super) client: Client,
}

/// Why an attempt came to nothing.
pub(super) enum Hindrance {
    /// It may pass.
    Passing(String),
    /// The webhook, which has to be asked, doesn't answer.
    Absent(String),
    /// It doesn't.
    Final(Refused),
}

impl Creator {
    /// Sees to it that the object is there. `young` is whether the cluster has just learnt of its kind.
    pub(super) async fn bring(&self, ready: &Ready, young: bool) -> Fate {
        let outgoing = match self.rules.outgoing(ready) {
            Ok(outgoing) => outgoing,
            Err(denial) => return Fate::Failed(denial.to_string().into()),
        };
        let began = Instant::now();
        let (deadline, absent_until) = (began + PATIENCE, began + WEBHOOK_PATIENCE);
        let in_time = |deadline| Instant::now() + PAUSE < deadline;
        loop {
            let Ok(step) = timeout_at(deadline, self.attempt(ready, &outgoing, young)).await else {
                let limit = PATIENCE.as_secs();
                return Fate::Failed(format!("the API server did not answer within {limit} s").into());
            };
            match self.take(ready, step).await {
                Ok(fate) => return fate,
                Err(Hindrance::Passing(_)) if in_time(deadline) => sleep(PAUSE).await,
                Err(Hindrance::Absent(_)) if in_time(absent_until) => sleep(PAUSE).await,
                Err(hindrance) => return self.fail(hindrance),
            }
        }
    }

    /// What becomes of an object that is there, as somebody has seen who may.
    pub(super) async fn settle(&self, ready: &Ready, live: Value) -> Fate {
        let step = self.meet(ready, live).await;
        match self.take(ready, step).await {
            Ok(fate) => fate,
            Err(hindrance) => self.fail(hindrance),
        }
    }

    /// What is there in its place, without creating anything: none where nothing is.
    pub(super) async fn look(&self, ready: &Ready) -> Result<Option<Fate>, String> {
        let expected = self.rules.expected(ready);
        let place = Place::of(&expected.target, &expected.object);
        match self.stand_in.get(&place).await {
            Ok(Some(live)) => self.compare(&expected, &live).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(told(&ready.target, &error)),
        }
    }

    async fn attempt(&self, ready: &Ready, outgoing: &Outgoing<'_>, young: bool) -> Result<Step, Hindrance> {
        let place = Place::of(&ready.target, &ready.object);
        let error = match self.stand_in.create(&place, &outgoing.object).await {
            Ok(made) => return Ok(Step::Done(Fate::Created(self.created(made, outgoing.is_guarded)))),
            Err(error) => error,
        };
        match &error {
            kube::Error::Api(status) if status.is_already_exists() => self.met(ready).await,
            kube::Error::Api(status) if outgoing.is_guarded && is_of_absence(status) => {
                Err(Hindrance::Absent(told(&ready.target, &error)))
            }
            kube::Error::Api(status) if status.code == 404 && young => {
                Err(Hindrance::Passing(told(&ready.target, &error)))
            }
            _ => match hindrance(&ready.target, &error) {
                Hindrance::Final(refused) => self.refused(ready, refused).await,
                hindrance => Err(hindrance),
            },
        }
    }

    /// It may not be created; but what is there already may be more than a quota or a role lets be created.
    async fn refused(&self, ready: &Ready, refused: Refused) -> Result<Step, Hindrance> {
        let expected = self.rules.expected(ready);
        let place = Place::of(&expected.target, &expected.object);
        match self.stand_in.get(&place).await {
            Ok(Some(live)) => self.meet(ready, live).await,
            _ => Err(Hindrance::Final(refused)),
        }
    }

    async fn met(&self, ready: &Ready) -> Result<Step, Hindrance> {
        let expected = self.rules.expected(ready);
        let place = Place::of(&expected.target, &expected.object);
        match self.stand_in.get(&place).await {
            Ok(Some(live)) => self.meet(ready, live).await,
            Ok(None) => Err(Hindrance::Passing("it was there for a moment".to_owned())),
            Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Step::Done(Fate::Skipped(
                "it exists, and the requester may not get it, so that it is not compared".to_owned(),
            ))),
            Err(error) => Err(hindrance(&ready.target, &error)),
        }
    }

    /// Takes the next step with an object.
    async fn take(&self, ready: &Ready, step: Result<Step, Hindrance>) -> Result<Fate, Hindrance> {
        match step? {
            Step::Done(fate) => Ok(fate),
            Step::Replace(live) => self.replace(ready, live).await,
        }
    }

    fn fail(&self, hindrance: Hindrance) -> Fate {
        match hindrance {
            Hindrance::Absent(reason) => {
                self.rules.miss_webhook(&reason);
                Fate::Failed(reason.into())
            }
            Hindrance::Passing(reason) => Fate::Failed(reason.into()),
            Hindrance::Final(refused) => Fate::Failed(refused),
        }
    }

    /// What is known of an object that this restore created.
    pub(super) fn created(&self, made: Made, is_guarded: bool) -> Created {
        let is_guarded = !is_guarded || self.rules.are_on(made.mark());
        let Made { uid, name, .. } = made;
        Created {
            uid,
            name,
            is_guarded,
        }
    }
}

/// What stood in the way of an attempt.
pub(super) fn hindrance(target: &ObjectId, error: &kube::Error) -> Hindrance {
    let said = told(target, error);
    match error {
        kube::Error::Api(status) if !may_pass(status) => Hindrance::Final(Refused {
            reason: said,
            refusal: refusal(status),
        }),
        _ => Hindrance::Passing(said),
    }
}

/// Whether the API server could not ask a webhook that it has to ask.
fn is_of_absence(status: &Status) -> bool {
    status.code == 500 && status.message.contains("failed calling webhook")
}

/// Whether the API server may say otherwise in a moment.
fn may_pass(status: &Status) -> bool {
    status.code >= 500 || matches!(status.code, 408 | 429) || status.is_conflict()
}

/// What a refusal is about: the API server says so in its words alone.
fn refusal(status: &Status) -> Refusal {
    let says = |words: &str| status.message.contains(words);
    if says("does not support dry run") {
        Refusal::NoDryRun
    } else if says("denied the request") {
        Refusal::Webhook
    } else if status.code == 404 {
        Refusal::Missing
    } else if status.is_forbidden() && (says(" cannot ") || says("attempting to grant")) {
        Refusal::Forbidden
    } else {
        Refusal::Other
    }
}

/// What the API server says, for a person. It may repeat what it refuses: of a Secret only the reason is told.
pub(super) fn told(target: &ObjectId, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if target.kind.as_str() == "secrets" && !status.is_forbidden() => {
            format!("the API server refuses it: {} ({})", status.reason, status.code)
        }
        kube::Error::Api(status) => format!("the API server refuses it: {}", status.message),
        error => format!("the API server can't be asked: {error}"),
    }
}
