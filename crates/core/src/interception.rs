//! The decision over one admission review: which interceptions concern an object, whether their rules may
//! rewrite it, and what comes of it. The webhook asks, the restore engine and the plugin ask the same.
//!
//! - `origin`: the namespaces an object may come from, by an interception's mappings
//! - `velero`: which Restore of Velero a label stands for
//! - `scope`: which objects the rules of a namespace may rewrite
//! - `mark`: the annotation that says what was applied; `reach`: what nobody asks about, so that it isn't
//! - `subject`: the object, as messages name it
//! - `attempt`: the rules of one interception, tried on one object
//! - `policy`: what an interception wants of failing rules, and of objects that exist already
//! - `case`: what is decided about, and by whom
//! - `decision`: all of it, for one object; `sitting`: the rules of all interceptions; `update`: of an object that
//!   exists; `denial`: why it is refused

mod attempt;
mod case;
mod decision;
mod denial;
mod mark;
mod origin;
mod policy;
mod reach;
mod scope;
mod sitting;
mod subject;
mod update;
mod velero;

use std::collections::BTreeSet;
use std::sync::Arc;

use thiserror::Error;

use crate::glob::Glob;
use crate::modifier::{Problems, RuleSet};

pub use attempt::{Fate, RuleRecord};
pub use case::{Case, Concerned};
pub use decision::{Decision, Verdict, decide, preview};
pub use denial::Denial;
pub use mark::{MODIFIED, Mark};
pub use origin::NamespaceMappings;
pub use policy::{ConflictPolicy, CustomResourceStrategy, OnModifierError, SkipAs};
pub use reach::{is_control_plane, is_reviewed};
pub use scope::{OutOfScope, Scope};
pub use subject::Subject;
pub use velero::RestoreLabel;

/// One `RestoreInterception` with its rules, ready to decide.
#[derive(Debug)]
pub struct Interception {
    /// Name of the `RestoreInterception`.
    pub name: String,
    /// Lower acts first; equal ones in the order of their names.
    pub priority: i32,
    /// Which opt-ins it answers to.
    pub matches: Matches,
    /// Which objects its rules may rewrite.
    pub scope: Scope,
    /// What becomes of an object when a rule fails on it.
    pub on_error: OnModifierError,
    /// What an update of an existing object may do to it.
    pub conflict_policy: ConflictPolicy,
    /// What strategic patches do to custom resources.
    pub custom_resources: CustomResourceStrategy,
    /// From original to restored namespaces.
    pub mappings: NamespaceMappings,
    /// Where Velero keeps its Restores, whose mappings take the place of `mappings` for what they restore; empty where
    /// nobody looks.
    pub velero_namespaces: BTreeSet<String>,
    /// The compiled rules, or why there are none.
    pub rules: Result<Arc<RuleSet>, Unusable>,
}

/// Why an interception has no rules to apply. The reasons of its `Ready` condition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unusable {
    /// They were not read yet, and a live read did not come through.
    #[error("its rules could not be read yet: {0}")]
    Unread(String),
    /// The ConfigMap isn't there.
    #[error("ConfigMap {configmap} does not exist")]
    Missing {
        /// `namespace/name`.
        configmap: String,
    },
    /// The ConfigMap may not be read.
    #[error("ConfigMap {configmap} may not be read; allow it with: {remedy}")]
    Forbidden {
        /// `namespace/name`.
        configmap: String,
        /// The exact command that grants the right.
        remedy: String,
    },
    /// The interception itself can't be carried out.
    #[error("its specification is invalid: {0}")]
    Specification(String),
    /// The text in the ConfigMap isn't a valid rule set.
    #[error("ConfigMap {configmap} holds no valid rules: {problems}")]
    Invalid {
        /// `namespace/name`.
        configmap: String,
        /// What is wrong with it, place by place.
        problems: Problems,
    },
    /// The ConfigMap as a whole can't be used: several data keys, or another content than the pinned one.
    #[error("ConfigMap {configmap} can't be used: {reason}")]
    Unfit {
        /// `namespace/name`.
        configmap: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
}

/// Which opt-ins an interception answers to; globs without a separator.
#[derive(Debug, Default)]
pub struct Matches {
    /// Over the value of `clusterbackup.io/intercept`.
    pub intercept_labels: Vec<Glob>,
    /// Over the value of `velero.io/restore-name`.
    pub velero_restores: Vec<Glob>,
    /// Of a restore of ours: in whose name its objects are created. To nobody else's it answers, and its label is for the
    /// way in alone.
    pub requester: Option<String>,
}

impl Matches {
    /// Whether they answer to what this user creates.
    fn is_for(&self, username: &str) -> bool {
        self.requester
            .as_ref()
            .is_none_or(|requester| requester == username)
    }
}

/// How an object opted in: the values of the labels it carries, and who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OptIn<'a> {
    /// `clusterbackup.io/intercept`.
    pub intercept: Option<&'a str>,
    /// `velero.io/restore-name`.
    pub velero_restore: Option<&'a str>,
    /// Who creates it.
    pub username: &'a str,
}

/// The interceptions that concern one object.
#[derive(Debug)]
pub enum Concern<T> {
    /// Nothing answers to its labels; nobody's rules concern it.
    None,
    /// It names an interception that isn't there: perhaps not yet seen.
    Unknown,
    /// These do, in the order in which they act.
    Interceptions(Vec<T>),
}

impl<T> Concern<T> {
    /// The interceptions; none where nobody is concerned, or it isn't known who.
    pub fn interceptions(self) -> Vec<T> {
        match self {
            Self::Interceptions(interceptions) => interceptions,
            Self::None | Self::Unknown => Vec::new(),
        }
    }
}

/// Which of `interceptions` (in the order of [`order`]) answer to `opt_in`.
///
/// A label `clusterbackup.io/intercept` names an interception, so that one without an answer is
/// [`Concern::Unknown`]. A Velero restore names none: where nothing answers, it concerns nobody.
pub fn concern<'i>(
    interceptions: &'i [Arc<Interception>],
    opt_in: OptIn<'_>,
) -> Concern<&'i Arc<Interception>> {
    let answers = |globs: &[Glob], value: Option<&str>| {
        value.is_some_and(|value| globs.iter().any(|glob| glob.matches(value)))
    };
    let mut named = false;
    let concerned: Vec<_> = interceptions
        .iter()
        .filter(|interception| {
            let by_label = answers(&interception.matches.intercept_labels, opt_in.intercept);
            let by_label = by_label && interception.matches.is_for(opt_in.username);
            named |= by_label;
            by_label || answers(&interception.matches.velero_restores, opt_in.velero_restore)
        })
        .collect();
    match (opt_in.intercept, concerned.is_empty()) {
        (Some(_), _) if !named => Concern::Unknown,
        (_, true) => Concern::None,
        (_, false) => Concern::Interceptions(concerned),
    }
}

/// Puts interceptions into the order in which they act: by priority, then by name.
pub fn order(interceptions: &mut [Arc<Interception>]) {
    interceptions.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
}
