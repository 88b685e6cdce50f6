//! What Secrets hold is shown by nothing, unless it is asked for.
//!
//! A rule can copy a value out of `data`, into a label say, so that values are hidden wherever they stand in the
//! object, not only where Secrets keep them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use json_patch::PatchOperation;
use serde_json::Value;

/// What is shown instead.
const MASK: &str = "***";
const MASK_BEFORE: &str = "*** (before)";
const MASK_AFTER: &str = "*** (after)";

/// Where `kubectl apply` writes the whole object down.
const LAST_APPLIED: [&str; 3] = [
    "metadata",
    "annotations",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// What tells Secrets apart and hides nothing, even where a value happens to be the same.
const IDENTITY: [&[&str]; 6] = [
    &["apiVersion"],
    &["kind"],
    &["type"],
    &["metadata", "name"],
    &["metadata", "generateName"],
    &["metadata", "namespace"],
];

/// A text that is this long is hidden wherever it occurs; a shorter one only where it stands alone.
const LONG: usize = 4;

/// Hides the values of one Secret, in all its states.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    is_secret: bool,
    values: BTreeSet<String>,
    /// What its [`IDENTITY`] is as it came, before any rule.
    identity: BTreeSet<String>,
}

impl Mask {
    /// For an object in these states, the first as it came. It hides nothing unless the object is a Secret.
    pub(crate) fn of<'v>(states: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut mask = Self::default();
        for state in states.into_iter().filter(|state| is_secret(state)) {
            if !mask.is_secret {
                let texts = IDENTITY.iter().filter_map(|place| at(state, place)?.as_str());
                mask.identity = texts.map(str::to_owned).collect();
            }
            mask.is_secret = true;
            mask.learn(state);
        }
        mask
    }

    /// Hides nothing.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Learns what else the rules write into the Secret.
    pub(crate) fn learn_operations(&mut self, operations: &[PatchOperation]) {
        if !self.is_secret {
            return;
        }
        for operation in operations {
            if let (path, Some(value)) = parts(operation)
                && is_hidden(&path)
            {
                self.learn_values(value);
            }
        }
    }

    fn learn(&mut self, secret: &Value) {
        for field in ["data", "stringData"] {
            self.learn_values(&secret[field]);
        }
        if let Some(applied) = at(secret, &LAST_APPLIED).and_then(Value::as_str)
            && let Ok(applied) = serde_json::from_str::<Value>(applied)
        {
            for field in ["data", "stringData"] {
                self.learn_values(&applied[field]);
            }
        }
    }

    fn learn_values(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn_values(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn_values(member)),
            Value::String(text) if !text.is_empty() => {
                let decoded = BASE64
                    .decode(text)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                self.values.extend(decoded.filter(|decoded| !decoded.is_empty()));
                self.values.insert(text.clone());
            }
            _ => {}
        }
    }

    /// The object as it may be shown.
    pub(crate) fn object(&self, object: &Value) -> Value {
        self.value(&[], object)
    }

    /// A value at a place of the object, as it may be shown.
    pub(crate) fn value(&self, place: &[String], value: &Value) -> Value {
        if !self.is_secret {
            return value.clone();
        }
        let mut value = value.clone();
        self.hide(&mut place.to_vec(), &mut value);
        value
    }

    /// An operation as it may be shown.
    pub(crate) fn operation(&self, operation: &PatchOperation) -> Value {
        let mut shown = serde_json::to_value(operation).unwrap_or_default();
        if let (path, Some(value)) = parts(operation) {
            shown["value"] = self.value(&path, value);
        }
        shown
    }

    /// What is said of the object, as it may be shown.
    pub(crate) fn text(&self, text: &str) -> String {
        let long = self
            .values
            .iter()
            .filter(|value| value.len() >= LONG && !self.identity.contains(*value));
        long.fold(text.to_owned(), |text, value| text.replace(value.as_str(), MASK))
    }

    /// Two states of the object as they may be shown beside each other: what is hidden and differs says so.
    pub(crate) fn pair(&self, before: &Value, after: &Value) -> (Value, Value) {
        let (mut shown_before, mut shown_after) = (self.object(before), self.object(after));
        tell_apart((before, &mut shown_before), (after, &mut shown_after));
        (shown_before, shown_after)
    }

    fn hide(&self, place: &mut Vec<String>, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    place.push(key.clone());
                    self.hide(place, member);
                    place.pop();
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    place.push(index.to_string());
                    self.hide(place, item);
                    place.pop();
                }
            }
            Value::Null => {}
            _ if is_hidden(place) => *value = MASK.into(),
            Value::String(text) if self.is_identity(place, text) => {}
            Value::String(text) if self.holds_secret(text) => *value = MASK.into(),
            _ => {}
        }
    }

    fn is_identity(&self, place: &[String], text: &str) -> bool {
        self.identity.contains(text) && IDENTITY.iter().any(|identity| place == *identity)
    }

    fn holds_secret(&self, text: &str) -> bool {
        self.values.contains(text)
            || self
                .values
                .iter()
                .any(|value| value.len() >= LONG && text.contains(value))
    }
}

/// What `kind: Secret` says, whatever else the object says.
fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret" && object["apiVersion"] == "v1"
}

fn at<'v>(object: &'v Value, place: &[&str]) -> Option<&'v Value> {
    place.iter().try_fold(object, |value, key| value.get(key))
}

/// Whether a place in a Secret is none to be shown.
fn is_hidden(place: &[String]) -> bool {
    let holds = place
        .first()
        .is_some_and(|field| field == "data" || field == "stringData");
    holds || place.iter().map(String::as_str).eq(LAST_APPLIED)
}

fn parts(operation: &PatchOperation) -> (Vec<String>, Option<&Value>) {
    let value = match operation {
        PatchOperation::Add(operation) => Some(&operation.value),
        PatchOperation::Replace(operation) => Some(&operation.value),
        PatchOperation::Test(operation) => Some(&operation.value),
        PatchOperation::Remove(_) | PatchOperation::Move(_) | PatchOperation::Copy(_) => None,
    };
    let tokens = operation.path().tokens();
    (tokens.map(|token| token.decoded().into_owned()).collect(), value)
}

/// Marks what is hidden in both states and differs.
fn tell_apart(before: (&Value, &mut Value), after: (&Value, &mut Value)) {
    match (before.1, after.1) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, new) in new {
                if let (Some(old), Some(was), Some(is)) =
                    (old.get_mut(key), before.0.get(key), after.0.get(key))
                {
                    tell_apart((was, old), (is, new));
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (index, (old, new)) in old.iter_mut().zip(new).enumerate() {
                tell_apart((&before.0[index], old), (&after.0[index], new));
            }
        }
        (old, new) if old == MASK && new == MASK && before.0 != after.0 => {
            *old = MASK_BEFORE.into();
            *new = MASK_AFTER.into();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret() -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": "till",
                "labels": {"copied": "Y2FuYXJ5", "short": "b", "plain": "x"},
                "annotations": {
                    "told": "the value is canary!",
                    "kubectl.kubernetes.io/last-applied-configuration": "{\"stringData\":{\"x\":\"formerly\"}}",
                    "was": "formerly"
                }
            },
            "data": {"key": "Y2FuYXJ5", "short": "Yg==", "number": 7, "null": null}
        })
    }

    #[test]
    fn what_a_secret_holds_is_hidden_wherever_it_stands() {
        let shown = Mask::of([&secret()]).object(&secret());
        let expected = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": "till",
                "labels": {"copied": "***", "short": "***", "plain": "x"},
                "annotations": {
                    "told": "***",
                    "kubectl.kubernetes.io/last-applied-configuration": "***",
                    "was": "***"
                }
            },
            "data": {"key": "***", "short": "***", "number": "***", "null": null}
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_a_secret_is_called_is_shown_as_it_came() {
        let mut secret = secret();
        secret["metadata"]["name"] = json!("canary");
        let mut renamed = secret.clone();
        renamed["metadata"]["name"] = json!("Y2FuYXJ5");
        let mask = Mask::of([&secret, &renamed]);
        assert_eq!(mask.object(&secret)["metadata"]["name"], "canary");
        assert_eq!(mask.object(&renamed)["metadata"]["name"], "***");
    }

    #[test]
    fn other_kinds_are_shown_as_they_are() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": "canary"}});
        assert_eq!(Mask::of([&object]).object(&object), object);
        assert_eq!(Mask::none().object(&secret()), secret());
    }

    #[test]
    fn operations_and_words_hide_what_they_write() {
        let operations: Vec<PatchOperation> = serde_json::from_value(json!([
            {"op": "add", "path": "/stringData", "value": {"new": "written"}},
            {"op": "add", "path": "/metadata/labels/copy", "value": "written"},
            {"op": "remove", "path": "/data/key"},
        ]))
        .unwrap();
        let mut mask = Mask::of([&secret()]);
        mask.learn_operations(&operations);
        let shown: Vec<_> = operations
            .iter()
            .map(|operation| mask.operation(operation))
            .collect();
        let expected = json!([
            {"op": "add", "path": "/stringData", "value": {"new": "***"}},
            {"op": "add", "path": "/metadata/labels/copy", "value": "***"},
            {"op": "remove", "path": "/data/key"},
        ]);
        assert_eq!(json!(shown), expected);
        assert_eq!(mask.text("it is canary, of b"), "it is ***, of b");
    }

    #[test]
    fn of_two_states_what_differs_can_be_told() {
        let mut after = secret();
        after["data"]["key"] = json!("b3RoZXI=");
        after["data"]["added"] = json!("bmV3");
        let (before, after) = Mask::of([&secret(), &after]).pair(&secret(), &after);
        assert_eq!(before["data"]["key"], "*** (before)");
        assert_eq!(after["data"]["key"], "*** (after)");
        assert_eq!(
            (&before["data"]["short"], &after["data"]["short"]),
            (&json!("***"), &json!("***"))
        );
        assert_eq!(after["data"]["added"], "***");
    }
}
