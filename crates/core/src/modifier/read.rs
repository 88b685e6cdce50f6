//! From the text to rules. Reading goes on after a problem, so that all of them are found at once.
//!
//! - `field`: walking through the document and reporting
//! - `conditions`, `patches`: the two halves of a rule
//! - `operand`: paths and values
//! - `resources`: is there such a group-resource?
//! - `protected`: what rules may not change
//! - `strategic`: what can be known of a strategic patch from its text
//!
//! The names of fields are compared without case, as Go does.

mod conditions;
mod field;
mod operand;
mod patches;
mod protected;
mod resources;
mod strategic;

use super::problem::{Problem, Problems};
use super::rule::Rule;
use crate::yaml::{self, Node};
use field::{Field, Report};

/// Rules one set may have.
const MAX_RULES: usize = 1000;
/// Places at which list items are moved under their key before the text counts as broken.
const MAX_MENDED: usize = 32;

pub(super) struct Outcome {
    pub(super) rules: Vec<Rule>,
    pub(super) warnings: Vec<Problem>,
}

pub(super) fn read(text: &str) -> Result<Outcome, Problems> {
    let mut report = Report::new();
    let rules = match only_document(text, &mut report) {
        Ok(document) => read_document(&Field::root(&document), &mut report),
        Err(problem) => {
            report.add(problem);
            Vec::new()
        }
    };
    report.finish().map(|warnings| Outcome { rules, warnings })
}

/// The one document of the text.
fn only_document(text: &str, report: &mut Report) -> Result<Node, Problem> {
    let mut documents = mended_documents(text, report)?.into_iter();
    let problem = |line, column, message: &str, hint: &str| Problem {
        line,
        column,
        rule: None,
        field: String::new(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    };
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok(document),
        (_, Some(second)) => Err(problem(
            second.at.line,
            second.at.column,
            "a second YAML document begins here",
            "put all rules into the resourceModifierRules of the first",
        )),
        (None, None) => Err(problem(
            1,
            1,
            "the text is empty",
            "write `version: v1` and resourceModifierRules",
        )),
    }
}

fn mended_documents(text: &str, report: &mut Report) -> Result<Vec<Node>, Problem> {
    let mut mended: Option<String> = None;
    for _ in 0..MAX_MENDED {
        let current = mended.as_deref().unwrap_or(text);
        let error = match yaml::documents(current) {
            Ok(documents) => return Ok(documents),
            Err(error) => error,
        };
        let Some(fixed) = yaml::mend_list_indentation(current, &error) else {
            return Err(error.into());
        };
        report.warn_at_line(
            fixed.line,
            "the list items are indented less than their key, which is not valid YAML; they were read as its items",
            "indent them at least as far as the key",
        );
        mended = Some(fixed.text);
    }
    yaml::documents(mended.as_deref().unwrap_or(text)).map_err(Problem::from)
}

fn read_document(document: &Field<'_>, report: &mut Report) -> Vec<Rule> {
    let Some(members) = document.members(&["version", "resourceModifierRules"], report) else {
        return Vec::new();
    };
    match members
        .get("version")
        .map(|version| (version, version.text(report)))
    {
        None => report.refuse(document, "version is missing", "write `version: v1`"),
        Some((version, Some(text))) if !text.eq_ignore_ascii_case("v1") => {
            report.refuse(version, "the version is not known", "write `version: v1`");
        }
        Some(_) => {}
    }
    let Some(list) = members.get("resourceModifierRules") else {
        report.refuse(
            document,
            "resourceModifierRules is missing",
            "write at least one rule",
        );
        return Vec::new();
    };
    let rules = list.items(report);
    if rules.is_empty() {
        report.refuse(list, "there is no rule", "write at least one rule");
    }
    if rules.len() > MAX_RULES {
        let message = format!("{} rules are too many", rules.len());
        report.refuse(
            list,
            message,
            format!("at most {MAX_RULES} are allowed; split them over several sets"),
        );
        return Vec::new();
    }
    let read = |(index, rule): (usize, &Field<'_>)| {
        report.enter_rule(index);
        read_rule(rule, report)
    };
    rules.iter().enumerate().filter_map(read).collect()
}

/// `None` only after a problem was reported.
fn read_rule(rule: &Field<'_>, report: &mut Report) -> Option<Rule> {
    let members = rule.members(
        &["conditions", "patches", "mergePatches", "strategicPatches"],
        report,
    )?;
    let conditions = if let Some(conditions) = members.get("conditions") {
        conditions::read(conditions, report)
    } else {
        report.refuse(
            rule,
            "conditions is missing",
            "write `conditions` with at least a groupResource",
        );
        None
    };
    let patches = patches::read(
        rule,
        &members,
        conditions.as_ref().map(|read| &read.group_resource),
        report,
    );
    Some(Rule {
        line: rule.node.at.line,
        conditions: conditions?,
        patches: patches?,
    })
}
