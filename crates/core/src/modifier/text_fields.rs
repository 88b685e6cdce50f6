//! The fields that hold text whatever it looks like. A label `"true"` that becomes a boolean makes an object
//! that the API server refuses, or one whose labels all read as lost.

use serde_json::Value;

/// Whether an object is of a kind whose data is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    ConfigMap,
    Secret,
    Other,
}

impl Holder {
    pub(super) const ALL: [Self; 3] = [Self::ConfigMap, Self::Secret, Self::Other];

    pub(super) fn of(object: &Value) -> Self {
        let field = |name| object.get(name).and_then(Value::as_str);
        match (field("kind"), field("apiVersion")) {
            (Some("ConfigMap"), Some("v1")) => Self::ConfigMap,
            (Some("Secret"), Some("v1")) => Self::Secret,
            _ => Self::Other,
        }
    }
}

/// Whether the place is a text field: the value of a label, an annotation, an environment variable, or an
/// entry of a `ConfigMap` or Secret.
pub(super) fn is_text(holder: Holder, place: &[String]) -> bool {
    let in_data = match (holder, place) {
        (Holder::ConfigMap, [field, _]) => field == "data" || field == "binaryData",
        (Holder::Secret, [field, _]) => field == "data" || field == "stringData",
        _ => false,
    };
    let in_metadata_or_environment = match place {
        [.., metadata, map, _] if metadata == "metadata" => map == "labels" || map == "annotations",
        [.., env, index, value] => env == "env" && is_element(index) && value == "value",
        _ => false,
    };
    in_data || in_metadata_or_environment
}

/// Whether a key is the index of an array, `-` included.
fn is_element(key: &str) -> bool {
    let digits = key.strip_prefix('-').unwrap_or(key);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && !key.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fields_are_found_by_place_and_kind() {
        let all = Holder::ALL;
        for (place, expected) in [
            (&["metadata", "labels", "x"][..], [true, true, true]),
            (&["metadata", "annotations", "x"], [true, true, true]),
            (&["metadata", "annotations", "x", "y"], [false, false, false]),
            (
                &[
                    "spec",
                    "jobTemplate",
                    "spec",
                    "template",
                    "metadata",
                    "labels",
                    "x",
                ],
                [true, true, true],
            ),
            (&["labels", "x"], [false, false, false]),
            (&["data", "x"], [true, true, false]),
            (&["stringData", "x"], [false, true, false]),
            (&["binaryData", "x"], [true, false, false]),
            (&["spec", "data", "x"], [false, false, false]),
            (
                &["spec", "containers", "0", "env", "3", "value"],
                [true, true, true],
            ),
            (
                &["spec", "containers", "0", "env", "-", "value"],
                [true, true, true],
            ),
            (
                &["spec", "containers", "0", "env", "x", "value"],
                [false, false, false],
            ),
            (&["spec", "replicas"], [false, false, false]),
        ] {
            let place: Vec<_> = place.iter().map(ToString::to_string).collect();
            assert_eq!(all.map(|holder| is_text(holder, &place)), expected, "{place:?}");
        }
    }
}
