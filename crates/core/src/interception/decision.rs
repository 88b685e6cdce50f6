//! What comes of one object: the operations that change it, or why it is refused.

use std::fmt;

use json_patch::PatchOperation;
use serde_json::Value;
use thiserror::Error;

use super::{Interception, Mark, OnModifierError, OutOfScope, Unusable};
use crate::modifier::{PatchKind, Rename, RuleError, RuleIndex, RuleOutcome, RuleResult, RuleSet, Selection};
use crate::object::{self, GroupResource, ObjectName};
use crate::patch::{Draft, EditError};

/// The object a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it is.
    pub group_resource: &'a GroupResource,
    /// Its name, or the prefix of a name that the API server is yet to make.
    pub name: ObjectName<'a>,
    /// The namespace it is created in; `None` for a cluster-scoped object.
    pub namespace: Option<&'a str>,
}

/// An object that is admitted.
#[derive(Debug)]
pub struct Decision {
    /// What changes it, in order (RFC 6902).
    pub operations: Vec<PatchOperation>,
    /// The object as it becomes.
    pub object: Value,
    /// What was applied; also on the object, as an annotation.
    pub mark: Mark,
    /// What the client should know.
    pub warnings: Vec<String>,
}

/// The outcome of a review.
#[derive(Debug)]
pub struct Verdict {
    /// The admitted object, or why it is refused; then nothing of it is to be stored.
    pub outcome: Result<Decision, Denial>,
    /// What became of each rule whose conditions hold on the object, up to the one that refused it.
    pub rules: Vec<RuleRecord>,
}

/// What became of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleRecord {
    /// The kind of its patches.
    pub patch: PatchKind,
    /// What it did.
    pub fate: Fate,
}

/// What a rule did to an object on which its conditions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It changed the object.
    Applied,
    /// Its patches hold already.
    Unchanged,
    /// One of its `test` operations failed: the rule is dropped.
    TestFailed,
    /// It could not be applied.
    Failed,
    /// It lies in a namespace whose rules don't reach the object.
    OutOfScope,
}

/// Why an object is refused. Every message names the interception, the object and the way out.
#[derive(Debug, Error)]
pub enum Denial {
    /// An interception that concerns the object has no rules to apply.
    #[error("interception {interception} concerns {subject}, but {cause}")]
    Unusable {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// Why there are none.
        cause: Unusable,
    },
    /// A rule failed, and the interception doesn't say `onModifierError: Warn`.
    #[error("interception {interception} could not change {subject}: {cause}")]
    RuleFailed {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// Which rule, and why.
        cause: RuleError,
    },
    /// Rules hold on an object that is out of their reach.
    #[error("interception {interception} may not change {subject}: {cause}")]
    OutOfScope {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// Whose rules, and what would allow it.
        cause: OutOfScope,
    },
    /// Several namespaces are mapped to the object's, and its rules differ by which it comes from.
    #[error(
        "interception {interception}: {subject} may come from any of the namespaces {}, and the rules make \
         different things of it; map each to a namespace of its own or write the rules alike", .originals.join(", ")
    )]
    AmbiguousOrigin {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// The namespaces it may come from.
        originals: Vec<String>,
    },
    /// The mark could not be written.
    #[error("{subject} can't be marked as changed: {cause}")]
    Unmarkable {
        /// The object.
        subject: String,
        /// Why.
        cause: EditError,
    },
}

/// Applies the rules of every interception in `concerned`, in that order, to `object`.
///
/// All conditions are judged on the object as it came; patches accumulate. Where the interceptions differ in
/// `onModifierError`, Deny wins.
pub fn decide(concerned: &[&Interception], subject: Subject<'_>, rename: Rename, object: Value) -> Verdict {
    let plans: Result<Vec<_>, _> = concerned
        .iter()
        .map(|interception| Plan::new(interception, subject, &object))
        .collect();
    let plans = match plans {
        Ok(plans) => plans,
        Err(denial) => {
            return Verdict {
                outcome: Err(denial),
                rules: Vec::new(),
            };
        }
    };
    let mut sitting = Sitting {
        subject,
        rename,
        on_error: concerned.iter().map(|interception| interception.on_error).max(),
        draft: Draft::new(object),
        mark: Mark::default(),
        warnings: Vec::new(),
        rules: Vec::new(),
    };
    let carried_out = plans.iter().try_for_each(|plan| sitting.carry_out(plan));
    let rules = std::mem::take(&mut sitting.rules);
    Verdict {
        outcome: carried_out.and_then(|()| sitting.close()),
        rules,
    }
}

/// The rules of one interception that concern the object, for each namespace it may come from.
struct Plan<'a> {
    interception: &'a Interception,
    rules: &'a RuleSet,
    originals: Vec<&'a str>,
    selection: Selection,
    /// What is selected if it comes from another of the namespaces, where that differs.
    alternatives: Vec<Selection>,
}

impl<'a> Plan<'a> {
    fn new(interception: &'a Interception, subject: Subject<'a>, object: &Value) -> Result<Self, Denial> {
        let rules = interception.rules.as_ref().map_err(|cause| Denial::Unusable {
            interception: interception.name.clone(),
            subject: subject.to_string(),
            cause: cause.clone(),
        })?;
        let select = |original_namespace| {
            let target = object::Target {
                group_resource: subject.group_resource,
                name: subject.name,
                original_namespace,
            };
            rules.select(&target, object)
        };
        let originals = subject
            .namespace
            .map_or_else(Vec::new, |namespace| interception.mappings.originals(namespace));
        let selection = select(originals.first().copied());
        let mut alternatives: Vec<_> = originals
            .iter()
            .skip(1)
            .map(|original| select(Some(original)))
            .collect();
        alternatives.retain(|alternative| *alternative != selection);
        Ok(Self {
            interception,
            rules,
            originals,
            selection,
            alternatives,
        })
    }
}

/// The state of a decision between one interception and the next.
struct Sitting<'a> {
    subject: Subject<'a>,
    rename: Rename,
    on_error: Option<OnModifierError>,
    draft: Draft,
    mark: Mark,
    warnings: Vec<String>,
    rules: Vec<RuleRecord>,
}

impl Sitting<'_> {
    fn carry_out(&mut self, plan: &Plan<'_>) -> Result<(), Denial> {
        let alternatives: Vec<Value> = plan
            .alternatives
            .iter()
            .map(|selection| self.try_out(plan.rules, selection))
            .collect();
        let results = match self.apply(plan) {
            Ok(results) => results,
            Err(cause) => self.out_of_scope(plan, cause)?,
        };
        if alternatives
            .iter()
            .any(|alternative| alternative != self.draft.value())
        {
            return Err(Denial::AmbiguousOrigin {
                interception: plan.interception.name.clone(),
                subject: self.subject.to_string(),
                originals: plan
                    .originals
                    .iter()
                    .map(|&original| original.to_owned())
                    .collect(),
            });
        }
        let mut held = Vec::new();
        for RuleResult { rule, outcome } in results {
            if matches!(outcome, RuleOutcome::Applied | RuleOutcome::Unchanged) {
                held.push(rule);
            }
            self.record(plan, rule, outcome)?;
        }
        self.mark.add(&plan.interception.name, plan.rules.hash(), held);
        Ok(())
    }

    /// What the rules would make of the object if it came from another namespace.
    fn try_out(&mut self, rules: &RuleSet, selection: &Selection) -> Value {
        let before = self.draft.savepoint();
        rules.apply(selection, &mut self.draft, self.rename);
        let outcome = self.draft.value().clone();
        self.draft.rollback(before);
        outcome
    }

    /// Applies the selected rules, if the object is in their reach and still is when they are done.
    fn apply(&mut self, plan: &Plan<'_>) -> Result<Vec<RuleResult>, OutOfScope> {
        if plan.selection.is_empty() {
            return Ok(Vec::new());
        }
        self.reach(plan)?;
        let before = self.draft.savepoint();
        let results = plan.rules.apply(&plan.selection, &mut self.draft, self.rename);
        self.reach(plan).inspect_err(|_| self.draft.rollback(before))?;
        Ok(results)
    }

    fn reach(&self, plan: &Plan<'_>) -> Result<(), OutOfScope> {
        plan.interception.scope.permits(
            self.subject.group_resource,
            self.subject.namespace,
            self.draft.value(),
        )
    }

    fn out_of_scope(&mut self, plan: &Plan<'_>, cause: OutOfScope) -> Result<Vec<RuleResult>, Denial> {
        let patches = plan
            .selection
            .rules()
            .map(|rule| plan.rules.rule(rule).patch_kind());
        self.rules.extend(patches.map(|patch| RuleRecord {
            patch,
            fate: Fate::OutOfScope,
        }));
        let interception = plan.interception.name.clone();
        let subject = self.subject.to_string();
        self.tolerate(Denial::OutOfScope {
            interception,
            subject,
            cause,
        })?;
        Ok(Vec::new())
    }

    fn record(&mut self, plan: &Plan<'_>, rule: RuleIndex, outcome: RuleOutcome) -> Result<(), Denial> {
        let patch = plan.rules.rule(rule).patch_kind();
        let (fate, failure) = match outcome {
            RuleOutcome::Applied => (Fate::Applied, None),
            RuleOutcome::Unchanged => (Fate::Unchanged, None),
            RuleOutcome::TestFailed => (Fate::TestFailed, None),
            RuleOutcome::Failed(cause) => (Fate::Failed, Some(cause)),
        };
        self.rules.push(RuleRecord { patch, fate });
        let Some(cause) = failure else { return Ok(()) };
        let interception = plan.interception.name.clone();
        self.tolerate(Denial::RuleFailed {
            interception,
            subject: self.subject.to_string(),
            cause,
        })
    }

    /// Refuses, or only warns where the interceptions say so.
    fn tolerate(&mut self, denial: Denial) -> Result<(), Denial> {
        if self.on_error != Some(OnModifierError::Warn) {
            return Err(denial);
        }
        self.warnings.push(denial.to_string());
        Ok(())
    }

    fn close(mut self) -> Result<Decision, Denial> {
        self.mark
            .write(&mut self.draft)
            .map_err(|cause| Denial::Unmarkable {
                subject: self.subject.to_string(),
                cause,
            })?;
        let name = self
            .draft
            .value()
            .pointer("/metadata/name")
            .and_then(Value::as_str);
        match (self.subject.name, name) {
            (ObjectName::Prefix(prefix), None) => self.warnings.push(format!(
                "{} has no name yet: the rules' resourceNameRegex was matched against {prefix}",
                self.subject
            )),
            (ObjectName::Exact(old), Some(new)) if old != new => self.warnings.push(format!(
                "{} is stored under the name {new}; the client still knows it as {old}",
                self.subject
            )),
            _ => {}
        }
        let (object, operations) = self.draft.into_parts();
        Ok(Decision {
            operations,
            object,
            mark: self.mark,
            warnings: self.warnings,
        })
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.group_resource)?;
        if let Some(namespace) = self.namespace {
            write!(f, "{namespace}/")?;
        }
        match self.name {
            ObjectName::Exact(name) => f.write_str(name),
            ObjectName::Prefix(prefix) => write!(f, "{prefix}…"),
        }
    }
}

impl Denial {
    /// The HTTP status that tells the client what kind of refusal it is. Never one that clients take for a passing
    /// fault and try again.
    pub fn code(&self) -> u16 {
        match self {
            Self::OutOfScope { .. } | Self::Unusable { .. } => 403,
            Self::RuleFailed { .. } | Self::AmbiguousOrigin { .. } | Self::Unmarkable { .. } => 422,
        }
    }
}
