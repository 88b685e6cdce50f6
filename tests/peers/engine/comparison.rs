//! One case put to both engines, and whether what they make of it is the same, or different as documented.

use std::collections::BTreeSet;

use anyhow::Result;
use clusterbackup_core::modifier::{Rename, RuleOutcome, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use clusterbackup_tests::velero::{self, RuleEngine};
use serde_json::Value;

use super::differences::Difference;
use super::generator::Case;
use super::rules::{self, Patches, Rule};

/// What an engine makes of a rule set and an object.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// The rules are not valid, for these reasons.
    Refused(Vec<String>),
    /// The object as it is then, and how many rules failed on it.
    Object { value: Value, failed: usize },
    /// It panicked.
    Panic(String),
}

/// Puts every rule of a case to both engines alone, and then all of those together on which they agree. The documented
/// differences that were met, or a report of one that is not documented.
pub(crate) fn compare(engine: &RuleEngine, case: &Case) -> Result<Result<BTreeSet<Difference>, String>> {
    let both = Both { engine, case };
    let mut met = BTreeSet::new();
    let mut valid = Vec::new();
    for rule in &case.rules {
        match both.alone(rule)? {
            Alone::Refused => {}
            // Together with others, they may be different after all.
            Alone::Same if rule.names_a_key_without_a_name() => {}
            Alone::Same => valid.push(rule.clone()),
            Alone::Different(difference) => {
                met.insert(difference);
            }
            Alone::SpelledOut(difference) => {
                met.insert(difference);
                valid.push(rule.clone());
            }
            Alone::Unexplained(report) => return Ok(Err(report)),
        }
    }
    if valid.len() > 1 {
        let text = rules::set(&valid);
        let spelled_out: Vec<Rule> = valid.iter().map(Rule::spelled_out).collect();
        let (ours, theirs) = (both.ours(&text), both.theirs(&rules::set(&spelled_out))?);
        if let Some(difference) = in_leftovers(&valid, &ours, &theirs) {
            met.insert(difference);
        } else if !ours.is(&theirs) {
            return Ok(Err(both.report(&text, &ours, &theirs)));
        }
    }
    Ok(Ok(met))
}

/// The difference, if it is only in what a patch leaves in the values that it brings: nulls or directives.
fn in_leftovers(rules: &[Rule], ours: &Made, theirs: &Made) -> Option<Difference> {
    let any = |kind: fn(&Patches) -> bool| rules.iter().any(|rule| kind(&rule.patches));
    if ours.is(theirs) {
        None
    } else if any(|patches| matches!(patches, Patches::Merge(_)))
        && ours.without(null_in_list).is(&theirs.without(null_in_list))
    {
        Some(Difference::NullsInLists)
    } else if any(|patches| matches!(patches, Patches::Strategic(_))) && ours.is(&theirs.without(directive)) {
        Some(Difference::DirectivesInValues)
    } else {
        None
    }
}

/// Members that are left out: by their key, their value, and whether they are inside of a list.
type Leftover = fn(&str, &Value, bool) -> bool;

fn null_in_list(_: &str, value: &Value, in_list: bool) -> bool {
    in_list && value.is_null()
}

fn directive(key: &str, _: &Value, _: bool) -> bool {
    key.starts_with('$')
}

/// How one rule went in both.
enum Alone {
    Same,
    /// By both.
    Refused,
    Different(Difference),
    /// The same, once it is spelled out.
    SpelledOut(Difference),
    Unexplained(String),
}

struct Both<'a> {
    engine: &'a RuleEngine,
    case: &'a Case,
}

impl Both<'_> {
    fn alone(&self, rule: &Rule) -> Result<Alone> {
        let text = rules::set(std::slice::from_ref(rule));
        let (ours, theirs) = (self.ours(&text), self.theirs(&text)?);
        if ours.is(&theirs) {
            return Ok(match ours {
                Made::Refused(_) => Alone::Refused,
                Made::Object { .. } | Made::Panic(_) => Alone::Same,
            });
        }
        if let Made::Panic(_) = theirs {
            return Ok(Alone::Unexplained(self.report(&text, &ours, &theirs)));
        }
        if let Made::Refused(problems) = &ours {
            for problem in problems {
                if let Some(difference) = Difference::of_problem(problem)
                    && self.shows(difference, rule, &theirs)?
                {
                    return Ok(Alone::Different(difference));
                }
            }
        } else {
            let spelled_out = rules::set(&[rule.spelled_out()]);
            let theirs = self.theirs(&spelled_out)?;
            if ours.is(&theirs) {
                return Ok(Alone::SpelledOut(Difference::of_spelling(rule)));
            }
            let is_strategic = matches!(rule.patches, Patches::Strategic(_));
            if is_strategic && self.is_unknown_to_velero() && theirs.has_failures() {
                return Ok(Alone::Different(Difference::StrategicKinds));
            }
            if let Some(difference) = in_leftovers(std::slice::from_ref(rule), &ours, &theirs) {
                return Ok(Alone::Different(difference));
            }
            if rule.names_a_key_without_a_name() {
                return Ok(Alone::Different(Difference::KeysWithoutName));
            }
        }
        Ok(Alone::Unexplained(self.report(&text, &ours, &theirs)))
    }

    /// Whether Velero does with a rule that we refuse what the documentation says.
    fn shows(&self, difference: Difference, rule: &Rule, theirs: &Made) -> Result<bool> {
        let untouched = Made::Object {
            value: self.case.object.clone(),
            failed: 0,
        };
        Ok(match difference {
            Difference::UnlikelyNames => theirs.is(&untouched),
            // On any object that meets the conditions, or for want of `from` with a copy of the whole document.
            Difference::NotJson | Difference::IncompleteRules if theirs.has_failures() => true,
            Difference::NotJson | Difference::IncompleteRules => match rule.refused_part() {
                Some(part) => !self.theirs(&rules::set(&[part]))?.is(&untouched),
                // The rule is for objects of another kind, on which the value is no text.
                None => theirs.is(&untouched),
            },
            _ => true,
        })
    }

    /// Whether the kind is built in, but in none of the groups that Velero's client has the types of.
    fn is_unknown_to_velero(&self) -> bool {
        self.case.group_resource.ends_with(".k8s.io")
    }

    fn ours(&self, text: &str) -> Made {
        ours(text, self.case.group_resource, &self.case.object)
    }

    fn theirs(&self, text: &str) -> Result<Made> {
        theirs(self.engine, text, self.case.group_resource, &self.case.object)
    }

    fn report(&self, text: &str, ours: &Made, theirs: &Made) -> String {
        let made = |made: &Made| match made {
            Made::Refused(reasons) => format!("a refusal: {}", reasons.join("; ")),
            Made::Object { value, failed } => format!("{failed} failed rules and {value}"),
            Made::Panic(said) => format!("a panic: {said}"),
        };
        format!(
            "of the {} {}\nby\n{text}we make {}\nVelero makes {}",
            self.case.group_resource,
            self.case.object,
            made(ours),
            made(theirs)
        )
    }
}

impl Made {
    const fn has_failures(&self) -> bool {
        matches!(self, Self::Object { failed, .. } if *failed > 0)
    }

    fn without(&self, leftover: Leftover) -> Self {
        match self {
            Self::Object { value, failed } => Self::Object {
                value: without(value, leftover, false),
                failed: *failed,
            },
            other => other.clone(),
        }
    }

    /// Whether it is the same, however numbers are written.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Refused(_), Self::Refused(_)) => true,
            (
                Self::Object { value, failed },
                Self::Object {
                    value: other,
                    failed: other_failed,
                },
            ) => failed == other_failed && same(value, other),
            _ => false,
        }
    }
}

/// What our engine makes of it.
pub(crate) fn ours(text: &str, group_resource: &str, object: &Value) -> Made {
    let rules = match RuleSet::parse(text) {
        Ok(rules) => rules,
        Err(problems) => return Made::Refused(problems.iter().map(ToString::to_string).collect()),
    };
    let (resource, group) = group_resource.split_once('.').unwrap_or((group_resource, ""));
    let group_resource = GroupResource::new(group, resource);
    let metadata = &object["metadata"];
    let target = Target {
        group_resource: &group_resource,
        name: ObjectName::Exact(metadata["name"].as_str().unwrap_or_default()),
        original_namespace: metadata["namespace"].as_str(),
    };
    let mut draft = Draft::new(object.clone());
    let results = rules.apply(
        &rules.select(&target, object),
        &mut draft,
        &Rename::Allowed.into(),
    );
    let failed = results
        .iter()
        .filter(|result| matches!(result.outcome, RuleOutcome::Failed(_)))
        .count();
    Made::Object {
        value: draft.into_parts().0,
        failed,
    }
}

/// What Velero's engine makes of it.
pub(crate) fn theirs(engine: &RuleEngine, rules: &str, group_resource: &str, object: &Value) -> Result<Made> {
    let answer = engine.answer(&velero::Case {
        rules,
        object,
        group_resource,
        iterations: 0,
    })?;
    Ok(if !answer.panic.is_empty() {
        Made::Panic(answer.panic)
    } else if answer.invalid.is_empty() {
        Made::Object {
            value: answer.object,
            failed: answer.errors.len(),
        }
    } else {
        Made::Refused(vec![answer.invalid])
    })
}

fn without(value: &Value, leftover: Leftover, in_list: bool) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| without(item, leftover, true)).collect(),
        Value::Object(members) => {
            let kept = members
                .iter()
                .filter(|(key, value)| !leftover(key, value, in_list));
            let kept = kept.map(|(key, value)| (key.clone(), without(value, leftover, in_list)));
            Value::Object(kept.collect())
        }
        other => other.clone(),
    }
}

/// Equal, but for how a number is written: Velero reads whole floats as integers, and large integers as floats.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}
