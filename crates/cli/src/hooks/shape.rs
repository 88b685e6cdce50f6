//! Whether an object has the shape that the schema of its kind asks for. What the API server would say of the object as
//! a whole is said here of a place in a text.

use clusterbackup_api::is_misplaced;
use clusterbackup_core::duration::Span;
use clusterbackup_core::yaml::{Content, Entry, Node, Position};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// Something that is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) at: Position,
    /// The path of the field, as in `spec.backupHook[0].name`.
    pub(super) field: String,
    pub(super) message: String,
}

/// Everything that is wrong with the shape of `node`, in the order of the text.
pub(super) fn flaws(node: &Node, schema: &JSONSchemaProps, field: &str) -> Vec<Flaw> {
    let mut walk = Walk(Vec::new());
    walk.value(node, schema, field);
    walk.0
}

/// The place of a field: of the value, or of what is nearest above it.
pub(super) fn place(node: &Node, field: &str) -> Position {
    let name_end = field.find(['.', '[']).unwrap_or(field.len());
    let (name, rest) = field.split_at(name_end);
    let below = match (&node.content, name, rest.strip_prefix('[')) {
        (Content::Mapping(entries), name, _) if !name.is_empty() => {
            member(entries, name).map(|entry| (&entry.value, rest))
        }
        (content, "", Some(rest)) => rest.split_once(']').and_then(|(key, rest)| match content {
            Content::Sequence(items) => Some((items.get(key.parse::<usize>().ok()?)?, rest)),
            Content::Mapping(entries) => Some((&member(entries, key)?.value, rest)),
            Content::Scalar(_) => None,
        }),
        _ => None,
    };
    match below {
        Some((below, rest)) => place(below, rest.strip_prefix('.').unwrap_or(rest)),
        None => node.at,
    }
}

fn member<'e>(entries: &'e [Entry], name: &str) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.name == name)
}

struct Walk(Vec<Flaw>);

impl Walk {
    fn value(&mut self, node: &Node, schema: &JSONSchemaProps, field: &str) {
        match (schema.type_.as_deref(), &node.content) {
            _ if node.is_null() => {}
            (Some("object"), Content::Mapping(entries)) => self.object(node.at, entries, schema, field),
            (Some("object"), _) => self.flaw(node.at, field, "must be fields with values"),
            (Some("array"), Content::Sequence(items)) => self.list(node.at, items, schema, field),
            (Some("array"), _) => self.flaw(
                node.at,
                field,
                "must be a list: each item behind `- `, or in [...]",
            ),
            (Some("string"), _) => self.text(node, schema, field),
            _ => {}
        }
    }

    fn object(&mut self, at: Position, entries: &[Entry], schema: &JSONSchemaProps, field: &str) {
        let known = schema.properties.as_ref();
        for entry in entries {
            let field = format!("{field}.{}", entry.name);
            match known.and_then(|known| known.get(&entry.name)) {
                Some(inner) if is_misplaced(inner) => {
                    let message = refusal(schema, &entry.name).unwrap_or("belongs elsewhere");
                    self.flaw(entry.at, &field, message);
                }
                Some(inner) => self.value(&entry.value, inner, &field),
                None => match &schema.additional_properties {
                    Some(JSONSchemaPropsOrBool::Schema(inner)) => self.value(&entry.value, inner, &field),
                    _ if known.is_none() => {}
                    _ => self.flaw(
                        entry.at,
                        &field,
                        &format!("`{}` is not a known field", entry.name),
                    ),
                },
            }
        }
        for required in schema.required.iter().flatten() {
            if member(entries, required).is_none_or(|entry| entry.value.is_null()) {
                self.flaw(at, field, &format!("`{required}` is missing"));
            }
        }
    }

    fn list(&mut self, at: Position, items: &[Node], schema: &JSONSchemaProps, field: &str) {
        if schema.min_items.is_some() && items.is_empty() {
            self.flaw(at, field, "must not be empty");
        }
        if let Some(JSONSchemaPropsOrArray::Schema(inner)) = &schema.items {
            for (index, item) in items.iter().enumerate() {
                self.value(item, inner, &format!("{field}[{index}]"));
            }
        }
    }

    fn text(&mut self, node: &Node, schema: &JSONSchemaProps, field: &str) {
        let Content::Scalar(scalar) = &node.content else {
            return self.flaw(node.at, field, "must be a text");
        };
        let text = scalar.text();
        if !matches!(scalar.to_json(), Some(Value::String(_))) {
            let message = format!("must be a text: `{text}` is none without quotes");
            return self.flaw(node.at, field, &message);
        }
        let allowed: Vec<_> = schema
            .enum_
            .iter()
            .flatten()
            .filter_map(|one| one.0.as_str())
            .collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            self.flaw(node.at, field, &format!("must be one of {}", allowed.join(", ")));
        }
        // The only texts of hooks that have a pattern are durations.
        if schema.pattern.is_some()
            && let Err(error) = text.parse::<Span>()
        {
            self.flaw(node.at, field, &error.to_string());
        }
    }

    fn flaw(&mut self, at: Position, field: &str, message: &str) {
        self.0.push(Flaw {
            at,
            field: field.trim_start_matches('.').to_owned(),
            message: message.to_owned(),
        });
    }
}

/// What the rule says that refuses a field.
fn refusal<'s>(schema: &'s JSONSchemaProps, name: &str) -> Option<&'s str> {
    let asks = format!("!has(self.{name})");
    let rules = schema.x_kubernetes_validations.iter().flatten();
    let mut asking = rules.filter(|rule| rule.rule.contains(&asks));
    asking.next()?.message.as_deref()
}
