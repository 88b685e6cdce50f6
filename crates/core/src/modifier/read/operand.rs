//! Paths and values, in conditions and patches.

use serde_json::Value;

use super::field::{Field, Members, Report};
use crate::glob::Glob;
use crate::modifier::text_fields::Holder;
use crate::modifier::value::{Literal, NotJson, Operand};
use crate::patch::Pointer;
use crate::yaml::Content;

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be written into the object.
    Write,
    /// To be compared with what is there; null then asks for absence, also in a text field.
    Compare,
}

/// The path of that name, which has to lead inside of the object.
pub(super) fn read_path(
    parent: &Field<'_>,
    members: &Members<'_>,
    name: &str,
    report: &mut Report,
) -> Option<Pointer> {
    let field = members.get(name);
    let text = field.and_then(|field| field.text(report)).unwrap_or_default();
    let Some(field) = field.filter(|_| !text.is_empty()) else {
        report.refuse(
            parent,
            format!("{name} is missing"),
            "write a path as in `/spec/replicas`",
        );
        return None;
    };
    let hint = "write a path as in `/metadata/labels/example.com~1app`";
    Pointer::parse(&text)
        .map_err(|error| report.refuse(field, error.to_string(), hint))
        .ok()
}

/// The `value` beside a path.
pub(super) fn read_operand(
    parent: &Field<'_>,
    members: &Members<'_>,
    path: &Pointer,
    purpose: Purpose,
    group_resource: Option<&Glob>,
    report: &mut Report,
) -> Operand {
    let Some(field) = members.get("value") else {
        let hint = r#"write "" for the empty string or, in quotes, "null" for null"#;
        report.warn(parent, "no value is given, which means the empty string", hint);
        return Operand::new(&Literal::Fixed("".into()), path.tokens());
    };
    let literal = Literal::of_value(field.node);
    warn_of_escapes(field, &literal, report);
    let literal = match purpose {
        Purpose::Compare if literal.is_null() => Literal::Fixed(Value::Null),
        Purpose::Compare | Purpose::Write => literal,
    };
    let operand = Operand::new(&literal, path.tokens());
    check_operand(field, &operand, group_resource, report);
    operand
}

/// Velero resolves JSON escapes in a text that YAML has already taken out of its quotes.
fn warn_of_escapes(field: &Field<'_>, literal: &Literal, report: &mut Report) {
    if let (Content::Scalar(scalar), Literal::Fixed(Value::String(text))) = (&field.node.content, literal)
        && scalar.text().contains('\\')
        && !scalar.text().starts_with('"')
        && text != scalar.text()
    {
        report.warn(
            field,
            "a backslash in a value begins a JSON escape",
            "write two where one is meant",
        );
    }
}

/// Refuses a value that fits none of the kinds of objects the rule is for.
pub(super) fn check_operand(
    field: &Field<'_>,
    operand: &Operand,
    group_resource: Option<&Glob>,
    report: &mut Report,
) {
    let possible = |holder: &&Holder| match (group_resource, holder) {
        (None, _) => true,
        (Some(glob), Holder::ConfigMap) => glob.matches("configmaps"),
        (Some(glob), Holder::Secret) => glob.matches("secrets"),
        (Some(glob), Holder::Other) => !matches!(glob.exact(), Some("configmaps" | "secrets")),
    };
    let values = Holder::ALL
        .iter()
        .filter(possible)
        .map(|holder| operand.value(*holder));
    let errors: Option<Vec<NotJson>> = values.map(Result::err).collect();
    if let Some([error, ..]) = errors.as_deref() {
        report.refuse(field, error.to_string(), error.hint());
    }
}
