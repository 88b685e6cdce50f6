//! The rules of one interception, tried on one object.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::subject::Subject;
use super::{Concerned, Denial, Interception, OutOfScope};
use crate::modifier::{
    Circumstances, PatchKind, RuleError, RuleIndex, RuleOutcome, RuleResult, RuleSet, Selection,
};
use crate::object;
use crate::patch::Draft;

/// The rules of one interception that concern the object, for each namespace it may come from.
pub(super) struct Plan<'a> {
    /// The place of the interception among those that decide.
    pub(super) place: usize,
    pub(super) interception: &'a Interception,
    pub(super) rules: &'a RuleSet,
    pub(super) originals: Vec<String>,
    pub(super) selection: Selection,
    /// What is selected if it comes from another of the namespaces, where that differs.
    pub(super) alternatives: Vec<Selection>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        place: usize,
        concerned: Concerned<'a>,
        subject: Subject<'a>,
        object: &Value,
    ) -> Result<Self, Denial> {
        let interception = concerned.interception;
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
            .map_or_else(Vec::new, |namespace| concerned.originals(namespace, object));
        let selection = select(originals.first().copied());
        let mut alternatives: Vec<_> = originals
            .iter()
            .skip(1)
            .map(|original| select(Some(original)))
            .collect();
        alternatives.retain(|alternative| *alternative != selection);
        Ok(Self {
            place,
            interception,
            rules,
            originals: originals.into_iter().map(str::to_owned).collect(),
            selection,
            alternatives,
        })
    }
}

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRecord {
    /// The place of its interception among those that decided.
    pub interception: usize,
    /// Its index among the rules of that interception.
    pub rule: RuleIndex,
    /// The kind of its patches.
    pub patch: PatchKind,
    /// What it did.
    pub fate: Fate,
    /// Which of the operations on the object are its own.
    pub operations: Range<usize>,
    /// Why it could not be applied, if so.
    pub error: Option<RuleError>,
}

/// What a rule did to an object on which its conditions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Fate {
    /// It changed the object.
    Applied,
    /// Its patches hold already.
    Unchanged,
    /// One of its `test` operations failed: the rule is dropped.
    TestFailed,
    /// It could not be applied.
    Failed,
    /// The object exists, and what it changes can't be changed.
    NotApplicable,
    /// It lies in a namespace whose rules don't reach the object.
    OutOfScope,
}

/// What the rules of a plan did, whichever of the namespaces the object comes from.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    rules: BTreeMap<RuleIndex, RuleRecord>,
    failures: Vec<Failure>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Rule(RuleError),
    Scope(OutOfScope),
}

impl Attempt {
    /// Applies the selected rules to `draft`, if the object is in their reach and still is when they are done.
    pub(super) fn make(
        &mut self,
        plan: &Plan<'_>,
        selection: &Selection,
        subject: Subject<'_>,
        circumstances: &Circumstances<'_>,
        draft: &mut Draft,
    ) {
        if selection.is_empty() {
            return;
        }
        let scope = &plan.interception.scope;
        let in_reach =
            |draft: &Draft| scope.permits(subject.group_resource, subject.namespace, draft.value());
        let before = draft.savepoint();
        let applied = in_reach(draft).and_then(|()| {
            let results = plan.rules.apply(selection, draft, circumstances);
            in_reach(draft).map(|()| results)
        });
        match applied {
            Ok(results) => {
                for result in results {
                    self.note(plan, result);
                }
            }
            Err(error) => {
                draft.rollback(before);
                for rule in selection.rules() {
                    self.record(plan, rule, Fate::OutOfScope, 0..0, None);
                }
                self.fail(Failure::Scope(error));
            }
        }
    }

    fn note(&mut self, plan: &Plan<'_>, result: RuleResult) {
        let fate = fate(&result.outcome);
        let error = match result.outcome {
            RuleOutcome::Failed(error) => Some(error),
            RuleOutcome::Applied | RuleOutcome::Unchanged | RuleOutcome::TestFailed => None,
        };
        if let Some(error) = &error {
            self.fail(Failure::Rule(error.clone()));
        }
        self.record(plan, result.rule, fate, result.operations, error);
    }

    fn record(
        &mut self,
        plan: &Plan<'_>,
        rule: RuleIndex,
        fate: Fate,
        operations: Range<usize>,
        error: Option<RuleError>,
    ) {
        let record = RuleRecord {
            interception: plan.place,
            rule,
            patch: plan.rules.rule(rule).patch_kind(),
            fate,
            operations,
            error,
        };
        self.rules.insert(rule, record);
    }

    fn fail(&mut self, failure: Failure) {
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    /// What became of each rule whose conditions hold.
    pub(super) fn records(&self) -> impl Iterator<Item = RuleRecord> {
        self.rules.values().cloned()
    }

    /// What went wrong, in order.
    pub(super) fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// The rules whose patches hold on the object now.
    pub(super) fn held(&self) -> impl Iterator<Item = RuleIndex> {
        let holds = |record: &RuleRecord| matches!(record.fate, Fate::Applied | Fate::Unchanged);
        self.rules
            .iter()
            .filter(move |(_, record)| holds(record))
            .map(|(rule, _)| *rule)
    }
}

fn fate(outcome: &RuleOutcome) -> Fate {
    match outcome {
        RuleOutcome::Applied => Fate::Applied,
        RuleOutcome::Unchanged => Fate::Unchanged,
        RuleOutcome::TestFailed => Fate::TestFailed,
        RuleOutcome::Failed(error) if error.is_not_applicable() => Fate::NotApplicable,
        RuleOutcome::Failed(_) => Fate::Failed,
    }
}

impl Failure {
    /// The refusal it is, where it is not tolerated.
    pub(super) fn denial(&self, interception: &str, subject: Subject<'_>) -> Denial {
        let interception = interception.to_owned();
        let subject = subject.to_string();
        match self.clone() {
            Self::Rule(cause) => Denial::RuleFailed {
                interception,
                subject,
                cause,
            },
            Self::Scope(cause) => Denial::OutOfScope {
                interception,
                subject,
                cause,
            },
        }
    }
}
