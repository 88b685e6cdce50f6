//! What is different between two states of an object, field by field.

use std::collections::BTreeSet;

use clusterbackup_core::patch::Pointer;
use serde::Serialize;
use serde_json::Value;

/// A field that is not the same.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    pub(crate) path: String,
    /// Absent where the field is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Value>,
    /// Absent where the field is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Value>,
}

/// The smallest fields that differ. Lists of different lengths differ as a whole: which of their items is which, only their
/// owner knows.
pub(crate) fn compare(before: &Value, after: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    walk(&mut Pointer::default(), Some(before), Some(after), &mut fields);
    fields
}

fn walk(path: &mut Pointer, before: Option<&Value>, after: Option<&Value>, fields: &mut Vec<Field>) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                path.push(key);
                walk(path, old.get(key), new.get(key), fields);
                path.pop();
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate() {
                path.push(&number.to_string());
                walk(path, Some(old), Some(new), fields);
                path.pop();
            }
        }
        _ if before == after => {}
        _ => fields.push(Field {
            path: path.as_str().to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_smallest_field_that_differs_is_named_once() {
        for (before, after, expected) in [
            (json!({"a": 1}), json!({"a": 1}), json!([])),
            (
                json!({"a": {"b": 1, "c": 2}}),
                json!({"a": {"b": 3, "d": null}}),
                json!([
                    {"path": "/a/b", "before": 1, "after": 3},
                    {"path": "/a/c", "before": 2},
                    {"path": "/a/d", "after": null},
                ]),
            ),
            (
                json!({"a~/": [1, {"b": 2}]}),
                json!({"a~/": [1, {"b": 3}]}),
                json!([{"path": "/a~0~1/1/b", "before": 2, "after": 3}]),
            ),
            (
                json!({"a": [1]}),
                json!({"a": [0, 1]}),
                json!([{"path": "/a", "before": [1], "after": [0, 1]}]),
            ),
            (
                json!({"a": []}),
                json!({"a": {}}),
                json!([{"path": "/a", "before": [], "after": {}}]),
            ),
        ] {
            let found = compare(&before, &after);
            assert_eq!(json!(found), expected, "{before} {after}");
        }
    }
}
