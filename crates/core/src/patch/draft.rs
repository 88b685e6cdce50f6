//! The working copy of one object. Every edit is written down twice: as the operation that repeats it
//! (RFC 6902, only `add`, `remove` and `replace`) and as its inverse, so that nothing has to be compared or
//! copied to know what was changed or to take it back.

use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Map, Value};

use super::pointer::{self, LookupError, Pointer};

/// Operations that one object may take.
pub const MAX_OPERATIONS: usize = 1000;
/// Bytes that all edits together may write: what the API server takes as a request at most, and what stops a chain
/// of copies that doubles the object each time.
pub const MAX_WRITTEN: usize = 3 << 20;

/// An object under change.
#[derive(Debug)]
pub struct Draft {
    value: Value,
    operations: Vec<PatchOperation>,
    /// Takes back the operation of the same index.
    inverses: Vec<Inverse>,
    written: usize,
}

#[derive(Debug)]
enum Inverse {
    /// Of `add`.
    Remove,
    /// Of `remove`.
    Insert(Value),
    /// Of `replace`.
    Restore(Value),
}

/// A state of a draft to which it can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Savepoint {
    operations: usize,
    written: usize,
}

/// Why an edit can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The path leads nowhere.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The whole object would be replaced.
    #[error("the object as a whole can't be replaced or removed")]
    Root,
    /// More than [`MAX_OPERATIONS`].
    #[error("more than {MAX_OPERATIONS} changes to one object")]
    TooManyOperations,
    /// More than [`MAX_WRITTEN`].
    #[error("the changes to one object write more than {MAX_WRITTEN} bytes")]
    TooLarge,
}

impl Draft {
    /// Starts with the object as it is.
    pub const fn new(value: Value) -> Self {
        Self {
            value,
            operations: Vec::new(),
            inverses: Vec::new(),
            written: 0,
        }
    }

    /// The object as changed so far.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// What turns the original object into the present one.
    pub fn operations(&self) -> &[PatchOperation] {
        &self.operations
    }

    /// The object and the operations that made it.
    pub fn into_parts(self) -> (Value, Vec<PatchOperation>) {
        (self.value, self.operations)
    }

    /// Remembers the present state.
    pub const fn savepoint(&self) -> Savepoint {
        Savepoint {
            operations: self.operations.len(),
            written: self.written,
        }
    }

    /// Takes back everything since the savepoint.
    pub fn rollback(&mut self, savepoint: Savepoint) {
        while self.operations.len() > savepoint.operations {
            let (Some(operation), Some(inverse)) = (self.operations.pop(), self.inverses.pop()) else {
                break;
            };
            self.take_back(&Pointer::from(operation.path()), inverse);
        }
        self.written = savepoint.written;
    }

    /// Inserts a value: as a member, in the place of one of that name, or into an array before the index.
    pub fn add(&mut self, path: &Pointer, value: Value) -> Result<(), EditError> {
        let path = path.settled_for_insertion(&self.value)?;
        let written = self.charge(&value)?;
        let (parent, last) = parent_mut(&mut self.value, &path)?;
        let copy = match parent {
            Value::Object(members) if members.contains_key(last) => return self.replace(&path, value),
            Value::Object(members) => members.entry(last).or_insert(value).clone(),
            Value::Array(items) => {
                let index = pointer::index(last, items.len() + 1)?;
                items.insert(index, value);
                items[index].clone()
            }
            _ => return Err(LookupError::MissingParent.into()),
        };
        let operation = AddOperation {
            path: path.to_buf(),
            value: copy,
        };
        self.log(PatchOperation::Add(operation), Inverse::Remove, written);
        Ok(())
    }

    /// Replaces a value that is there.
    pub fn replace(&mut self, path: &Pointer, value: Value) -> Result<(), EditError> {
        let path = path.settled_for_access(&self.value)?;
        let written = self.charge(&value)?;
        let (parent, last) = parent_mut(&mut self.value, &path)?;
        let present = member_mut(parent, last)?;
        if *present == value {
            return Ok(());
        }
        let operation = ReplaceOperation {
            path: path.to_buf(),
            value: value.clone(),
        };
        let old = std::mem::replace(present, value);
        self.log(PatchOperation::Replace(operation), Inverse::Restore(old), written);
        Ok(())
    }

    /// Removes a value that is there.
    pub fn remove(&mut self, path: &Pointer) -> Result<(), EditError> {
        let path = path.settled_for_access(&self.value)?;
        let written = self.charge(&Value::Null)?;
        let (parent, last) = parent_mut(&mut self.value, &path)?;
        let old = match parent {
            Value::Object(members) => members.remove(last).ok_or(LookupError::MissingKey)?,
            Value::Array(items) => items.remove(pointer::index(last, items.len())?),
            _ => return Err(LookupError::MissingParent.into()),
        };
        let operation = RemoveOperation { path: path.to_buf() };
        self.log(PatchOperation::Remove(operation), Inverse::Insert(old), written);
        Ok(())
    }

    /// Gives a member its value, whether it and the objects above it are there or not.
    pub fn set(&mut self, path: &Pointer, value: Value) -> Result<(), EditError> {
        let mut place = Pointer::default();
        for (depth, token) in path.tokens().iter().enumerate() {
            place.push(token);
            // A null stands for an absent object in what clients send.
            let absent = place
                .lookup(&self.value)
                .map_or_else(|error| error == LookupError::MissingKey, Value::is_null);
            if absent {
                let inner = path.tokens()[depth + 1..].iter().rev();
                let value = inner.fold(value, |value, token| {
                    Value::Object(Map::from_iter([(token.clone(), value)]))
                });
                return self.add(&place, value);
            }
        }
        self.replace(path, value)
    }

    /// Refuses what goes beyond the limits; returns what will have been written.
    fn charge(&self, value: &Value) -> Result<usize, EditError> {
        let written = self.written + size(value);
        if self.operations.len() >= MAX_OPERATIONS {
            Err(EditError::TooManyOperations)
        } else if written > MAX_WRITTEN {
            Err(EditError::TooLarge)
        } else {
            Ok(written)
        }
    }

    fn log(&mut self, operation: PatchOperation, inverse: Inverse, written: usize) {
        self.operations.push(operation);
        self.inverses.push(inverse);
        self.written = written;
    }

    fn take_back(&mut self, path: &Pointer, inverse: Inverse) {
        let Ok((parent, last)) = parent_mut(&mut self.value, path) else {
            return;
        };
        match (parent, inverse) {
            (Value::Object(members), Inverse::Remove) => {
                members.remove(last);
            }
            (Value::Object(members), Inverse::Insert(old) | Inverse::Restore(old)) => {
                members.insert(last.to_owned(), old);
            }
            (Value::Array(items), inverse) => {
                let Ok(index) = last.parse::<usize>() else { return };
                match inverse {
                    Inverse::Remove => drop(items.remove(index)),
                    Inverse::Insert(old) => items.insert(index, old),
                    Inverse::Restore(old) => items[index] = old,
                }
            }
            _ => {}
        }
    }
}

fn parent_mut<'v, 'p>(
    document: &'v mut Value,
    path: &'p Pointer,
) -> Result<(&'v mut Value, &'p str), EditError> {
    let (last, parents) = path.tokens().split_last().ok_or(EditError::Root)?;
    let mut parent = document;
    for token in parents {
        parent = member_mut(parent, token).map_err(|_| LookupError::MissingParent)?;
    }
    Ok((parent, last))
}

fn member_mut<'v>(parent: &'v mut Value, token: &str) -> Result<&'v mut Value, LookupError> {
    match parent {
        Value::Object(members) => members.get_mut(token).ok_or(LookupError::MissingKey),
        Value::Array(items) => {
            let index = pointer::index(token, items.len())?;
            items.get_mut(index).ok_or(LookupError::OutOfRange)
        }
        _ => Err(LookupError::MissingParent),
    }
}

/// About what a value takes as JSON.
fn size(value: &Value) -> usize {
    const SCALAR: usize = 8;
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(members) => {
            2 + members
                .iter()
                .map(|(key, value)| key.len() + 4 + size(value))
                .sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => SCALAR,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Pointer {
        Pointer::parse(text).expect(text)
    }

    #[test]
    fn operations_are_normalised() {
        let mut draft = Draft::new(json!({"a": 1, "list": [1, 2], "-1": 0}));
        let edits: Result<Vec<()>, EditError> = [
            draft.add(&at("/a"), json!(2)),
            draft.add(&at("/list/-"), json!(3)),
            draft.add(&at("/list/-1"), json!(4)),
            draft.add(&at("/list/-2"), json!(5)),
            draft.replace(&at("/list/-1"), json!(6)),
            draft.remove(&at("/list/-5")),
            draft.replace(&at("/-1"), json!(1)),
        ]
        .into_iter()
        .collect();
        assert!(edits.is_ok());
        let (value, operations) = draft.into_parts();
        assert_eq!(value, json!({"a": 2, "list": [2, 3, 5, 6], "-1": 1}));
        let expected = json!([
            {"op": "replace", "path": "/a", "value": 2},
            {"op": "add", "path": "/list/2", "value": 3},
            {"op": "add", "path": "/list/3", "value": 4},
            {"op": "add", "path": "/list/3", "value": 5},
            {"op": "replace", "path": "/list/4", "value": 6},
            {"op": "remove", "path": "/list/0"},
            {"op": "replace", "path": "/-1", "value": 1},
        ]);
        assert_eq!(serde_json::to_value(operations).ok(), Some(expected));
    }

    #[test]
    fn what_changes_nothing_is_no_operation() {
        let mut draft = Draft::new(json!({"a": {"b": [1]}}));
        for edit in [
            draft.add(&at("/a/b"), json!([1])),
            draft.replace(&at("/a/b/0"), json!(1)),
            draft.set(&at("/a/b"), json!([1])),
        ] {
            assert_eq!(edit, Ok(()));
        }
        assert!(draft.operations().is_empty());
    }

    #[test]
    fn set_creates_what_is_missing_above() {
        for (object, operation) in [
            (
                json!({"a": {"b": {}}}),
                json!({"op": "add", "path": "/a/b/c", "value": 1}),
            ),
            (
                json!({"a": {"b": {"c": 2}}}),
                json!({"op": "replace", "path": "/a/b/c", "value": 1}),
            ),
            (
                json!({"a": {}}),
                json!({"op": "add", "path": "/a/b", "value": {"c": 1}}),
            ),
            (
                json!({}),
                json!({"op": "add", "path": "/a", "value": {"b": {"c": 1}}}),
            ),
            (
                json!({"a": null}),
                json!({"op": "replace", "path": "/a", "value": {"b": {"c": 1}}}),
            ),
        ] {
            let mut draft = Draft::new(object.clone());
            assert_eq!(draft.set(&at("/a/b/c"), json!(1)), Ok(()), "{object}");
            assert_eq!(
                serde_json::to_value(draft.operations()).ok(),
                Some(json!([operation])),
                "{object}"
            );
            assert_eq!(draft.value().pointer("/a/b/c"), Some(&json!(1)));
        }
        let mut draft = Draft::new(json!({"a": [1]}));
        assert_eq!(
            draft.set(&at("/a/b"), json!(1)),
            Err(LookupError::NotAnIndex.into())
        );
    }

    #[test]
    fn a_rollback_restores_object_operations_and_budget() {
        let original = json!({"a": [1, 2, 3], "b": {"c": 1}});
        let mut draft = Draft::new(original.clone());
        assert_eq!(draft.replace(&at("/b/c"), json!(0)), Ok(()));
        let (kept, savepoint) = (draft.value().clone(), draft.savepoint());
        for edit in [
            draft.remove(&at("/a/0")),
            draft.add(&at("/a/1"), json!("x")),
            draft.replace(&at("/a/0"), json!(null)),
            draft.remove(&at("/b")),
            draft.add(&at("/d"), json!({})),
        ] {
            assert_eq!(edit, Ok(()));
        }
        draft.rollback(savepoint);
        assert_eq!(
            (draft.value(), draft.savepoint(), draft.operations().len()),
            (&kept, savepoint, 1)
        );
    }

    #[test]
    fn growth_is_bounded() {
        let mut draft = Draft::new(json!({}));
        let big = json!("x".repeat(MAX_WRITTEN));
        assert_eq!(draft.add(&at("/a"), big), Err(EditError::TooLarge));
        let edits = (0..=MAX_OPERATIONS).map(|number| draft.add(&at("/a"), json!(number)));
        assert_eq!(
            edits.collect::<Result<Vec<_>, _>>(),
            Err(EditError::TooManyOperations)
        );
        assert_eq!(draft.operations().len(), MAX_OPERATIONS);
    }

    #[test]
    fn the_object_as_a_whole_stays() {
        let mut draft = Draft::new(json!({"a": 1}));
        let root = Pointer::default();
        assert_eq!(draft.add(&root, json!({})), Err(EditError::Root));
        assert_eq!(draft.replace(&root, json!({})), Err(EditError::Root));
        assert_eq!(draft.set(&root, json!({})), Err(EditError::Root));
        assert_eq!(draft.remove(&root), Err(EditError::Root));
    }
}
