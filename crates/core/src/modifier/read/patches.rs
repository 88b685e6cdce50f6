//! The patches of a rule.

use super::field::{Field, Members, Report};
use super::operand::{Purpose, check_operand, read_operand, read_path};
use super::{protected, strategic};
use crate::glob::Glob;
use crate::modifier::rule::{Operation, Patches};
use crate::modifier::value::{Literal, Operand};
use crate::yaml::{self, Content, Node};

/// Operations or merge patches one rule may have.
const MAX_PATCHES: usize = 1000;
const KINDS: [&str; 3] = ["patches", "mergePatches", "strategicPatches"];
const OPERATIONS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

/// `None` only after a problem was reported.
pub(super) fn read(
    rule: &Field<'_>,
    members: &Members<'_>,
    group_resource: Option<&Glob>,
    report: &mut Report,
) -> Option<Patches> {
    let given: Vec<_> = KINDS
        .iter()
        .filter_map(|kind| Some((*kind, members.get(kind)?)))
        .collect();
    let given: Vec<_> = given
        .into_iter()
        .map(|(kind, list)| (kind, list, list.items(report)))
        .filter(|(_, _, items)| !items.is_empty())
        .collect();
    let (kind, list, items) = match given.as_slice() {
        [one] => one,
        [] => {
            report.refuse(
                rule,
                "the rule changes nothing",
                "give it patches, mergePatches or strategicPatches",
            );
            return None;
        }
        [_, (_, second, _), ..] => {
            report.refuse(
                second,
                "a rule has patches of one kind only",
                "make a second rule with the same conditions",
            );
            return None;
        }
    };
    if items.len() > MAX_PATCHES {
        report.refuse(
            list,
            format!("{} patches are too many", items.len()),
            format!("at most {MAX_PATCHES} are allowed"),
        );
        return None;
    }
    match *kind {
        "patches" => Some(Patches::Json(
            items
                .iter()
                .filter_map(|item| read_operation(item, group_resource, report))
                .collect(),
        )),
        "mergePatches" => Some(Patches::Merge(
            items
                .iter()
                .filter_map(|item| read_merge(item, group_resource, report))
                .collect(),
        )),
        _ => {
            let kinds = strategic::Kinds::of(list, group_resource, report);
            Some(Patches::Strategic(
                items
                    .iter()
                    .filter_map(|item| read_strategic(item, &kinds, group_resource, report))
                    .collect(),
            ))
        }
    }
}

fn read_operation(item: &Field<'_>, group_resource: Option<&Glob>, report: &mut Report) -> Option<Operation> {
    let members = item.members(&["operation", "from", "path", "value"], report)?;
    let operation = read_operation_name(item, &members, report);
    let path = read_path(item, &members, "path", report);
    let operation = operation?;
    let from = match operation {
        "move" | "copy" => Some(read_path(item, &members, "from", report)),
        _ => None,
    };
    let path = path?;
    if operation != "test" {
        protected::check_path(members.get("path").unwrap_or(item), &path, report);
    }
    let mut value = |purpose| read_operand(item, &members, &path, purpose, group_resource, report);
    Some(match (operation, from) {
        ("add", _) => Operation::Add {
            value: value(Purpose::Write),
            path,
        },
        ("replace", _) => Operation::Replace {
            value: value(Purpose::Write),
            path,
        },
        ("test", _) => Operation::Test {
            value: value(Purpose::Compare),
            path,
        },
        ("copy", Some(from)) => Operation::Copy { from: from?, path },
        ("move", Some(from)) => {
            let from = from?;
            protected::check_path(members.get("from").unwrap_or(item), &from, report);
            Operation::Move { from, path }
        }
        _ => Operation::Remove { path },
    })
}

fn read_operation_name(item: &Field<'_>, members: &Members<'_>, report: &mut Report) -> Option<&'static str> {
    let Some(field) = members.get("operation") else {
        report.refuse(
            item,
            "operation is missing",
            format!("write one of {}", OPERATIONS.join(", ")),
        );
        return None;
    };
    let text = field.text(report)?;
    if let Some(name) = OPERATIONS.iter().find(|name| **name == text) {
        return Some(name);
    }
    let hint = match OPERATIONS.iter().find(|name| name.eq_ignore_ascii_case(&text)) {
        Some(name) => format!("write it in lower case: `{name}`"),
        None => format!("write one of {}", OPERATIONS.join(", ")),
    };
    report.refuse(field, format!("there is no operation `{text}`"), hint);
    None
}

fn read_merge(item: &Field<'_>, group_resource: Option<&Glob>, report: &mut Report) -> Option<Operand> {
    let (field, patch) = read_patch_object(item, report)?;
    let field = &field;
    protected::check_merge(field, &patch, report);
    warn_of_keys(field, &patch, report);
    let operand = Operand::new(&Literal::of_data(&patch), &[]);
    check_operand(field, &operand, group_resource, report);
    Some(operand)
}

fn read_strategic(
    item: &Field<'_>,
    kinds: &strategic::Kinds,
    group_resource: Option<&Glob>,
    report: &mut Report,
) -> Option<Operand> {
    let operand = read_merge(item, group_resource, report)?;
    strategic::check(item, &operand, kinds, report);
    Some(operand)
}

/// The patchData of an item, which has to be an object.
fn read_patch_object<'n>(item: &Field<'n>, report: &mut Report) -> Option<(Field<'n>, Node)> {
    let members = item.members(&["patchData"], report)?;
    let Some(field) = members.get("patchData") else {
        report.refuse(
            item,
            "patchData is missing",
            "give it the fields to merge, as JSON or YAML",
        );
        return None;
    };
    let patch = read_patch_data(field, report)?;
    if !matches!(patch.content, Content::Mapping(_)) {
        report.refuse(
            field,
            "patchData is no object",
            "give it the fields to merge, as JSON or YAML",
        );
        return None;
    }
    Some((field.clone(), patch))
}

/// The patch as a tree: written as such, or (as Velero wants it) as a text that holds JSON or YAML.
fn read_patch_data(field: &Field<'_>, report: &mut Report) -> Option<Node> {
    let Content::Scalar(scalar) = &field.node.content else {
        return Some(field.node.clone());
    };
    let documents = yaml::documents(scalar.text())
        .map_err(|error| {
            report.refuse(field, format!("{} of patchData: {}", error.at, error.kind), "");
        })
        .ok()?;
    match <[Node; 1]>::try_from(documents) {
        Ok([patch]) => Some(patch),
        Err(documents) => {
            let message = format!("patchData holds {} documents", documents.len());
            report.refuse(field, message, "give it exactly one object");
            None
        }
    }
}

/// Kubernetes reads an unquoted `on` as `true` in keys as well.
fn warn_of_keys(field: &Field<'_>, patch: &Node, report: &mut Report) {
    match &patch.content {
        Content::Scalar(_) => {}
        Content::Sequence(items) => items.iter().for_each(|item| warn_of_keys(field, item, report)),
        Content::Mapping(entries) => {
            for entry in entries {
                if entry.name != entry.key.text() {
                    let message = format!(
                        "the unquoted key `{}` is read as `{}`",
                        entry.key.text(),
                        entry.name
                    );
                    report.warn(field, message, "put it in quotes if it is meant as written");
                }
                warn_of_keys(field, &entry.value, report);
            }
        }
    }
}
