//! Turning the object of a draft into another one, by edits no larger than what differs.

use serde_json::Value;

use super::{Draft, EditError, Pointer};

/// Where there would be more edits below one place, it is replaced as a whole: an object takes only so many.
const MANY: usize = 50;

/// Makes the draft equal to `target`.
pub fn rewrite(draft: &mut Draft, target: &Value) -> Result<(), EditError> {
    let mut edits = Vec::new();
    compare(draft.value(), target, &mut Pointer::default(), &mut edits);
    for Edit { place, change } in edits {
        match change {
            Change::Add(value) => draft.add(&place, value)?,
            Change::Replace(value) => draft.replace(&place, value)?,
            Change::Remove => draft.remove(&place)?,
        }
    }
    Ok(())
}

struct Edit {
    place: Pointer,
    change: Change,
}

enum Change {
    Add(Value),
    Replace(Value),
    Remove,
}

fn compare(from: &Value, to: &Value, place: &mut Pointer, edits: &mut Vec<Edit>) {
    if from == to {
        return;
    }
    let before = edits.len();
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            for key in from.keys().filter(|key| !to.contains_key(*key)) {
                note(key, Change::Remove, place, edits);
            }
            for (key, value) in to {
                match from.get(key) {
                    Some(old) => below(key, place, |place| compare(old, value, place, edits)),
                    None => note(key, Change::Add(value.clone()), place, edits),
                }
            }
        }
        (Value::Array(from), Value::Array(to)) => {
            for (index, (old, value)) in from.iter().zip(to).enumerate() {
                below(&index.to_string(), place, |place| {
                    compare(old, value, place, edits);
                });
            }
            for index in (to.len()..from.len()).rev() {
                note(&index.to_string(), Change::Remove, place, edits);
            }
            for (index, value) in to.iter().enumerate().skip(from.len()) {
                note(&index.to_string(), Change::Add(value.clone()), place, edits);
            }
        }
        _ => edits.push(replacement(place, to)),
    }
    if edits.len() - before > MANY && !place.is_root() {
        edits.truncate(before);
        edits.push(replacement(place, to));
    }
}

fn replacement(place: &Pointer, value: &Value) -> Edit {
    Edit {
        place: place.clone(),
        change: Change::Replace(value.clone()),
    }
}

fn note(token: &str, change: Change, place: &mut Pointer, edits: &mut Vec<Edit>) {
    below(token, place, |place| {
        edits.push(Edit {
            place: place.clone(),
            change,
        });
    });
}

fn below(token: &str, place: &mut Pointer, act: impl FnOnce(&mut Pointer)) {
    place.push(token);
    act(place);
    place.pop();
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn the_edits_are_no_larger_than_what_differs() {
        for (from, to, operations) in [
            (json!({"a": 1}), json!({"a": 1}), json!([])),
            (
                json!({"a": {"b": 1, "c": 2}, "d": null}),
                json!({"a": {"b": 2, "e": {}}}),
                json!([
                    {"op": "remove", "path": "/d"},
                    {"op": "remove", "path": "/a/c"},
                    {"op": "replace", "path": "/a/b", "value": 2},
                    {"op": "add", "path": "/a/e", "value": {}},
                ]),
            ),
            (
                json!({"l": [1, {"x": 1}, 3]}),
                json!({"l": [1, {"x": 2}, 3, 4]}),
                json!([
                    {"op": "replace", "path": "/l/1/x", "value": 2},
                    {"op": "add", "path": "/l/3", "value": 4},
                ]),
            ),
            (
                json!({"l": [1, 2, 3]}),
                json!({"l": [1]}),
                json!([{"op": "remove", "path": "/l/2"}, {"op": "remove", "path": "/l/1"}]),
            ),
            (
                json!({"a": []}),
                json!({"a": {}}),
                json!([{"op": "replace", "path": "/a", "value": {}}]),
            ),
        ] {
            let mut draft = Draft::new(from);
            assert_eq!(rewrite(&mut draft, &to), Ok(()));
            assert_eq!(draft.value(), &to);
            assert_eq!(serde_json::to_value(draft.operations()).ok(), Some(operations));
        }
    }

    #[test]
    fn where_much_differs_the_place_is_replaced_as_a_whole() {
        let keys = || (0..2000).map(|number| (number.to_string(), json!(number)));
        let to = json!({"data": keys().collect::<Map<_, _>>(), "kept": 1});
        let mut draft = Draft::new(json!({"data": {"0": 0}, "kept": 1}));
        assert_eq!(rewrite(&mut draft, &to), Ok(()));
        assert_eq!((draft.value(), draft.operations().len()), (&to, 1));
    }
}
