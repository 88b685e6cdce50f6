//! The rules of a restore, frozen as they were when it began. The webhook applies them to what is created; the leader makes
//! sure that it did, and applies them itself to what no webhook sees and to what is there already.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clusterbackup_api::labels::INTERCEPT;
use clusterbackup_core::interception::{
    Case, Concerned, Denial, Interception, Mark, NamespaceMappings, Subject, Verdict, decide, is_reviewed,
    preview,
};
use clusterbackup_core::modifier::{Rename, RuleSetHash};
use clusterbackup_core::object::ObjectName;
use clusterbackup_core::restore::Ready;
use serde_json::{Value, json};

use crate::leader::point_failure::PointFailure;

/// The rules of one restore; none where it has none.
#[derive(Debug, Default)]
pub(super) struct Rules {
    frozen: Option<Frozen>,
    halt: Mutex<Option<Halt>>,
}

#[derive(Debug)]
struct Frozen {
    interception: Interception,
    hash: RuleSetHash,
    requester: String,
}

/// Why nothing more may be created.
#[derive(Debug, Clone)]
enum Halt {
    /// The webhook doesn't answer; it may come back.
    Absent(String),
    /// Something got in past it.
    Unguarded(String),
}

/// An object on its way to the API server.
pub(super) struct Outgoing<'r> {
    /// What is sent.
    pub(super) object: Cow<'r, Value>,
    /// Whether the answer has to say that the webhook has applied the rules.
    pub(super) is_guarded: bool,
}

impl Rules {
    /// Rules that the webhook knows by the name of the interception, for what is created in the requester's name.
    pub(super) fn new(interception: Interception, hash: RuleSetHash, requester: &str) -> Self {
        Self {
            frozen: Some(Frozen {
                interception,
                hash,
                requester: requester.to_owned(),
            }),
            halt: Mutex::default(),
        }
    }

    /// The object as it is sent: with the label by which the webhook finds the rules; or, where it is never asked, as they
    /// have it. Refused by a rule, it is not sent at all.
    pub(super) fn outgoing<'r>(&self, ready: &'r Ready) -> Result<Outgoing<'r>, Denial> {
        let Some(frozen) = &self.frozen else {
            return Ok(Outgoing {
                object: Cow::Borrowed(&ready.object),
                is_guarded: false,
            });
        };
        if is_reviewed(&ready.target.kind, &frozen.requester) {
            let mut object = ready.object.clone();
            object["metadata"]["labels"][INTERCEPT] = json!(frozen.interception.name);
            return Ok(Outgoing {
                object: Cow::Owned(object),
                is_guarded: true,
            });
        }
        Ok(Outgoing {
            object: Cow::Owned(self.applied(ready, decide)?),
            is_guarded: false,
        })
    }

    /// The object as it is expected to be stored: under the name that the rules give it, and with what they change. Where
    /// they can't be applied here, as it was prepared: the webhook sees it with more defaults, and is the judge.
    pub(super) fn expected<'r>(&self, ready: &'r Ready) -> Cow<'r, Ready> {
        if self.frozen.is_none() {
            return Cow::Borrowed(ready);
        }
        match self.applied(ready, preview) {
            Ok(object) => Cow::Owned(become_of(ready, object)),
            Err(_) => Cow::Borrowed(ready),
        }
    }

    /// The object as they have it, with their mark: for what is there already, which nobody else applies them to.
    pub(super) fn decided<'r>(&self, ready: &'r Ready) -> Result<Cow<'r, Ready>, Denial> {
        if self.frozen.is_none() {
            return Ok(Cow::Borrowed(ready));
        }
        let object = self.applied(ready, decide)?;
        Ok(Cow::Owned(become_of(ready, object)))
    }

    /// What they make of a new object: decided, and marked; or only previewed.
    fn applied(
        &self,
        ready: &Ready,
        decide: impl Fn(&[Concerned<'_>], Case<'_>) -> Verdict,
    ) -> Result<Value, Denial> {
        let mappings = origin(ready);
        let case = Case {
            subject: Subject {
                group_resource: &ready.target.kind,
                name: ObjectName::Exact(&ready.target.name),
                namespace: ready.target.namespace.as_deref(),
            },
            rename: Rename::Allowed,
            object: ready.object.clone(),
            existing: None,
            custom: None,
        };
        let verdict = decide(&self.concerned(&mappings), case);
        verdict.outcome.map(|decision| decision.object)
    }

    /// The interception that decides about an object, which comes from where `mappings` say: see [`origin`].
    pub(super) fn concerned<'a>(&'a self, mappings: &'a NamespaceMappings) -> Vec<Concerned<'a>> {
        let frozen = self.frozen.iter();
        frozen
            .map(|frozen| Concerned {
                interception: &frozen.interception,
                restore: Some(mappings),
            })
            .collect()
    }

    /// Whether the mark on an object says that these rules were applied to it.
    pub(super) fn are_on(&self, mark: Option<&str>) -> bool {
        self.frozen.as_ref().is_none_or(|frozen| {
            let mark = mark.map(Mark::read).unwrap_or_default();
            mark.names(&frozen.interception.name, &frozen.hash)
        })
    }

    /// Nothing more is created until the webhook is back.
    pub(super) fn miss_webhook(&self, said: &str) {
        self.halt().get_or_insert_with(|| Halt::Absent(said.to_owned()));
    }

    /// Nothing more is created: the object that is told of got in without the rules.
    pub(super) fn give_up(&self, object: &str) {
        *self.halt() = Some(Halt::Unguarded(object.to_owned()));
    }

    /// Whether the restore may go on.
    pub(super) fn allow(&self) -> Result<(), PointFailure> {
        match self.halt().clone() {
            None => Ok(()),
            Some(Halt::Absent(said)) => Err(PointFailure::Passing(format!(
                "the webhook, which applies the rules, doesn't answer, and nothing gets in without them: {said}"
            ))),
            Some(Halt::Unguarded(object)) => Err(PointFailure::Final(format!(
                "{object} is created, and the webhook has not applied the rules to it: delete it, see that the webhook \
                 configuration clusterbackup-intercept is as it was installed, and restore again"
            ))),
        }
    }

    fn halt(&self) -> MutexGuard<'_, Option<Halt>> {
        self.halt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same with what rules made of its object.
fn become_of(ready: &Ready, object: Value) -> Ready {
    let mut ready = ready.clone();
    if let Some(name) = object["metadata"]["name"].as_str() {
        name.clone_into(&mut ready.target.name);
    }
    ready.object = object;
    ready
}

/// Where an object comes from: conditions speak of the namespace that it was in.
pub(super) fn origin(ready: &Ready) -> NamespaceMappings {
    let (origin, target) = (&ready.origin.namespace, &ready.target.namespace);
    NamespaceMappings::invert(origin.as_deref().zip(target.as_deref()))
}
