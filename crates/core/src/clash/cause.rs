//! The field that a refusal of the API server names, such as `spec.ports[0].nodePort`, compared with the places of an object.

use crate::patch::Pointer;

/// The field of a cause.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cause(Vec<String>);

impl Cause {
    /// Reads what the API server calls a field.
    pub(super) fn parse(field: &str) -> Self {
        let mut keys = Vec::new();
        for part in split(field) {
            let key = part.trim_matches(['\'', '"']);
            if !key.is_empty() {
                keys.push(key.to_owned());
            }
        }
        Self(keys)
    }

    /// Whether it speaks of the place, of what is around it or of what is in it. Which item of a list is meant isn't compared:
    /// the lists that are sent may be shorter than the ones that places are told in.
    pub(super) fn concerns(&self, place: &Pointer) -> bool {
        let is_index = |key: &str| key.parse::<usize>().is_ok();
        let same =
            |(ours, theirs): (&String, &String)| ours == theirs || (is_index(ours) && is_index(theirs));
        self.0.iter().zip(place.tokens()).all(same)
    }
}

/// The keys, split at dots that are not in brackets, and at brackets.
fn split(field: &str) -> Vec<&str> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, character) in field.char_indices() {
        let ends = match character {
            '[' => !std::mem::replace(&mut inside, true),
            ']' => std::mem::replace(&mut inside, false),
            '.' => !inside,
            _ => false,
        };
        if ends {
            parts.push(&field[start..at]);
            start = at + 1;
        }
    }
    parts.push(&field[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_the_api_server_writes_them() {
        for (field, keys) in [
            ("spec.selector", &["spec", "selector"][..]),
            ("spec.ports[0].nodePort", &["spec", "ports", "0", "nodePort"]),
            ("spec.clusterIPs[0]", &["spec", "clusterIPs", "0"]),
            ("data[tls.crt]", &["data", "tls.crt"]),
            (
                "metadata.annotations[example.com/a.b]",
                &["metadata", "annotations", "example.com/a.b"],
            ),
            ("spec.tags['x']", &["spec", "tags", "x"]),
            ("type", &["type"]),
            ("", &[]),
        ] {
            assert_eq!(Cause::parse(field).0, keys, "{field}");
        }
    }

    #[test]
    fn a_cause_concerns_what_it_names_what_is_around_and_what_is_inside() {
        for (field, place, concerns) in [
            ("spec.selector", "/spec/selector", true),
            ("spec.selector.matchLabels", "/spec/selector", true),
            ("spec", "/spec/selector", true),
            ("spec.containers[1].image", "/spec/containers/0/image", true),
            ("spec.containers[1].image", "/spec/containers/0/name", false),
            ("spec.replicas", "/spec/selector", false),
            ("metadata.name", "/spec/selector", false),
            ("", "/spec/selector", true),
        ] {
            let place = Pointer::parse(place).unwrap();
            assert_eq!(Cause::parse(field).concerns(&place), concerns, "{field} {place}");
        }
    }
}
