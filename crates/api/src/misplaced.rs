//! Fields that people write in a wrong place. The API server drops what a schema doesn't know, without a word: so the
//! schema knows them, for a rule to refuse them with the right place.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::Schema;
use serde_json::{Value, json};

/// Ends the description of such a field.
const REFUSED: &str = "; refused here.";

/// Whether a schema declares a field only for it to be refused.
pub fn is_misplaced(field: &JSONSchemaProps) -> bool {
    let description = field.description.as_deref();
    description.is_some_and(|description| description.ends_with(REFUSED))
}

/// A field that a schema declares to be refused.
#[derive(Debug)]
pub(crate) struct Misplaced {
    name: &'static str,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Names,
    Object,
    Objects,
}

impl Misplaced {
    pub(crate) const fn text(name: &'static str) -> Self {
        Self::new(name, Shape::Text)
    }

    pub(crate) const fn names(name: &'static str) -> Self {
        Self::new(name, Shape::Names)
    }

    pub(crate) const fn object(name: &'static str) -> Self {
        Self::new(name, Shape::Object)
    }

    pub(crate) const fn objects(name: &'static str) -> Self {
        Self::new(name, Shape::Objects)
    }

    const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape }
    }

    /// As lenient as a rule allows that asks whether the field is there.
    fn schema(&self, description: &str) -> Value {
        let text = json!({ "type": "string", "maxLength": 253 });
        let anything =
            json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true, "maxProperties": 64 });
        let mut schema = match self.shape {
            Shape::Text => text,
            Shape::Names => json!({ "type": "array", "maxItems": 800, "items": text }),
            Shape::Object => anything,
            Shape::Objects => json!({ "type": "array", "maxItems": 64, "items": anything }),
        };
        schema["description"] = description.into();
        schema
    }
}

/// Declares `fields` in the schema of an object, and where they belong. Not beside `x_kube` on a field of it: that changes the first property
/// that it finds.
pub(crate) fn declare(schema: &mut Schema, fields: &[Misplaced], place: &str) {
    let properties = schema
        .ensure_object()
        .entry("properties")
        .or_insert_with(|| json!({}));
    for field in fields {
        properties[field.name] = field.schema(&format!("{place}{REFUSED}"));
    }
}
