//! Applying the rules of a selection, and what comes of each.

use std::ops::Range;

use serde_json::Value;

use super::circumstances::Circumstances;
use super::failure::{Cause, Place, RuleError};
use super::fixed::Fixed;
use super::rule::{Operation, Patches, Rule, RuleIndex};
use super::select::{Selected, Selection};
use super::text_fields::Holder;
use super::value::{NotJson, Operand};
use crate::patch::json::{self, Failure};
use crate::patch::strategic::{self, Metadata};
use crate::patch::{Draft, merge};
use crate::schema;

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleResult {
    /// The rule.
    pub rule: RuleIndex,
    /// What became of it.
    pub outcome: RuleOutcome,
    /// Which of the draft's operations are its own.
    pub operations: Range<usize>,
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
    circumstances: &Circumstances<'_>,
) -> Vec<RuleResult> {
    let setting = Setting {
        holder: Holder::of(draft.value()),
        circumstances,
    };
    let mut fixed = Fixed::of(draft.value(), circumstances);
    let apply_one = |Selected { rule, failure }: &Selected| {
        let before = draft.operations().len();
        let outcome = match failure {
            Some(failure) => RuleOutcome::Failed(failure.clone()),
            None => apply_atomically(*rule, &rules[rule.0].patches, draft, setting, &mut fixed),
        };
        RuleResult {
            rule: *rule,
            outcome,
            operations: before..draft.operations().len(),
        }
    };
    selection.0.iter().map(apply_one).collect()
}

/// What is the same for all rules.
#[derive(Clone, Copy)]
struct Setting<'a> {
    holder: Holder,
    circumstances: &'a Circumstances<'a>,
}

impl<'a> Setting<'a> {
    /// How the object's lists are merged, where that is known.
    fn metadata(self, object: &Value) -> Option<Metadata<'a>> {
        let text = |name| object.get(name).and_then(Value::as_str);
        let built_in = || schema::built_in(text("apiVersion")?, text("kind")?);
        let custom = || Some(Metadata::ListMapKeys(self.circumstances.custom?.schema.root()));
        built_in().map(Metadata::BuiltIn).or_else(custom)
    }
}

fn apply_atomically(
    rule: RuleIndex,
    patches: &Patches,
    draft: &mut Draft,
    setting: Setting<'_>,
    fixed: &mut Fixed<'_>,
) -> RuleOutcome {
    let before = draft.savepoint();
    let applied = apply_patches(rule, patches, draft, setting).and_then(|()| {
        let kept = if draft.savepoint() == before {
            Ok(())
        } else {
            fixed.check(draft.value())
        };
        kept.map_err(|(path, cause)| Stop::Error(RuleError::new(rule, Place::Rule, &path, cause)))
    });
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

/// Why the rest of a rule is not applied.
enum Stop {
    TestFailed,
    Error(RuleError),
}

fn apply_patches(
    rule: RuleIndex,
    patches: &Patches,
    draft: &mut Draft,
    setting: Setting<'_>,
) -> Result<(), Stop> {
    let holder = setting.holder;
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
        Patches::Strategic(patches) => patches.iter().enumerate().try_for_each(|(position, patch)| {
            apply_strategic_patch(patch, draft, setting).map_err(|(path, cause)| {
                Stop::Error(RuleError::new(
                    rule,
                    Place::StrategicPatch(position),
                    &path,
                    cause,
                ))
            })
        }),
    }
}

fn apply_merge_patch(patch: &Operand, draft: &mut Draft, holder: Holder) -> Result<(), Cause> {
    let patch = patch.value(holder)?.as_object().ok_or(Cause::NotAnObject)?;
    Ok(merge::apply(patch, draft)?)
}

/// On a failure, where in the object and why.
fn apply_strategic_patch(
    patch: &Operand,
    draft: &mut Draft,
    setting: Setting<'_>,
) -> Result<(), (String, Cause)> {
    let at_root = |cause| (String::new(), cause);
    let patch = patch
        .value(setting.holder)
        .map_err(|error| at_root(error.into()))?
        .as_object()
        .ok_or_else(|| at_root(Cause::NotAnObject))?;
    let metadata = setting
        .metadata(draft.value())
        .ok_or_else(|| at_root(Cause::NotBuiltIn))?;
    strategic::apply(patch, draft, metadata).map_err(|error| (error.path.to_string(), error.fault.into()))
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
