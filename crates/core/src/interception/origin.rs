//! The namespaces an object may come from. Rules speak of original namespaces; admission sees the one the
//! object is restored into.

use std::collections::BTreeMap;

/// The namespace mappings of a restore, inverted: from the restored to the original namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceMappings {
    originals: BTreeMap<String, Vec<String>>,
}

impl NamespaceMappings {
    /// Inverts `mappings`, pairs of an original and its restored namespace.
    pub fn invert<'a>(mappings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut originals: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (original, target) in mappings {
            originals
                .entry(target.to_owned())
                .or_default()
                .push(original.to_owned());
        }
        for sources in originals.values_mut() {
            sources.sort();
        }
        Self { originals }
    }

    /// Where an object in `namespace` may come from, in alphabetical order: what is mapped to it, else itself.
    pub fn originals<'a>(&'a self, namespace: &'a str) -> Vec<&'a str> {
        match self.originals.get(namespace) {
            Some(originals) => originals.iter().map(String::as_str).collect(),
            None => vec![namespace],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_from_what_is_mapped_to_their_namespace_else_from_itself() {
        let mappings = NamespaceMappings::invert([("shop", "staging"), ("till", "all"), ("bar", "all")]);
        for (namespace, originals) in [
            ("staging", vec!["shop"]),
            ("all", vec!["bar", "till"]),
            ("shop", vec!["shop"]),
            ("elsewhere", vec!["elsewhere"]),
        ] {
            assert_eq!(mappings.originals(namespace), originals, "{namespace}");
        }
    }
}
