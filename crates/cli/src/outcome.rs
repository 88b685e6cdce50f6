//! What came of one object, as it may be told.

use std::borrow::Cow;

use clusterbackup_core::clash::{self, Existing, Field};
use clusterbackup_core::interception::{Denial, Fate, RuleRecord, Verdict};
use clusterbackup_core::modifier::{Concerned, Explanation, Judgement, RuleIndex, RuleSet};
use clusterbackup_core::patch::Draft;
use json_patch::PatchOperation;
use serde::Serialize;
use serde_json::Value;

use crate::condition::Words;
use crate::mask::Mask;
use crate::object::Object;

/// What came of one object.
#[derive(Debug)]
pub(crate) struct Outcome<'o> {
    pub(crate) rules: &'o RuleSet,
    pub(crate) object: &'o Object,
    /// The one in the cluster.
    pub(crate) existing: Option<&'o Object>,
    pub(crate) original: Option<&'o str>,
    pub(crate) verdict: Verdict,
    pub(crate) mask: Mask,
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    object: Value,
    rules: Vec<ToldRule>,
    fields: Vec<ToldField>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ToldRule {
    index: usize,
    matched: bool,
    applied: bool,
    reason: Option<String>,
    error: Option<String>,
    operations: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct ToldField {
    path: String,
    outcome: &'static str,
    reason: Option<&'static str>,
}

impl Outcome<'_> {
    /// Whether a rule failed, or the object was refused otherwise than by its policy.
    pub(crate) fn has_failed(&self) -> bool {
        let failed = |record: &RuleRecord| matches!(record.fate, Fate::Failed | Fate::NotApplicable);
        let refused =
            matches!(&self.verdict.outcome, Err(denial) if !matches!(denial, Denial::Skipped { .. }));
        refused || self.verdict.rules.iter().any(failed)
    }

    /// Hides what Secrets hold.
    pub(crate) fn secrets(&self) -> Mask {
        let existing = self.existing.map(|existing| &existing.value);
        let mut mask = Mask::of(
            [Some(&self.object.value), existing, self.result()]
                .into_iter()
                .flatten(),
        );
        mask.learn_operations(self.operations());
        mask
    }

    /// The object as it was before: in the cluster, or else as it came.
    pub(crate) fn before(&self) -> &Value {
        &self.existing.unwrap_or(self.object).value
    }

    /// The object as it becomes; none where it is refused.
    pub(crate) fn result(&self) -> Option<&Value> {
        match &self.verdict.outcome {
            Ok(decision) => Some(&decision.object),
            Err(Denial::Skipped { .. }) => self.existing.map(|existing| &existing.value),
            Err(_) => None,
        }
    }

    /// What a client would be warned of, and what had to be guessed.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let notes = self.object.notes.iter().cloned();
        let said = match &self.verdict.outcome {
            Ok(decision) => decision.warnings.clone(),
            Err(denial) => vec![denial.to_string()],
        };
        notes.chain(said).map(|text| self.mask.text(&text)).collect()
    }

    fn operations(&self) -> &[PatchOperation] {
        self.verdict
            .outcome
            .as_ref()
            .map_or(&[], |decision| &decision.operations)
    }

    pub(crate) fn told(&self) -> Told {
        let target = self.object.target(self.original);
        let judged = self.judged();
        let explanations = self.rules.explain(&target, &judged);
        Told {
            object: self
                .result()
                .map_or(Value::Null, |object| self.mask.object(object)),
            rules: explanations
                .iter()
                .map(|explanation| self.told_rule(explanation))
                .collect(),
            fields: self.verdict.fields.iter().map(told_field).collect(),
            warnings: self.warnings(),
        }
    }

    /// The object on which conditions are judged: of an update, what it makes of the object in the cluster.
    fn judged(&self) -> Cow<'_, Value> {
        let Some(existing) = self.existing else {
            return Cow::Borrowed(&self.object.value);
        };
        let mut draft = Draft::new(self.object.value.clone());
        // Where they can't be merged the object is refused, and the verdict says so.
        _ = Existing::new(&self.object.group_resource, &existing.value, None).add_onto(&mut draft);
        Cow::Owned(draft.into_parts().0)
    }

    fn told_rule(&self, explanation: &Explanation<'_>) -> ToldRule {
        let index = explanation.rule;
        let Some(record) = self.record(index) else {
            return ToldRule {
                index: index.into(),
                matched: false,
                applied: false,
                reason: Some(self.why_not(explanation)),
                error: None,
                operations: Vec::new(),
            };
        };
        let reason = match record.fate {
            Fate::Applied | Fate::Failed | Fate::NotApplicable => None,
            Fate::Unchanged => Some("the object is already as the rule wants it"),
            Fate::TestFailed => Some("a test doesn't hold"),
            Fate::OutOfScope => Some("the object is out of the rule's reach"),
        };
        let operations = self
            .operations()
            .get(record.operations.clone())
            .unwrap_or_default();
        ToldRule {
            index: index.into(),
            matched: true,
            applied: record.fate == Fate::Applied,
            reason: reason.map(str::to_owned),
            error: record
                .error
                .as_ref()
                .map(|error| self.mask.text(&error.to_string())),
            operations: operations
                .iter()
                .map(|operation| self.mask.operation(operation))
                .collect(),
        }
    }

    fn record(&self, rule: RuleIndex) -> Option<&RuleRecord> {
        self.verdict.rules.iter().find(|record| record.rule == rule)
    }

    /// The condition that decides against the rule.
    fn why_not(&self, explanation: &Explanation<'_>) -> String {
        if explanation.concerned() != Concerned::No {
            return "the object stays as it is in the cluster".to_owned();
        }
        let against = explanation
            .conditions
            .iter()
            .find(|judged| judged.judgement == Judgement::Fails);
        against.map_or_else(String::new, |judged| {
            let Words { field, wanted, found } = Words::of(judged, &self.mask);
            self.mask.text(&format!("{field} {wanted}: {found}"))
        })
    }
}

fn told_field(field: &Field) -> ToldField {
    ToldField {
        path: field.path.clone(),
        outcome: field.outcome.name(),
        reason: field.outcome.reason().map(clash::Reason::name),
    }
}
