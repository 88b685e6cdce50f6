//! Values of a patch that meet nothing they could be merged with.

use serde_json::{Map, Value};

use super::Metadata;
use super::directive::{self, is_directive};

/// A value for a field that isn't there, or holds something of another kind: nulls have nothing to delete, and an
/// object that carries `$patch` goes with its key.
pub(super) fn fresh(value: &Value, metadata: Metadata<'_>) -> Option<Value> {
    match value {
        Value::Object(members) if members.contains_key(directive::PATCH) => None,
        Value::Object(members) => {
            let kept = members
                .iter()
                .filter(|(name, value)| !value.is_null() && !is_left_out(name, metadata));
            let taken =
                kept.filter_map(|(name, value)| Some((name.clone(), fresh(value, metadata.peek(name))?)));
            Some(Value::Object(taken.collect::<Map<_, _>>()))
        }
        Value::Array(items) => {
            let item = metadata.item();
            Some(items.iter().filter_map(|value| fresh(value, item)).collect())
        }
        scalar => Some(scalar.clone()),
    }
}

/// A value that takes the place of another as it is. Only directives are left out, which Kubernetes would take for
/// unknown fields.
pub(super) fn verbatim(value: &Value, metadata: Metadata<'_>) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !is_left_out(name, metadata));
            kept.map(|(name, value)| (name.clone(), verbatim(value, metadata.peek(name))))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(items) => {
            let item = metadata.item();
            items.iter().map(|value| verbatim(value, item)).collect()
        }
        scalar => scalar.clone(),
    }
}

/// Where Kubernetes doesn't look into a value, a key that looks like a directive is data.
fn is_left_out(name: &str, metadata: Metadata<'_>) -> bool {
    is_directive(name) && !metadata.is_opaque()
}
