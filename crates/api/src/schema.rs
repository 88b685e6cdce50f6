//! Parts of schemas that several kinds share. Every list, map and text of a kind has a bound: what a CRD admits, a
//! controller has to be able to hold.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// The longest message for a person in a status, in characters.
const MESSAGE_LIMIT: usize = 1024;

/// Cuts a message for a person to what the schema of a status admits.
pub fn bounded(message: &str) -> Cow<'_, str> {
    if message.chars().nth(MESSAGE_LIMIT).is_none() {
        return message.into();
    }
    message.chars().take(MESSAGE_LIMIT - 1).chain(['…']).collect()
}

/// A message for a person.
pub(crate) fn message(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": MESSAGE_LIMIT, "nullable": true })
}

/// A value from a closed set, or nothing.
pub(crate) fn optional<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    schema.insert("nullable".to_owned(), true.into());
    schema
}

/// Name of a namespaced or cluster-scoped object.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
        "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    })
}

/// The same, or nothing.
pub(crate) fn optional_object_name(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = object_name(generator);
    schema.insert("nullable".to_owned(), true.into());
    schema
}

/// Name of a namespace.
pub(crate) fn namespace_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    })
}

/// Names or globs of namespaces; nothing where they are left empty.
pub(crate) fn namespaces(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "maxItems": 800,
        "items": { "type": "string", "minLength": 1, "maxLength": 253 },
    })
}

/// Plural names of kinds, with or without their group, or globs; nothing where they are left empty.
pub(crate) fn resource_types(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "maxItems": 200,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 317,
            "x-kubernetes-validations": [{
                "rule": "!self.contains('/') && self == self.lowerAscii()",
                "message": "write a kind as its plural name and its group: secrets, deployments.apps",
            }],
        },
    })
}

/// Program and arguments.
pub(crate) fn command(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 256,
        "items": { "type": "string", "maxLength": 32768 },
        "x-kubernetes-validations": [{
            "rule": "self[0] != ''",
            "message": "the first entry is the program: it can't be empty",
        }],
    })
}

/// A selector of Kubernetes, bounded; everything where it is left empty.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    let value = json!({ "type": "string", "maxLength": 63 });
    json_schema!({
        "type": "object",
        "nullable": true,
        "properties": {
            "matchLabels": {
                "description": "Labels that an object must have, each with this value.",
                "type": "object",
                "nullable": true,
                "maxProperties": 64,
                "additionalProperties": value,
            },
            "matchExpressions": {
                "description": "Demands on labels; all of them must hold, and those of matchLabels.",
                "type": "array",
                "nullable": true,
                "maxItems": 64,
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "The label.",
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 317,
                        },
                        "operator": {
                            "description": "What is demanded of it: In or NotIn one of the values, Exists or DoesNotExist.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "The values of In and NotIn; none for Exists and DoesNotExist.",
                            "type": "array",
                            "nullable": true,
                            "maxItems": 64,
                            "items": value,
                        },
                    },
                },
            },
        },
    })
}
