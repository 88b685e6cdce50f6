//! Which rules concern an object. All conditions are judged on the object as it came, before any rule.

use std::collections::HashMap;

use serde_json::Value;

use super::failure::{Cause, Place, RuleError};
use super::rule::{Conditions, Match, Rule, RuleIndex};
use super::text_fields::Holder;
use crate::object::Target;
use crate::patch::{LookupError, json};

/// Rules by the group-resources they are for, so that most of them need not be looked at.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<String, Vec<RuleIndex>>,
    globs: Vec<RuleIndex>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (position, rule) in rules.iter().enumerate() {
            let bucket = match rule.conditions.group_resource.exact() {
                Some(group_resource) => index.exact.entry(group_resource.to_owned()).or_default(),
                None => &mut index.globs,
            };
            bucket.push(RuleIndex(position));
        }
        index
    }

    /// Whether there are rules for a group-resource.
    pub(super) fn covers(&self, rules: &[Rule], group_resource: &str) -> bool {
        self.exact.contains_key(group_resource) || self.matching_globs(rules, group_resource).next().is_some()
    }

    /// The rules for a group-resource in the order of the text.
    pub(super) fn candidates(&self, rules: &[Rule], group_resource: &str) -> Vec<RuleIndex> {
        let mut candidates: Vec<_> = self
            .exact
            .get(group_resource)
            .into_iter()
            .flatten()
            .copied()
            .chain(self.matching_globs(rules, group_resource))
            .collect();
        candidates.sort_unstable();
        candidates
    }

    fn matching_globs(&self, rules: &[Rule], group_resource: &str) -> impl Iterator<Item = RuleIndex> {
        let matches = |index: &RuleIndex| rules[index.0].conditions.group_resource.matches(group_resource);
        self.globs.iter().copied().filter(matches)
    }
}

/// The rules that concern an object, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection(pub(super) Vec<Selected>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) rule: RuleIndex,
    /// Why its conditions could not be judged, if so.
    pub(super) failure: Option<RuleError>,
}

impl Selection {
    /// Whether no rule concerns the object.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = RuleIndex> + '_ {
        self.0.iter().map(|selected| selected.rule)
    }
}

pub(super) fn select(rules: &[Rule], index: &Index, target: &Target<'_>, object: &Value) -> Selection {
    let holder = Holder::of(object);
    let judge = |rule: RuleIndex| match judge(rule, &rules[rule.0].conditions, target, object, holder) {
        Ok(true) => Some(Selected { rule, failure: None }),
        Ok(false) => None,
        Err(failure) => Some(Selected {
            rule,
            failure: Some(failure),
        }),
    };
    let candidates = index.candidates(rules, target.group_resource.as_str());
    Selection(candidates.into_iter().filter_map(judge).collect())
}

fn judge(
    rule: RuleIndex,
    conditions: &Conditions,
    target: &Target<'_>,
    object: &Value,
    holder: Holder,
) -> Result<bool, RuleError> {
    let applies = conditions.is_for_namespace(target)
        && conditions.is_for_name(target)
        && conditions.labels.matches(object);
    if !applies {
        return Ok(false);
    }
    for (position, wanted) in conditions.matches.iter().enumerate() {
        if !judge_match(rule, position, wanted, object, holder)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Conditions {
    /// Cluster-scoped objects have no namespace to be compared: the condition is skipped, as in Velero.
    pub(super) fn is_for_namespace(&self, target: &Target<'_>) -> bool {
        target.original_namespace.is_none_or(|namespace| {
            self.namespaces.is_empty() || self.namespaces.iter().any(|glob| glob.matches(namespace))
        })
    }

    pub(super) fn is_for_name(&self, target: &Target<'_>) -> bool {
        self.name
            .as_ref()
            .is_none_or(|name| name.is_match(target.name.known()))
    }
}

/// Whether the object has a value; an error where that can't be told.
pub(super) fn judge_match(
    rule: RuleIndex,
    position: usize,
    wanted: &Match,
    object: &Value,
    holder: Holder,
) -> Result<bool, RuleError> {
    let failed = |cause| RuleError::new(rule, Place::Match(position), wanted.path.as_str(), cause);
    let value = wanted.value.value(holder).map_err(|error| failed(error.into()))?;
    match json::test(object, &wanted.path, value) {
        Ok(holds) => Ok(holds),
        Err(LookupError::MissingParent) => Ok(false),
        Err(error) => Err(failed(Cause::from(error))),
    }
}
