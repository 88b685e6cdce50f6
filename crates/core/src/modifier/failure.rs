//! Why a rule that concerns an object could not be judged or applied.

use std::fmt;

use super::rule::RuleIndex;
use super::value::NotJson;
use crate::patch::strategic::Fault;
use crate::patch::{EditError, LookupError};

/// Why a rule could not be applied. It never shows a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("resourceModifierRules[{rule}]{place}: {path}{}{cause}", if .path.is_empty() { "" } else { ": " })]
pub struct RuleError {
    rule: RuleIndex,
    place: Place,
    path: String,
    cause: Cause,
}

/// Where in the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Match(usize),
    Patch(usize),
    MergePatch(usize),
    StrategicPatch(usize),
    Rule,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    #[error("{0}; guard the rule with a `test`, or use mergePatches, which create and remove as needed")]
    Missing(LookupError),
    #[error("{0}; guard the rule with a `test`, or use `-` to append")]
    Array(LookupError),
    #[error("{0}; split the change over fewer operations or smaller values")]
    Limit(EditError),
    #[error("{0}; name the fields to change")]
    Root(EditError),
    #[error("{error} for this kind of object; {}", .error.hint())]
    NotJson { error: NotJson },
    #[error("the patch is no object; give fields to merge")]
    NotAnObject,
    #[error("{0}")]
    Strategic(Fault),
    #[error(
        "strategicPatches are for the kinds that Kubernetes itself has, whose lists have known keys; use mergePatches, \
         or give the interception `customResourceStrategy: ListMapKeys`"
    )]
    NotBuiltIn,
    #[error("the name can't be changed: {0}")]
    Rename(&'static str),
    #[error(
        "RuleNotApplicable: the object exists, and this field of it can't be changed; leave it to new objects by a \
         condition, or delete the object first"
    )]
    NotApplicable,
}

impl RuleError {
    pub(super) fn new(rule: RuleIndex, place: Place, path: &str, cause: Cause) -> Self {
        Self {
            rule,
            place,
            path: path.to_owned(),
            cause,
        }
    }

    /// Whether it is that the object exists, and what the rule changes can't be changed.
    pub fn is_not_applicable(&self) -> bool {
        self.cause == Cause::NotApplicable
    }

    /// The rule that failed.
    pub const fn rule(&self) -> RuleIndex {
        self.rule
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match(index) => write!(f, ".conditions.matches[{index}]"),
            Self::Patch(index) => write!(f, ".patches[{index}]"),
            Self::MergePatch(index) => write!(f, ".mergePatches[{index}]"),
            Self::StrategicPatch(index) => write!(f, ".strategicPatches[{index}]"),
            Self::Rule => Ok(()),
        }
    }
}

impl From<NotJson> for Cause {
    fn from(error: NotJson) -> Self {
        Self::NotJson { error }
    }
}

impl From<LookupError> for Cause {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::MissingKey | LookupError::MissingParent => Self::Missing(error),
            LookupError::OutOfRange | LookupError::NotAnIndex => Self::Array(error),
        }
    }
}

impl From<Fault> for Cause {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Edit(error) => error.into(),
            fault => Self::Strategic(fault),
        }
    }
}

impl From<EditError> for Cause {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Lookup(error) => error.into(),
            EditError::Root => Self::Root(error),
            EditError::TooManyOperations | EditError::TooLarge => Self::Limit(error),
        }
    }
}
