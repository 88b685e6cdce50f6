//! JSON patch (RFC 6902) with the semantics of Velero's engine.
//!
//! - `test`: a missing last key fails the test (and passes it when null is asked for); a missing parent or a
//!   bad array index is an error.
//! - Numbers are compared by value. Velero compares their texts after a round trip, by which a test for `1.0`
//!   can never hold.
//! - Negative array indexes count from the end; see [`super::pointer`].

use serde_json::Value;

use super::{Draft, EditError, LookupError, Pointer};

/// One operation of a patch.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "RFC 6902 says it")]
pub enum Operation<'a> {
    Add { path: &'a Pointer, value: &'a Value },
    Remove { path: &'a Pointer },
    Replace { path: &'a Pointer, value: &'a Value },
    Move { from: &'a Pointer, path: &'a Pointer },
    Copy { from: &'a Pointer, path: &'a Pointer },
    Test { path: &'a Pointer, value: &'a Value },
}

/// Why an operation does not go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A `test` that does not hold: the patch is meant for another object.
    #[error("the test failed")]
    TestFailed,
    /// The operation does not fit the object.
    #[error(transparent)]
    Edit(#[from] EditError),
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        Self::Edit(error.into())
    }
}

/// Applies one operation. A patch is atomic only if its caller rolls the draft back after a failure.
pub fn apply(operation: Operation<'_>, draft: &mut Draft) -> Result<(), Failure> {
    match operation {
        Operation::Add { path, value } => draft.add(path, value.clone())?,
        Operation::Replace { path, value } => draft.replace(path, value.clone())?,
        Operation::Remove { path } => draft.remove(path)?,
        Operation::Copy { from, path } => {
            let value = from.lookup(draft.value())?.clone();
            draft.add(path, value)?;
        }
        Operation::Move { from, path } => {
            let value = from.lookup(draft.value())?.clone();
            if from != path {
                draft.remove(from)?;
                draft.add(path, value)?;
            }
        }
        Operation::Test { path, value } => {
            if !test(draft.value(), path, value)? {
                return Err(Failure::TestFailed);
            }
        }
    }
    Ok(())
}

/// Whether a document holds a value at a path.
pub fn test(document: &Value, path: &Pointer, expected: &Value) -> Result<bool, LookupError> {
    match path.lookup(document) {
        Ok(present) => Ok(equal(present, expected)),
        Err(LookupError::MissingKey) => Ok(expected.is_null()),
        Err(error) => Err(error),
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            // Integers exactly; anything else as far as a float can tell.
            left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_test_holds_fails_or_is_an_error() {
        let document = json!({"s": "1", "n": 1, "f": 1.0, "null": null, "o": {"list": [1, {"a": 1}]}});
        for (path, expected, outcome) in [
            ("/n", json!(1), Ok(true)),
            ("/n", json!("1"), Ok(false)),
            ("/s", json!("1"), Ok(true)),
            ("/s", json!(1), Ok(false)),
            // By value, other than Velero.
            ("/f", json!(1), Ok(true)),
            ("/n", json!(1.5), Ok(false)),
            ("/o", json!({"list": [1.0, {"a": 1.0}]}), Ok(true)),
            ("/o/list", json!([1]), Ok(false)),
            ("/o/list/-1", json!({"a": 1}), Ok(true)),
            ("/o/missing", json!("x"), Ok(false)),
            ("/o/missing", json!(null), Ok(true)),
            ("/null", json!(null), Ok(true)),
            ("/missing/x", json!(null), Err(LookupError::MissingParent)),
            ("/o/list/7", json!(1), Err(LookupError::OutOfRange)),
            ("/o/list/-", json!(1), Err(LookupError::NotAnIndex)),
        ] {
            let path = Pointer::parse(path).expect(path);
            assert_eq!(test(&document, &path, &expected), outcome, "{path} {expected}");
        }
    }

    #[test]
    fn big_integers_are_compared_exactly() {
        assert!(!equal(
            &json!(9_007_199_254_740_993_i64),
            &json!(9_007_199_254_740_992_i64)
        ));
    }

    #[test]
    fn operations_do_what_veleros_engine_does() {
        let missing = |error: LookupError| Err(Failure::from(error));
        for (object, operation, expected) in [
            (
                json!([1, 2, 3]),
                json!({"op": "move", "from": "/l/0", "path": "/l/2"}),
                Ok(json!([2, 3, 1])),
            ),
            (
                json!([1, 2, 3]),
                json!({"op": "move", "from": "/l/-1", "path": "/l/0"}),
                Ok(json!([3, 1, 2])),
            ),
            (
                json!([1]),
                json!({"op": "move", "from": "/l/0", "path": "/l/0"}),
                Ok(json!([1])),
            ),
            (
                json!([1, 2]),
                json!({"op": "copy", "from": "/l/0", "path": "/l/1"}),
                Ok(json!([1, 1, 2])),
            ),
            (
                json!([1, 2]),
                json!({"op": "copy", "from": "/l/0", "path": "/l/2"}),
                Ok(json!([1, 2, 1])),
            ),
            (
                json!([1]),
                json!({"op": "copy", "from": "/l/0", "path": "/l/2"}),
                missing(LookupError::OutOfRange),
            ),
            (
                json!([1]),
                json!({"op": "add", "path": "/l/1", "value": 2}),
                Ok(json!([1, 2])),
            ),
            (
                json!([1]),
                json!({"op": "add", "path": "/l/2", "value": 2}),
                missing(LookupError::OutOfRange),
            ),
            (
                json!([1]),
                json!({"op": "add", "path": "/l/-1", "value": 2}),
                Ok(json!([1, 2])),
            ),
            (
                json!([1]),
                json!({"op": "add", "path": "/l/x", "value": 2}),
                missing(LookupError::NotAnIndex),
            ),
            (
                json!([1]),
                json!({"op": "replace", "path": "/l/-", "value": 2}),
                missing(LookupError::NotAnIndex),
            ),
            (
                json!([1]),
                json!({"op": "remove", "path": "/l/-"}),
                missing(LookupError::NotAnIndex),
            ),
            (
                json!({}),
                json!({"op": "remove", "path": "/l/a"}),
                missing(LookupError::MissingKey),
            ),
            (
                json!({}),
                json!({"op": "replace", "path": "/l/a", "value": 1}),
                missing(LookupError::MissingKey),
            ),
            (
                json!({}),
                json!({"op": "add", "path": "/l/a/b", "value": 1}),
                missing(LookupError::MissingParent),
            ),
            (
                json!(null),
                json!({"op": "add", "path": "/l/a", "value": 1}),
                missing(LookupError::MissingParent),
            ),
            (
                json!({}),
                json!({"op": "move", "from": "/l", "path": "/l/a"}),
                missing(LookupError::MissingParent),
            ),
            (
                json!({}),
                json!({"op": "test", "path": "/l/a", "value": 1}),
                Err(Failure::TestFailed),
            ),
        ] {
            let mut draft = Draft::new(json!({"l": object}));
            let outcome = apply_json(&operation, &mut draft).map(|()| draft.value()["l"].clone());
            assert_eq!(outcome, expected, "{operation} on {object}");
        }
    }

    fn apply_json(operation: &Value, draft: &mut Draft) -> Result<(), Failure> {
        let pointer =
            |name: &str| Pointer::parse(operation[name].as_str().unwrap_or_default()).unwrap_or_default();
        let (path, from, value) = (&pointer("path"), &pointer("from"), &operation["value"]);
        let operation = match operation["op"].as_str() {
            Some("add") => Operation::Add { path, value },
            Some("remove") => Operation::Remove { path },
            Some("replace") => Operation::Replace { path, value },
            Some("move") => Operation::Move { from, path },
            Some("copy") => Operation::Copy { from, path },
            _ => Operation::Test { path, value },
        };
        apply(operation, draft)
    }
}
