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

/// The smallest patch that makes `to` of `from`. What is null is taken for absent; a list is given as a whole.
pub fn between(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let given = |value: &&Value| !value.is_null();
    let mut patch = Map::new();
    for (key, wanted) in to.iter().filter(|(_, value)| given(value)) {
        let change = match (from.get(key).filter(given), wanted) {
            (Some(present), wanted) if present == wanted => None,
            (Some(Value::Object(present)), Value::Object(wanted)) => Some(between(present, wanted))
                .filter(|below| !below.is_empty())
                .map(Value::Object),
            (_, wanted) => Some(wanted.clone()),
        };
        patch.extend(change.map(|change| (key.clone(), change)));
    }
    let gone = from.iter().filter(|(_, value)| given(value));
    let gone = gone.filter(|(key, _)| to.get(*key).is_none_or(Value::is_null));
    patch.extend(gone.map(|(key, _)| (key.clone(), Value::Null)));
    patch
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_as_the_rfc_says() {
        for (object, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1, null]}),
                json!({"a": [1, null]}),
            ),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
            (
                json!({"a": 1}),
                json!({"a": {"b": null, "c": 1}}),
                json!({"a": {"c": 1}}),
            ),
        ] {
            let mut draft = Draft::new(object.clone());
            assert_eq!(apply(patch.as_object().expect("an object"), &mut draft), Ok(()));
            assert_eq!(draft.value(), &expected, "{patch} on {object}");
        }
    }

    #[test]
    fn only_what_differs_is_an_operation() {
        let mut draft =
            Draft::new(json!({"metadata": {"labels": {"app": "a", "old": "x"}}, "spec": {"x": 1}}));
        let patch = json!({"metadata": {"labels": {"app": "a", "old": null, "a/b": "c", "none": null}}, "spec": {"x": 1}});
        assert_eq!(apply(patch.as_object().expect("an object"), &mut draft), Ok(()));
        let expected = json!([
            {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"},
            {"op": "remove", "path": "/metadata/labels/old"},
        ]);
        assert_eq!(serde_json::to_value(draft.operations()).ok(), Some(expected));
    }

    #[test]
    fn the_patch_between_two_objects_says_what_differs_and_no_more() {
        for (from, to, expected) in [
            (json!({"a": 1}), json!({"a": 1}), json!({})),
            (json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3}), json!({"b": 3})),
            (json!({"a": 1}), json!({}), json!({"a": null})),
            (json!({}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
            (
                json!({"a": {"b": 1, "c": 2}, "d": 3}),
                json!({"a": {"b": 2}, "d": 3}),
                json!({"a": {"b": 2, "c": null}}),
            ),
            (json!({"a": [1, 2]}), json!({"a": [2]}), json!({"a": [2]})),
            (json!({"a": "x"}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
            (json!({"a": {"b": 1}}), json!({"a": "x"}), json!({"a": "x"})),
            (json!({"a": null}), json!({"b": null}), json!({})),
        ] {
            let [from, to] = [&from, &to].map(|value| value.as_object().unwrap());
            assert_eq!(Value::Object(between(from, to)), expected, "{from:?} to {to:?}");
        }
    }
}
