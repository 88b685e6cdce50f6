//! The rules of all interceptions that concern an object, applied to it one after the other.

use serde_json::Value;

use super::attempt::{Attempt, Plan, RuleRecord};
use super::{Concerned, CustomResourceStrategy, Decision, Denial, Mark, OnModifierError, Subject};
use crate::modifier::Circumstances;
use crate::object::ObjectName;
use crate::patch::Draft;

/// The state of a decision between one interception and the next.
pub(super) struct Sitting<'a> {
    pub(super) subject: Subject<'a>,
    circumstances: Circumstances<'a>,
    on_error: Option<OnModifierError>,
    pub(super) draft: Draft,
    mark: Option<Mark>,
    warnings: Vec<String>,
    rules: Vec<RuleRecord>,
}

impl<'a> Sitting<'a> {
    /// Begins with the object as it came.
    pub(super) fn new(
        concerned: &[Concerned<'_>],
        subject: Subject<'a>,
        circumstances: Circumstances<'a>,
        draft: Draft,
        mark: Option<Mark>,
    ) -> Self {
        Self {
            subject,
            circumstances,
            on_error: concerned
                .iter()
                .map(|concerned| concerned.interception.on_error)
                .max(),
            draft,
            mark,
            warnings: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// Applies the rules of one interception after the other.
    pub(super) fn hold(&mut self, concerned: &[Concerned<'_>]) -> Result<(), Denial> {
        let object = self.draft.value();
        let plans: Result<Vec<_>, _> = concerned
            .iter()
            .enumerate()
            .map(|(place, &concerned)| Plan::new(place, concerned, self.subject, object))
            .collect();
        let plans = plans?;
        self.warn_of_prefix(&plans);
        plans.iter().try_for_each(|plan| self.carry_out(plan))
    }

    /// What became of each rule whose conditions hold, so far.
    pub(super) fn take_rules(&mut self) -> Vec<RuleRecord> {
        std::mem::take(&mut self.rules)
    }

    fn carry_out(&mut self, plan: &Plan<'_>) -> Result<(), Denial> {
        let (attempt, unequal) = self.attempt(plan);
        self.rules.extend(attempt.records());
        for failure in attempt.failures() {
            self.tolerate(failure.denial(&plan.interception.name, self.subject))?;
        }
        if unequal {
            return Err(Denial::AmbiguousOrigin {
                interception: plan.interception.name.clone(),
                subject: self.subject.to_string(),
                originals: plan.originals.clone(),
            });
        }
        if let Some(mark) = &mut self.mark {
            mark.add(&plan.interception.name, plan.rules.hash(), attempt.held());
        }
        Ok(())
    }

    /// Applies the rules; where the object may come from several namespaces, once for each that makes a difference,
    /// and says whether the results differ.
    fn attempt(&mut self, plan: &Plan<'_>) -> (Attempt, bool) {
        let strategy = plan.interception.custom_resources;
        let custom = self.circumstances.custom;
        let circumstances = Circumstances {
            custom: custom.filter(|_| strategy == CustomResourceStrategy::ListMapKeys),
            ..self.circumstances
        };
        let mut attempt = Attempt::default();
        let mut others = Vec::new();
        for selection in &plan.alternatives {
            let before = self.draft.savepoint();
            attempt.make(plan, selection, self.subject, &circumstances, &mut self.draft);
            others.push(self.draft.value().clone());
            self.draft.rollback(before);
        }
        attempt.make(
            plan,
            &plan.selection,
            self.subject,
            &circumstances,
            &mut self.draft,
        );
        (attempt, others.iter().any(|other| other != self.draft.value()))
    }

    /// Refuses, or only warns where the interceptions say so.
    fn tolerate(&mut self, denial: Denial) -> Result<(), Denial> {
        if self.on_error != Some(OnModifierError::Warn) {
            return Err(denial);
        }
        self.warnings.push(denial.to_string());
        Ok(())
    }

    /// A name that is yet to be made may not be what a rule expects.
    fn warn_of_prefix(&mut self, plans: &[Plan<'_>]) {
        let ObjectName::Prefix(prefix) = self.subject.name else {
            return;
        };
        if plans
            .iter()
            .any(|plan| plan.rules.asks_for_name(self.subject.group_resource))
        {
            self.warnings.push(format!(
                "{} has no name yet: the rules' resourceNameRegex was matched against {prefix}",
                self.subject
            ));
        }
    }

    /// Marks the object, if it is to be marked, and gives it out of hand.
    pub(super) fn close(mut self) -> Result<Decision, Denial> {
        if let Some(mark) = &self.mark {
            mark.write(&mut self.draft).map_err(|cause| Denial::Unmarkable {
                subject: self.subject.to_string(),
                cause,
            })?;
        }
        let name = self
            .draft
            .value()
            .pointer("/metadata/name")
            .and_then(Value::as_str);
        if let (ObjectName::Exact(old), Some(new)) = (self.subject.name, name)
            && old != new
        {
            self.warnings.push(format!(
                "{} is stored under the name {new}; the client still knows it as {old}",
                self.subject
            ));
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
