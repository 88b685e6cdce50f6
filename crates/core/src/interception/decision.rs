//! What comes of one object: the operations that change it, or why it is refused.

use json_patch::PatchOperation;
use serde_json::Value;

use super::attempt::{Attempt, Plan, RuleRecord};
use super::subject::Subject;
use super::{Case, Concerned, CustomResourceStrategy, Denial, Mark, OnModifierError};
use crate::clash::Field;
use crate::custom_kind::CustomKind;
use crate::modifier::{Circumstances, Rename};
use crate::object::ObjectName;
use crate::patch::Draft;

/// An object that is admitted.
#[derive(Debug)]
pub struct Decision {
    /// What changes it, in order (RFC 6902).
    pub operations: Vec<PatchOperation>,
    /// The object as it becomes.
    pub object: Value,
    /// What was applied; also on the object, as an annotation.
    pub mark: Option<Mark>,
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
    /// What becomes of the fields in which an update differs from the object in the cluster; none for a new object.
    pub fields: Vec<Field>,
}

/// Applies the rules of every interception in `concerned`, in that order, to the object.
///
/// All conditions are judged on the object as it came; patches accumulate. Where the interceptions differ in
/// `onModifierError`, Deny wins.
pub fn decide(concerned: &[Concerned<'_>], case: Case<'_>) -> Verdict {
    let Case {
        subject,
        rename,
        object,
        custom,
        ..
    } = case;
    let plans: Result<Vec<_>, _> = concerned
        .iter()
        .map(|&concerned| Plan::new(concerned, subject, &object))
        .collect();
    let plans = match plans {
        Ok(plans) => plans,
        Err(denial) => {
            return Verdict {
                outcome: Err(denial),
                rules: Vec::new(),
                fields: Vec::new(),
            };
        }
    };
    let mut sitting = Sitting {
        subject,
        rename,
        custom,
        on_error: concerned
            .iter()
            .map(|concerned| concerned.interception.on_error)
            .max(),
        draft: Draft::new(object),
        mark: Mark::default(),
        warnings: Vec::new(),
        rules: Vec::new(),
    };
    sitting.warn_of_prefix(&plans);
    let carried_out = plans.iter().try_for_each(|plan| sitting.carry_out(plan));
    let rules = std::mem::take(&mut sitting.rules);
    Verdict {
        outcome: carried_out.and_then(|()| sitting.close()),
        rules,
        fields: Vec::new(),
    }
}

/// The state of a decision between one interception and the next.
struct Sitting<'a> {
    subject: Subject<'a>,
    rename: Rename,
    custom: Option<&'a CustomKind>,
    on_error: Option<OnModifierError>,
    draft: Draft,
    mark: Mark,
    warnings: Vec<String>,
    rules: Vec<RuleRecord>,
}

impl Sitting<'_> {
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
                originals: plan
                    .originals
                    .iter()
                    .map(|&original| original.to_owned())
                    .collect(),
            });
        }
        self.mark
            .add(&plan.interception.name, plan.rules.hash(), attempt.held());
        Ok(())
    }

    /// Applies the rules; where the object may come from several namespaces, once for each that makes a difference,
    /// and says whether the results differ.
    fn attempt(&mut self, plan: &Plan<'_>) -> (Attempt, bool) {
        let strategy = plan.interception.custom_resources;
        let circumstances = Circumstances {
            rename: self.rename,
            custom: self
                .custom
                .filter(|_| strategy == CustomResourceStrategy::ListMapKeys),
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
            mark: Some(self.mark),
            warnings: self.warnings,
        })
    }
}
