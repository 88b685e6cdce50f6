//! The namespaces an object may come from. Rules speak of original namespaces; admission sees the one the
//! object is restored into.

use std::collections::BTreeMap;

use crate::modifier::{Rule, RuleIndex, RuleSet};

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

    /// The rules that no object can ever meet, because all namespaces they name are among `closed`, where nothing is
    /// reviewed, and none of them is mapped to another: each with what to do about it.
    pub fn unreachable(&self, rules: &RuleSet, closed: &[&str]) -> Vec<String> {
        let is_mapped = |namespace: &str| {
            self.originals.iter().any(|(target, originals)| {
                target != namespace && originals.iter().any(|original| original == namespace)
            })
        };
        let reason = |(index, rule): (RuleIndex, &Rule)| {
            let namespaces = rule.named_namespaces()?;
            let unreachable = namespaces
                .iter()
                .all(|namespace| closed.contains(namespace) && !is_mapped(namespace));
            unreachable.then(|| {
                format!(
                    "line {}: resourceModifierRules[{index}].conditions.namespaces: nothing in {} is ever reviewed; map \
                     it to another namespace in namespaceMappings, or remove it",
                    rule.line(),
                    namespaces.join(", ")
                )
            })
        };
        rules.rules().filter_map(reason).collect()
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

    #[test]
    fn a_rule_for_namespaces_that_nobody_reviews_is_told_apart() {
        let rules = RuleSet::parse(
            "
version: v1
resourceModifierRules:
- {conditions: {groupResource: pods, namespaces: [kube-system]}, patches: [{operation: remove, path: /a}]}
- {conditions: {groupResource: pods, namespaces: [kube-system, shop]}, patches: [{operation: remove, path: /a}]}
- {conditions: {groupResource: pods, namespaces: ['kube-*']}, patches: [{operation: remove, path: /a}]}
- {conditions: {groupResource: pods}, patches: [{operation: remove, path: /a}]}
",
        )
        .unwrap();
        let unreachable = |mappings: &[(&str, &str)]| {
            NamespaceMappings::invert(mappings.iter().copied()).unreachable(&rules, &["kube-system"])
        };
        let [problem] = &unreachable(&[])[..] else {
            panic!("{:?}", unreachable(&[]))
        };
        assert!(
            problem.contains("line 4") && problem.contains("kube-system"),
            "{problem}"
        );
        assert_eq!(unreachable(&[("kube-system", "copy")]), Vec::<String>::new());
    }
}
