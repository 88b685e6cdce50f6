//! Applying the rules of a selection, and what comes of each.

use serde_json::Value;

use super::failure::{Cause, Place, RuleError};
use super::rule::{Operation, Patches, Rule, RuleIndex};
use super::select::{Selected, Selection};
use super::text_fields::Holder;
use super::value::{NotJson, Operand};
use crate::patch::json::{self, Failure};
use crate::patch::{Draft, merge};

/// Whether a rule may change the name of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// It may.
    Allowed,
    /// It may not, for this reason.
    Refused(&'static str),
}

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleResult {
    /// The rule.
    pub rule: RuleIndex,
    /// What became of it.
    pub outcome: RuleOutcome,
}

/// What became of a rule whose conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleOutcome {
    /// It changed the object.
    Applied,
    /// The object is already as the rule wants it.
    Unchanged,
    /// A `test` did not hold; nothing of the rule was applied.
    TestFailed,
    /// It does not fit the object; nothing of the rule was applied.
    Failed(RuleError),
}

/// Applies every rule of the selection, each of them wholly or not at all.
pub(super) fn apply(
    rules: &[Rule],
    selection: &Selection,
    draft: &mut Draft,
    rename: Rename,
) -> Vec<RuleResult> {
    let holder = Holder::of(draft.value());
    let apply_one = |Selected { rule, failure }: &Selected| {
        let outcome = match failure {
            Some(failure) => RuleOutcome::Failed(failure.clone()),
            None => apply_atomically(*rule, &rules[rule.0].patches, draft, holder, rename),
        };
        RuleResult { rule: *rule, outcome }
    };
    selection.0.iter().map(apply_one).collect()
}

fn apply_atomically(
    rule: RuleIndex,
    patches: &Patches,
    draft: &mut Draft,
    holder: Holder,
    rename: Rename,
) -> RuleOutcome {
    let before = draft.savepoint();
    let name = matches!(rename, Rename::Refused(_)).then(|| name(draft.value()).cloned());
    let mut applied = apply_patches(rule, patches, draft, holder);
    if let (Rename::Refused(reason), Some(old), Ok(())) = (rename, name, &applied)
        && self::name(draft.value()) != old.as_ref()
    {
        applied = Err(Stop::Error(RuleError::new(
            rule,
            Place::Rule,
            "/metadata/name",
            Cause::Rename(reason),
        )));
    }
    match applied {
        Ok(()) if draft.savepoint() == before => RuleOutcome::Unchanged,
        Ok(()) => RuleOutcome::Applied,
        Err(stop) => {
            draft.rollback(before);
            match stop {
                Stop::TestFailed => RuleOutcome::TestFailed,
                Stop::Error(error) => RuleOutcome::Failed(error),
            }
        }
    }
}

fn name(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("name")
}

/// Why the rest of a rule is not applied.
enum Stop {
    TestFailed,
    Error(RuleError),
}

fn apply_patches(rule: RuleIndex, patches: &Patches, draft: &mut Draft, holder: Holder) -> Result<(), Stop> {
    match patches {
        Patches::Json(operations) => operations
            .iter()
            .enumerate()
            .try_for_each(|(position, operation)| {
                let failed = |cause| {
                    Stop::Error(RuleError::new(
                        rule,
                        Place::Patch(position),
                        operation.path().as_str(),
                        cause,
                    ))
                };
                let bound = bind(operation, holder).map_err(|error| failed(error.into()))?;
                json::apply(bound, draft).map_err(|failure| match failure {
                    Failure::TestFailed => Stop::TestFailed,
                    Failure::Edit(error) => failed(error.into()),
                })
            }),
        Patches::Merge(patches) => patches.iter().enumerate().try_for_each(|(position, patch)| {
            apply_merge_patch(patch, draft, holder)
                .map_err(|cause| Stop::Error(RuleError::new(rule, Place::MergePatch(position), "", cause)))
        }),
    }
}

fn apply_merge_patch(patch: &Operand, draft: &mut Draft, holder: Holder) -> Result<(), Cause> {
    let patch = patch.value(holder)?.as_object().ok_or(Cause::NotAnObject)?;
    Ok(merge::apply(patch, draft)?)
}

/// The operation with its value for this kind of object.
fn bind(operation: &Operation, holder: Holder) -> Result<json::Operation<'_>, NotJson> {
    Ok(match operation {
        Operation::Add { path, value } => json::Operation::Add {
            path,
            value: value.value(holder)?,
        },
        Operation::Replace { path, value } => json::Operation::Replace {
            path,
            value: value.value(holder)?,
        },
        Operation::Test { path, value } => json::Operation::Test {
            path,
            value: value.value(holder)?,
        },
        Operation::Remove { path } => json::Operation::Remove { path },
        Operation::Move { from, path } => json::Operation::Move { from, path },
        Operation::Copy { from, path } => json::Operation::Copy { from, path },
    })
}
