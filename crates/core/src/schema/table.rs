//! The table of built-in kinds: a line for each kind, each object type and each of its fields.
//!
//! ```text
//! kubernetes v1.36.3
//! kind apps/v1 Deployment deployments apps.v1.Deployment
//! type core.v1.PodSpec
//!  containers []core.v1.Container merge:name map:name
//!  nodeName
//!  nodeSelector {} atomic
//! ```
//!
//! After a field stands what it holds: nothing for a scalar, the name of an object type, `*` for any JSON, and `[]`
//! or `{}` before what a list or map holds. Then its marks.

mod generate;

use std::borrow::Cow;
use std::collections::HashMap;

use super::shape::{Field, ListType, MapKey, Marks, ObjectType, Shape, Types};

pub use generate::{GenerateError, generate};

/// The table in memory.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) kubernetes: &'static str,
    pub(super) kinds: Vec<Kind>,
    pub(super) types: Types,
}

/// A built-in kind.
#[derive(Debug)]
pub struct Kind {
    /// Group and version, as objects give them.
    pub api_version: &'static str,
    /// The kind, as objects give it.
    pub kind: &'static str,
    /// The resource, in the plural.
    pub resource: &'static str,
    pub(super) shape: Shape,
}

impl Kind {
    /// The group; empty for the core group.
    pub fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

impl Table {
    /// Reads the text; it is this crate's own, and a test sees to it that it is whole.
    pub(super) fn parse(text: &'static str) -> Self {
        let names = text.lines().filter_map(|line| line.strip_prefix("type "));
        let names = names.map(type_name).enumerate();
        let numbers: HashMap<_, _> = names.map(|(number, (name, _))| (name, number)).collect();
        let mut table = Self::default();
        let mut object = None;
        for line in text.lines() {
            if let Some(field) = line.strip_prefix(' ') {
                object
                    .get_or_insert_with(ObjectType::default)
                    .fields
                    .push(parse_field(field, &numbers));
                continue;
            }
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "kubernetes" => table.kubernetes = rest,
                "kind" => table.kinds.extend(parse_kind(rest, &numbers)),
                "type" => {
                    table.types.extend(object.replace(ObjectType {
                        fields: Vec::new(),
                        is_atomic: type_name(rest).1,
                    }));
                }
                _ => {}
            }
        }
        table.types.extend(object);
        table
    }
}

/// The name of a type, and whether it is atomic.
fn type_name(text: &str) -> (&str, bool) {
    text.strip_suffix(" atomic")
        .map_or((text, false), |name| (name, true))
}

fn parse_kind(text: &'static str, types: &HashMap<&str, usize>) -> Option<Kind> {
    let mut words = text.split(' ');
    Some(Kind {
        api_version: words.next()?,
        kind: words.next()?,
        resource: words.next()?,
        shape: parse_shape(words.next()?, types),
    })
}

fn parse_field(text: &'static str, types: &HashMap<&str, usize>) -> Field {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (shape, marks) = rest.split_once(' ').unwrap_or((rest, ""));
    Field {
        name: Cow::Borrowed(name),
        shape: parse_shape(shape, types),
        marks: parse_marks(marks).boxed(),
    }
}

fn parse_shape(text: &str, types: &HashMap<&str, usize>) -> Shape {
    if let Some(item) = text.strip_prefix("[]") {
        Shape::List(Box::new(parse_shape(item, types)))
    } else if let Some(value) = text.strip_prefix("{}") {
        Shape::Map(Box::new(parse_shape(value, types)))
    } else {
        match text {
            "" => Shape::Scalar,
            "*" => Shape::Opaque,
            name => types
                .get(name)
                .map_or(Shape::Unknown, |number| Shape::Object(*number)),
        }
    }
}

fn parse_marks(text: &'static str) -> Marks {
    let mut marks = Marks::none().clone();
    for word in text.split(' ') {
        let (mark, keys) = word.split_once(':').unwrap_or((word, ""));
        match mark {
            "merge" => {
                marks.patch.merge = true;
                marks.patch.key = (!keys.is_empty()).then_some(Cow::Borrowed(keys));
            }
            "retainKeys" => marks.patch.retain_keys = true,
            "replace" => marks.patch.replace = true,
            "set" => marks.list = ListType::Set,
            "map" => marks.list = ListType::Map(keys.split(',').map(parse_map_key).collect()),
            "atomic" => marks.atomic_map = true,
            _ => {}
        }
    }
    marks
}

fn parse_map_key(text: &'static str) -> MapKey {
    let (name, default) = text
        .split_once('=')
        .map_or((text, None), |(name, default)| (name, Some(default.into())));
    MapKey {
        name: Cow::Borrowed(name),
        default,
    }
}
