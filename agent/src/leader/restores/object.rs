//! One object, created in the name of the requester; or compared with what is there already.

use std::time::Duration;

use clusterbackup_api::labels::RESTORE_UID;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{ObjectReport, Outcome, Ready, Wave};
use kube::core::Status;
use serde_json::Value;
use tokio::time::{Instant, sleep};

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
    /// It is there, and is different.
    Skipped(String),
    /// It is not there.
    Failed(String),
}

impl Fate {
    /// What is told of it.
    pub(super) fn report(&self, ready: &Ready, wave: Wave) -> ObjectReport {
        let (outcome, message) = match self {
            Self::Created(_) => (Outcome::Created, None),
            Self::Unchanged => (Outcome::Unchanged, None),
            Self::Skipped(reason) => (Outcome::Skipped, Some(reason)),
            Self::Failed(reason) => (Outcome::Failed, Some(reason)),
        };
        ObjectReport {
            message: message.cloned(),
            ..ObjectReport::new(ready.origin.clone(), ready.target.clone(), wave, outcome)
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
}

/// Why an attempt came to nothing.
enum Hindrance {
    /// It may pass.
    Passing(String),
    /// The webhook, which has to be asked, doesn't answer.
    Absent(String),
    /// It doesn't.
    Final(String),
}

impl Creator {
    /// Sees to it that the object is there. `young` is whether the cluster has just learnt of its kind.
    pub(super) async fn bring(&self, ready: &Ready, young: bool) -> Fate {
        let outgoing = match self.rules.outgoing(ready) {
            Ok(outgoing) => outgoing,
            Err(denial) => return Fate::Failed(denial.to_string()),
        };
        let began = Instant::now();
        let (deadline, absent_until) = (began + PATIENCE, began + WEBHOOK_PATIENCE);
        let in_time = |deadline| Instant::now() + PAUSE < deadline;
        loop {
            let attempt = self.attempt(ready, &outgoing, young);
            match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Ok(fate)) => return fate,
                Ok(Err(Hindrance::Passing(_))) if in_time(deadline) => sleep(PAUSE).await,
                Ok(Err(Hindrance::Absent(_))) if in_time(absent_until) => sleep(PAUSE).await,
                Ok(Err(Hindrance::Absent(reason))) => {
                    self.rules.miss_webhook(&reason);
                    return Fate::Failed(reason);
                }
                Ok(Err(Hindrance::Passing(reason) | Hindrance::Final(reason))) => {
                    return Fate::Failed(reason);
                }
                Err(_) => {
                    let limit = PATIENCE.as_secs();
                    return Fate::Failed(format!("the API server did not answer within {limit} s"));
                }
            }
        }
    }

    /// What is there in its place, without creating anything: none where nothing is.
    pub(super) async fn look(&self, ready: &Ready) -> Result<Option<Fate>, String> {
        let expected = self.rules.expected(ready);
        let place = Place::of(&expected.target, &expected.object);
        match self.stand_in.get(&place).await {
            Ok(live) => Ok(live.map(|live| self.compare(&live, &expected))),
            Err(error) => Err(told(&ready.target, &error)),
        }
    }

    async fn attempt(&self, ready: &Ready, outgoing: &Outgoing<'_>, young: bool) -> Result<Fate, Hindrance> {
        let place = Place::of(&ready.target, &ready.object);
        let error = match self.stand_in.create(&place, &outgoing.object).await {
            Ok(made) => return Ok(self.created(made, outgoing.is_guarded)),
            Err(error) => error,
        };
        let said = told(&ready.target, &error);
        match &error {
            kube::Error::Api(status) if status.is_already_exists() => {
                self.met(&self.rules.expected(ready)).await
            }
            kube::Error::Api(status) if outgoing.is_guarded && is_of_absence(status) => {
                Err(Hindrance::Absent(said))
            }
            kube::Error::Api(status) if may_pass(status, young) => Err(Hindrance::Passing(said)),
            kube::Error::Api(_) => Err(Hindrance::Final(said)),
            _ => Err(Hindrance::Passing(said)),
        }
    }

    /// Something is there already: by this restore before its leader died or an answer was lost, or by somebody else.
    async fn met(&self, ready: &Ready) -> Result<Fate, Hindrance> {
        let place = Place::of(&ready.target, &ready.object);
        match self.stand_in.get(&place).await {
            Ok(Some(live)) if live["metadata"]["deletionTimestamp"].is_string() => Err(Hindrance::Passing(
                "an object of that name is being deleted, and is still there".to_owned(),
            )),
            Ok(Some(live)) => Ok(self.compare(&live, ready)),
            Ok(None) => Err(Hindrance::Passing("it was there for a moment".to_owned())),
            Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Fate::Skipped(
                "it exists, and the requester may not get it, so that it is not compared".to_owned(),
            )),
            Err(error) => Err(Hindrance::Passing(told(&ready.target, &error))),
        }
    }

    fn created(&self, made: Made, is_guarded: bool) -> Fate {
        let is_guarded = !is_guarded || self.rules.are_on(made.mark());
        let Made { uid, name, .. } = made;
        Fate::Created(Created {
            uid,
            name,
            is_guarded,
        })
    }

    /// What is there, compared with what was to be.
    pub(super) fn compare(&self, live: &Value, ready: &Ready) -> Fate {
        let metadata = &live["metadata"];
        if metadata["annotations"][RESTORE_UID].as_str() == Some(self.uid.as_str()) {
            return self.created(Made::of(live), true);
        }
        if ready.differs(live) {
            Fate::Skipped("it exists, and is different".to_owned())
        } else {
            Fate::Unchanged
        }
    }
}

/// Whether the API server could not ask a webhook that it has to ask.
fn is_of_absence(status: &Status) -> bool {
    status.code == 500 && status.message.contains("failed calling webhook")
}

/// Whether the API server may say otherwise in a moment: of a kind that is new it says for a while that there is none.
fn may_pass(status: &Status, young: bool) -> bool {
    let unknown_kind = status.code == 404 && young;
    unknown_kind || status.code >= 500 || matches!(status.code, 408 | 429) || status.is_conflict()
}

/// What the API server says, for a person. It may repeat what it refuses: of a Secret only the reason is told.
fn told(target: &ObjectId, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if target.kind.as_str() == "secrets" && !status.is_forbidden() => {
            format!("the API server refuses it: {} ({})", status.reason, status.code)
        }
        kube::Error::Api(status) => format!("the API server refuses it: {}", status.message),
        error => format!("the API server can't be asked: {error}"),
    }
}
