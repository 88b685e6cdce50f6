//! Why a rule concerns an object or doesn't, condition by condition. What decides is [`super::select`]; this asks the
//! same questions, but all of them.

use serde_json::Value;

use super::failure::RuleError;
use super::rule::{Match, Rule, RuleIndex};
use super::select;
use super::text_fields::Holder;
use crate::glob::Glob;
use crate::object::Target;
use crate::patch::Pointer;
use crate::selector::Requirement;

/// What there is to say of one rule and one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// The rule.
    pub rule: RuleIndex,
    /// Every condition that the rule has, in the order in which they decide.
    pub conditions: Vec<Judged<'a>>,
}

/// A condition of a rule, judged on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged<'a> {
    /// The condition.
    pub condition: Condition<'a>,
    /// Whether it holds.
    pub judgement: Judgement,
}

/// What a rule demands, and what of the object it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition<'a> {
    /// The kind of the object is one of these.
    GroupResource {
        /// The pattern.
        wanted: &'a str,
        /// The object's.
        found: String,
    },
    /// The object comes from one of these namespaces.
    Namespaces {
        /// The patterns; one has to match.
        wanted: Vec<&'a str>,
        /// Its original namespace; none if it is cluster-scoped.
        found: Option<&'a str>,
    },
    /// Its name matches.
    Name {
        /// The regular expression.
        wanted: &'a str,
        /// The name, or what is known of it.
        found: &'a str,
    },
    /// A label is as demanded.
    Label {
        /// The requirement.
        wanted: &'a Requirement,
        /// The label.
        found: Option<&'a Value>,
    },
    /// There is this value at this place.
    Match {
        /// The place.
        path: &'a Pointer,
        /// The value for this kind of object, if it has one; null is for nothing.
        wanted: Option<&'a Value>,
        /// What is there.
        found: Option<&'a Value>,
    },
}

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It does.
    Holds,
    /// It doesn't.
    Fails,
    /// It isn't asked: the object is cluster-scoped, and the condition is for namespaces.
    Skipped,
    /// It can't be judged; if all conditions before it hold, the rule fails on the object.
    Broken(RuleError),
}

/// What follows from all conditions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerned<'e> {
    /// The rule is applied.
    Yes,
    /// It isn't.
    No,
    /// It would be, but for a condition that can't be judged: it fails.
    Broken(&'e RuleError),
}

impl Explanation<'_> {
    /// Whether the rule concerns the object. The first condition that doesn't hold decides.
    pub fn concerned(&self) -> Concerned<'_> {
        let decides =
            |judged: &&Judged<'_>| !matches!(judged.judgement, Judgement::Holds | Judgement::Skipped);
        match self
            .conditions
            .iter()
            .find(decides)
            .map(|judged| &judged.judgement)
        {
            None => Concerned::Yes,
            Some(Judgement::Broken(error)) => Concerned::Broken(error),
            Some(_) => Concerned::No,
        }
    }
}

pub(super) fn explain<'a>(
    index: RuleIndex,
    rule: &'a Rule,
    target: &Target<'a>,
    object: &'a Value,
) -> Explanation<'a> {
    let asked = &rule.conditions;
    let group_resource = target.group_resource.to_string();
    let mut conditions = vec![Judged::new(
        asked.group_resource.matches(&group_resource),
        Condition::GroupResource {
            wanted: asked.group_resource.as_str(),
            found: group_resource,
        },
    )];
    if !asked.namespaces.is_empty() {
        conditions.push(namespaces(rule, target));
    }
    conditions.extend(asked.name.as_ref().map(|wanted| {
        let condition = Condition::Name {
            wanted: wanted.as_str(),
            found: target.name.known(),
        };
        Judged::new(asked.is_for_name(target), condition)
    }));
    conditions.extend(
        asked
            .labels
            .judge(object)
            .map(|(wanted, found, holds)| Judged::new(holds, Condition::Label { wanted, found })),
    );
    let holder = Holder::of(object);
    let matches = asked.matches.iter().enumerate();
    conditions.extend(matches.map(|(position, wanted)| judge_match(index, position, wanted, object, holder)));
    Explanation {
        rule: index,
        conditions,
    }
}

fn namespaces<'a>(rule: &'a Rule, target: &Target<'a>) -> Judged<'a> {
    let asked = &rule.conditions;
    let condition = Condition::Namespaces {
        wanted: asked.namespaces.iter().map(Glob::as_str).collect(),
        found: target.original_namespace,
    };
    let judgement = match target.original_namespace {
        None => Judgement::Skipped,
        Some(_) if asked.is_for_namespace(target) => Judgement::Holds,
        Some(_) => Judgement::Fails,
    };
    Judged { condition, judgement }
}

fn judge_match<'a>(
    rule: RuleIndex,
    position: usize,
    wanted: &'a Match,
    object: &'a Value,
    holder: Holder,
) -> Judged<'a> {
    let judgement = match select::judge_match(rule, position, wanted, object, holder) {
        Ok(true) => Judgement::Holds,
        Ok(false) => Judgement::Fails,
        Err(error) => Judgement::Broken(error),
    };
    let condition = Condition::Match {
        path: &wanted.path,
        wanted: wanted.value.value(holder).ok(),
        found: wanted.path.lookup(object).ok(),
    };
    Judged { condition, judgement }
}

impl<'a> Judged<'a> {
    const fn new(holds: bool, condition: Condition<'a>) -> Self {
        let judgement = if holds { Judgement::Holds } else { Judgement::Fails };
        Self { condition, judgement }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::modifier::RuleSet;
    use crate::object::{GroupResource, ObjectName};

    /// Each condition of the one rule with `conditions`: what it asks for, and what came of it.
    fn explained(conditions: &str, namespace: Option<&str>) -> (Vec<String>, String) {
        let text = format!(
            "version: v1\nresourceModifierRules: [{{conditions: {{{conditions}}}, mergePatches: [{{patchData: {{a: 1}}}}]}}]"
        );
        let rules = RuleSet::parse(&text).unwrap();
        let group_resource = GroupResource::new("apps", "deployments");
        let target = Target {
            group_resource: &group_resource,
            name: ObjectName::Exact("web-1"),
            original_namespace: namespace,
        };
        let object = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"replicas": 3, "list": [1]},
        });
        let explanations = rules.explain(&target, &object);
        let [explanation] = explanations.as_slice() else {
            panic!("{explanations:?}")
        };
        let words = |judged: &Judged<'_>| {
            let asked = match &judged.condition {
                Condition::GroupResource { wanted, found } => format!("{found} is {wanted}"),
                Condition::Namespaces { wanted, found } => format!("{found:?} in {wanted:?}"),
                Condition::Name { wanted, found } => format!("{found} like {wanted}"),
                Condition::Label { wanted, found } => format!("{found:?}: {wanted}"),
                Condition::Match { path, wanted, found } => format!("{path}: {found:?} is {wanted:?}"),
            };
            match &judged.judgement {
                Judgement::Broken(error) => format!("{asked}: {error}"),
                other => format!("{asked}: {other:?}"),
            }
        };
        let concerned = match explanation.concerned() {
            Concerned::Broken(error) => error.to_string(),
            other => format!("{other:?}"),
        };
        (explanation.conditions.iter().map(words).collect(), concerned)
    }

    #[test]
    fn every_condition_is_told_with_what_it_met() {
        for (conditions, namespace, told, concerned) in [
            (
                "groupResource: '*.apps'",
                Some("shop"),
                &["deployments.apps is *.apps: Holds"][..],
                "Yes",
            ),
            (
                "groupResource: pods, namespaces: [till, 'sh*'], resourceNameRegex: ^web",
                Some("shop"),
                &[
                    "deployments.apps is pods: Fails",
                    r#"Some("shop") in ["till", "sh*"]: Holds"#,
                    "web-1 like ^web: Holds",
                ],
                "No",
            ),
            (
                "groupResource: deployments.apps, namespaces: [till]",
                None,
                &[
                    "deployments.apps is deployments.apps: Holds",
                    r#"None in ["till"]: Skipped"#,
                ],
                "Yes",
            ),
            (
                "groupResource: deployments.apps, labelSelector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: NotIn, values: [x]}]}",
                Some("shop"),
                &[
                    "deployments.apps is deployments.apps: Holds",
                    r#"Some(String("web")): app in (web): Holds"#,
                    "None: tier notin (x): Holds",
                ],
                "Yes",
            ),
            (
                "groupResource: deployments.apps, matches: [{path: /spec/replicas, value: '3'}, {path: /spec/a/b, value: 'null'}, {path: /spec/list/x, value: '1'}]",
                Some("shop"),
                &[
                    "deployments.apps is deployments.apps: Holds",
                    "/spec/replicas: Some(Number(3)) is Some(Number(3)): Holds",
                    "/spec/a/b: None is Some(Null): Fails",
                    "/spec/list/x: None is Some(Number(1)): resourceModifierRules[0].conditions.matches[2]: /spec/list/x: an array needs a number as index; guard the rule with a `test`, or use `-` to append",
                ],
                "No",
            ),
        ] {
            assert_eq!(
                explained(conditions, namespace),
                (
                    told.iter().map(ToString::to_string).collect(),
                    concerned.to_owned()
                ),
                "{conditions}"
            );
        }
    }

    #[test]
    fn a_condition_that_cannot_be_judged_breaks_a_rule_whose_others_hold() {
        let (_, concerned) = explained(
            "groupResource: deployments.apps, matches: [{path: /spec/list/7, value: '1'}]",
            None,
        );
        assert!(concerned.contains("out of range"), "{concerned}");
    }
}
