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
