//! JSON merge patch (RFC 7396), as the fewest operations that do it.

use serde_json::{Map, Value};

use super::{Draft, EditError, Pointer};

/// Merges the members of a patch into the object: null deletes, objects are merged, all else is replaced.
pub fn apply(patch: &Map<String, Value>, draft: &mut Draft) -> Result<(), EditError> {
    merge(patch, &mut Pointer::default(), draft)
}

fn merge(patch: &Map<String, Value>, place: &mut Pointer, draft: &mut Draft) -> Result<(), EditError> {
    for (key, wanted) in patch {
        place.push(key);
        let present = place.lookup(draft.value()).ok();
        match (present, wanted) {
            (None, Value::Null) => {}
            (Some(_), Value::Null) => draft.remove(place)?,
            (Some(Value::Object(_)), Value::Object(wanted)) => merge(wanted, place, draft)?,
            (Some(_), _) => draft.replace(place, without_nulls(wanted))?,
            (None, _) => draft.add(place, without_nulls(wanted))?,
        }
        place.pop();
    }
    Ok(())
}

/// What a merge into nothing makes of a value: nulls have nothing to delete.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
