//! Reading OpenAPI v3 schemas, as Kubernetes writes them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::shape::{Field, ListType, MapKey, Marks, ObjectType, PatchStrategy, Shape, Types};

/// What a schema describes.
pub(super) enum Node<'v> {
    /// What another schema describes, which has this name.
    Reference(&'v str),
    Object(&'v Map<String, Value>),
    Map(&'v Value),
    List(&'v Value),
    Opaque,
    Scalar,
}

impl<'v> Node<'v> {
    pub(super) fn of(schema: &'v Value) -> Self {
        if let Some(name) = reference(schema) {
            return Self::Reference(name);
        }
        let member = |name| schema.get(name).filter(|value| value.is_object());
        if let Some(Value::Object(fields)) = member("properties") {
            return Self::Object(fields);
        }
        if let Some(value) = member("additionalProperties") {
            return Self::Map(value);
        }
        if let Some(item) = member("items") {
            return Self::List(item);
        }
        let is_free = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let is_untyped = schema.get("type").is_none()
            && ["oneOf", "anyOf", "x-kubernetes-int-or-string"]
                .iter()
                .all(|name| schema.get(name).is_none());
        if is_free || is_untyped || schema["type"] == "object" {
            Self::Opaque
        } else {
            Self::Scalar
        }
    }
}

/// The name in a `$ref`, which stands alone or, beside a default, in an `allOf`.
fn reference(schema: &Value) -> Option<&str> {
    let direct = || schema.get("$ref")?.as_str();
    let inner = || schema.get("allOf")?.get(0)?.get("$ref")?.as_str();
    direct().or_else(inner)?.rsplit('/').next()
}

/// How a field is merged. `item` describes the elements, where it is a list.
pub(super) fn marks(schema: &Value, item: Option<&Value>) -> Marks {
    Marks {
        patch: patch_strategy(schema),
        list: list_type(schema, item),
        atomic_map: is_atomic(schema),
    }
}

pub(super) fn is_atomic(schema: &Value) -> bool {
    schema["x-kubernetes-map-type"] == "atomic"
}

fn patch_strategy(schema: &Value) -> PatchStrategy {
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    let strategies = text("x-kubernetes-patch-strategy").unwrap_or_default();
    let has = |name| strategies.split(',').any(|strategy| strategy == name);
    PatchStrategy {
        merge: has("merge"),
        retain_keys: has("retainKeys"),
        replace: has("replace"),
        key: text("x-kubernetes-patch-merge-key").map(|key| Cow::Owned(key.to_owned())),
    }
}

fn list_type(schema: &Value, item: Option<&Value>) -> ListType {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => ListType::Set,
        Some("map") => {
            let names = schema["x-kubernetes-list-map-keys"].as_array();
            let keys = names.into_iter().flatten().filter_map(Value::as_str);
            ListType::Map(keys.map(|name| map_key(name, item)).collect())
        }
        _ => ListType::Atomic,
    }
}

fn map_key(name: &str, item: Option<&Value>) -> MapKey {
    let default = item.and_then(|item| item.get("properties")?.get(name)?.get("default"));
    MapKey {
        name: Cow::Owned(name.to_owned()),
        default: default.cloned(),
    }
}

/// The shape of a custom kind's objects.
pub(super) fn custom(schema: &Value, types: &mut Types) -> Shape {
    let root = shape(schema, types);
    if let Shape::Object(number) = root
        && let Some(object) = types.get_mut(number)
    {
        // Whatever the definition says of it: the API server knows better.
        object.fields.retain(|field| field.name != "metadata");
        object.fields.push(Field {
            name: "metadata".into(),
            shape: Shape::ObjectMeta,
            marks: None,
        });
    }
    root
}

fn shape(schema: &Value, types: &mut Types) -> Shape {
    match Node::of(schema) {
        Node::Object(members) => {
            let fields = members.iter().map(|(name, member)| field(name, member, types));
            let fields = fields.collect();
            Shape::Object(types.add(ObjectType {
                fields,
                is_atomic: is_atomic(schema),
            }))
        }
        Node::Map(value) => Shape::Map(Box::new(shape(value, types))),
        Node::List(item) => Shape::List(Box::new(shape(item, types))),
        // The schemas of CustomResourceDefinitions have no references.
        Node::Opaque | Node::Reference(_) => Shape::Opaque,
        Node::Scalar => Shape::Scalar,
    }
}

fn field(name: &str, schema: &Value, types: &mut Types) -> Field {
    Field {
        name: Cow::Owned(name.to_owned()),
        shape: shape(schema, types),
        marks: marks(schema, schema.get("items")).boxed(),
    }
}
