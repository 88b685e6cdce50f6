//! The conditions of a rule.

use super::field::{Field, Members, Report};
use super::operand::{Purpose, read_operand, read_path};
use super::resources;
use crate::glob::{Glob, Separator};
use crate::modifier::rule::{Conditions, Match};
use crate::pattern::{Pattern, PatternError};
use crate::selector::{LabelSelector, Operator, Requirement};

const FIELDS: [&str; 5] = [
    "groupResource",
    "resourceNameRegex",
    "namespaces",
    "labelSelector",
    "matches",
];

/// `None` only after a problem was reported.
pub(super) fn read(conditions: &Field<'_>, report: &mut Report) -> Option<Conditions> {
    let members = conditions.members(&FIELDS, report)?;
    let group_resource = read_group_resource(conditions, &members, report);
    let name = members
        .get("resourceNameRegex")
        .map(|field| (field, field.text(report)));
    let name = match name {
        Some((field, Some(text))) if !text.is_empty() => read_regex(field, &text, report),
        _ => None,
    };
    let namespaces = members
        .get("namespaces")
        .map_or_else(Vec::new, |field| read_namespaces(field, report));
    let labels = members
        .get("labelSelector")
        .map(|field| read_selector(field, report))
        .unwrap_or_default();
    let matches = members.get("matches").map_or_else(Vec::new, |field| {
        let items = field.items(report);
        items
            .iter()
            .filter_map(|item| read_match(item, group_resource.as_ref(), report))
            .collect()
    });
    Some(Conditions {
        group_resource: group_resource?,
        name,
        namespaces,
        labels,
        matches,
    })
}

fn read_group_resource(conditions: &Field<'_>, members: &Members<'_>, report: &mut Report) -> Option<Glob> {
    let field = members.get("groupResource");
    let text = field.and_then(|field| field.text(report)).unwrap_or_default();
    let Some(field) = field.filter(|_| !text.is_empty()) else {
        let hint = "name what the rule is for, as in `deployments.apps` or `configmaps`";
        report.refuse(conditions, "groupResource is missing", hint);
        return None;
    };
    match Glob::parse_within(&text, Separator::Dot, report.allowance()) {
        Ok(glob) => {
            resources::check(field, &glob, report);
            Some(glob)
        }
        Err(error) => {
            report.refuse(field, format!("the pattern is malformed: {error}"), "");
            None
        }
    }
}

fn read_regex(field: &Field<'_>, text: &str, report: &mut Report) -> Option<Pattern> {
    match Pattern::parse_within(text, report.allowance()) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let hint = match error {
                PatternError::Syntax(_) => "use the syntax of RE2: no look-around, no back-references",
                _ => "make it simpler, or split the rules over several sets",
            };
            report.refuse(
                field,
                format!("the regular expression is malformed: {error}"),
                hint,
            );
            None
        }
    }
}

fn read_namespaces(list: &Field<'_>, report: &mut Report) -> Vec<Glob> {
    let mut globs = Vec::new();
    for item in list.items(report) {
        let Some(text) = item.text(report) else { continue };
        match Glob::parse_within(&text, Separator::None, report.allowance()) {
            Ok(glob) => globs.push(glob),
            Err(error) => report.refuse(&item, format!("the pattern is malformed: {error}"), ""),
        }
    }
    globs
}

fn read_match(item: &Field<'_>, group_resource: Option<&Glob>, report: &mut Report) -> Option<Match> {
    let members = item.members(&["path", "value"], report)?;
    let path = read_path(item, &members, "path", report)?;
    let value = read_operand(item, &members, &path, Purpose::Compare, group_resource, report);
    Some(Match { path, value })
}

fn read_selector(field: &Field<'_>, report: &mut Report) -> LabelSelector {
    let mut requirements = Vec::new();
    let Some(members) = field.members(&["matchLabels", "matchExpressions"], report) else {
        return LabelSelector::default();
    };
    if let Some(labels) = members.get("matchLabels") {
        for (key, value) in labels.entries(report) {
            let Some(text) = value.text(report) else { continue };
            add_requirement(&value, key, Operator::In(vec![text]), &mut requirements, report);
        }
    }
    if let Some(expressions) = members.get("matchExpressions") {
        for expression in expressions.items(report) {
            read_expression(&expression, &mut requirements, report);
        }
    }
    LabelSelector::new(requirements)
}

fn read_expression(expression: &Field<'_>, requirements: &mut Vec<Requirement>, report: &mut Report) {
    let Some(members) = expression.members(&["key", "operator", "values"], report) else {
        return;
    };
    let key = members.text("key", report).unwrap_or_default();
    let operator = members.text("operator", report).unwrap_or_default();
    let values = members.get("values").map_or_else(Vec::new, |field| {
        let items = field.items(report);
        items.iter().filter_map(|item| item.text(report)).collect()
    });
    match Operator::parse(&operator, values) {
        Ok(operator) => add_requirement(expression, key, operator, requirements, report),
        Err(error) => report.refuse(expression, error.to_string(), ""),
    }
}

fn add_requirement(
    field: &Field<'_>,
    key: String,
    operator: Operator,
    requirements: &mut Vec<Requirement>,
    report: &mut Report,
) {
    match Requirement::new(key, operator) {
        Ok(requirement) => requirements.push(requirement),
        Err(error) => report.refuse(field, error.to_string(), ""),
    }
}
