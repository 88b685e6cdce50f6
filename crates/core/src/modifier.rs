//! Resource modifiers: rules in the format of Velero and AKS Backup that change objects while they are
//! restored. A text is read and checked as a whole, compiled once, and then applied to any number of objects.
//!
//! - `read`: from the text to rules, with everything that is wrong about it
//! - `value`, `go_number`, `text_fields`: what the values of patches become
//! - `rule`: the compiled form
//! - `select`, `apply`, `fixed`, `failure`: what happens to an object
//! - `explain`: why a rule concerns an object or doesn't
//!
//! Semantics are Velero's where they are sane. The deliberate differences: whatever can be known to be wrong is
//! refused when the text is read; values in text fields stay text; unquoted JSON and YAML are taken as values;
//! numbers are compared by value; a backslash or quote in a value is no error.

mod apply;
mod circumstances;
mod explain;
mod failure;
mod fixed;
mod go_number;
mod problem;
mod read;
mod rule;
mod select;
mod text_fields;
mod value;

use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use apply::{RuleOutcome, RuleResult};
pub use circumstances::{Circumstances, Rename};
pub use explain::{Concerned, Condition, Explanation, Judged, Judgement};
pub use failure::RuleError;
pub use problem::{Problem, Problems};
pub use rule::{PatchKind, Rule, RuleIndex};
pub use select::Selection;

use crate::object::{GroupResource, Target};
use crate::patch::{Draft, Pointer};

/// A valid, compiled set of rules.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    index: select::Index,
    hash: RuleSetHash,
    warnings: Vec<Problem>,
    touches_managed_fields: bool,
}

/// SHA-256 of the text of a rule set. `Display` is lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleSetHash([u8; 32]);

impl RuleSet {
    /// Reads the text of a rule set; either all of it is valid, or everything that is wrong is returned.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let read::Outcome { rules, warnings } = read::read(text)?;
        let index = select::Index::new(&rules);
        let managed_fields = Pointer::from_tokens(["metadata", "managedFields"]);
        Ok(Self {
            touches_managed_fields: rules.iter().any(|rule| rule.touches(&managed_fields)),
            rules,
            index,
            hash: RuleSetHash::of(text),
            warnings,
        })
    }

    /// Identifies the text.
    pub const fn hash(&self) -> &RuleSetHash {
        &self.hash
    }

    /// How many rules there are.
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Never: a set without rules is not valid.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What is valid but hardly meant.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// A rule of this set.
    pub fn rule(&self, index: RuleIndex) -> &Rule {
        &self.rules[index.0]
    }

    /// All rules, in the order of the text.
    pub fn rules(&self) -> impl Iterator<Item = (RuleIndex, &Rule)> {
        self.rules
            .iter()
            .enumerate()
            .map(|(position, rule)| (RuleIndex(position), rule))
    }

    /// Whether any rule is for objects of this kind. If not, none is ever selected for one, whatever it holds.
    pub fn has_rules_for(&self, group_resource: &GroupResource) -> bool {
        self.index.covers(&self.rules, group_resource.as_str())
    }

    /// Whether any rule for objects of this kind has strategic patches.
    pub fn has_strategic_rules_for(&self, group_resource: &GroupResource) -> bool {
        self.is_any_for(group_resource, |rule| rule.patch_kind() == PatchKind::Strategic)
    }

    /// Whether any rule reads or writes the managed fields. If not, they need not be there when it is applied.
    pub const fn touches_managed_fields(&self) -> bool {
        self.touches_managed_fields
    }

    /// Whether any rule for objects of this kind asks for their name.
    pub fn asks_for_name(&self, group_resource: &GroupResource) -> bool {
        self.is_any_for(group_resource, |rule| rule.conditions.name.is_some())
    }

    fn is_any_for(&self, group_resource: &GroupResource, is_so: impl Fn(&Rule) -> bool) -> bool {
        let candidates = self.index.candidates(&self.rules, group_resource.as_str());
        candidates.into_iter().any(|index| is_so(self.rule(index)))
    }

    /// The rules whose conditions hold on an object no rule has changed yet. A rule whose `matches` can't be
    /// judged is among them, and fails when applied.
    pub fn select(&self, target: &Target<'_>, object: &Value) -> Selection {
        select::select(&self.rules, &self.index, target, object)
    }

    /// Why each rule concerns an object that no rule has changed yet, or doesn't: the same as [`Self::select`], in full.
    pub fn explain<'a>(&'a self, target: &Target<'a>, object: &'a Value) -> Vec<Explanation<'a>> {
        self.rules()
            .map(|(index, rule)| explain::explain(index, rule, target, object))
            .collect()
    }

    /// Applies the rules of a selection of this set in their order, each of them wholly or not at all.
    pub fn apply(
        &self,
        selection: &Selection,
        draft: &mut Draft,
        circumstances: &Circumstances<'_>,
    ) -> Vec<RuleResult> {
        apply::apply(&self.rules, selection, draft, circumstances)
    }
}

impl RuleSetHash {
    /// The hash of a text, valid or not.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl fmt::Display for RuleSetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let halves = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        f.pad(&halves.map(|half| DIGITS[usize::from(half)]).collect::<String>())
    }
}
