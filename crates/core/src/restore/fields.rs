//! Reading and taking out fields of objects whose shape nobody vouches for: what isn't as expected isn't there.

use serde_json::{Map, Value};

/// The text at a path, unless it is empty.
pub(super) fn text<'a>(object: &'a Value, path: &str) -> Option<&'a str> {
    let text = object.pointer(path).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// Whether there is `true` at a path.
pub(super) fn is_true(object: &Value, path: &str) -> bool {
    object.pointer(path) == Some(&Value::Bool(true))
}

/// The members of the object at a path.
pub(super) fn members<'a>(object: &'a Value, path: &str) -> Option<&'a Map<String, Value>> {
    object.pointer(path).and_then(Value::as_object)
}

/// The members of the object at a path, to be changed.
pub(super) fn members_mut<'a>(object: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    object.pointer_mut(path).and_then(Value::as_object_mut)
}

/// The items of the list at a path.
pub(super) fn items<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    let items = object.pointer(path).and_then(Value::as_array);
    items.into_iter().flatten()
}

/// The items of the list at a path, to be changed.
pub(super) fn items_mut<'a>(object: &'a mut Value, path: &str) -> impl Iterator<Item = &'a mut Value> {
    let items = object.pointer_mut(path).and_then(Value::as_array_mut);
    items.into_iter().flatten()
}

/// Takes members out of the object at a path.
pub(super) fn remove(object: &mut Value, path: &str, names: &[&str]) {
    if let Some(members) = members_mut(object, path) {
        for name in names {
            members.remove(*name);
        }
    }
}

/// Keeps some items of a list, and takes the list out when none is left of those that were there.
pub(super) fn retain(object: &mut Value, path: &str, name: &str, keep: impl FnMut(&Value) -> bool) {
    let Some(members) = members_mut(object, path) else {
        return;
    };
    let Some(Value::Array(items)) = members.get_mut(name) else {
        return;
    };
    let before = items.len();
    let mut keep = keep;
    items.retain(|item| keep(item));
    if items.is_empty() && before > 0 {
        members.remove(name);
    }
}

/// An annotation.
pub(super) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    members(object, "/metadata/annotations")?.get(name)?.as_str()
}

/// A label.
pub(super) fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    members(object, "/metadata/labels")?.get(name)?.as_str()
}
