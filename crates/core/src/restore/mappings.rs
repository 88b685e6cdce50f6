//! Where namespaces go.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::inclusion::Kind;
use crate::object::ObjectId;
use crate::selection::PROTECTED;

/// The longest name of a namespace.
const LIMIT: usize = 63;

/// The namespaces of a point that are restored into others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings(BTreeMap<String, String>);

/// Why namespaces can't be mapped so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MappingProblem {
    /// The target's name is none that Kubernetes allows.
    #[error(
        "namespaceMappings: `{target}` is no name for a namespace: at most 63 lower-case letters, digits and `-`, \
         starting and ending with a letter or digit"
    )]
    BadTarget {
        /// The target.
        target: String,
    },
    /// Nothing is ever restored into the target.
    #[error(
        "namespaceMappings: nothing is ever restored into {target}; map {source_namespace} to another namespace"
    )]
    Protected {
        /// What is mapped to it.
        source_namespace: String,
        /// The target.
        target: String,
    },
    /// One namespace can't go to two places.
    #[error(
        "namespaceMappings: {source_namespace} is mapped twice; restore it twice instead, once for each target"
    )]
    Twice {
        /// The namespace.
        source_namespace: String,
    },
}

impl Mappings {
    /// Pairs of an original namespace and the one it is restored into.
    pub fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<MappingProblem>> {
        let mut mappings = BTreeMap::new();
        let mut problems = Vec::new();
        for (source, target) in pairs {
            let (source_namespace, target) = (source.to_owned(), target.to_owned());
            if !is_namespace(&target) {
                problems.push(MappingProblem::BadTarget { target });
            } else if PROTECTED.contains(&target.as_str()) {
                problems.push(MappingProblem::Protected {
                    source_namespace,
                    target,
                });
            } else if mappings.insert(source_namespace.clone(), target).is_some() {
                problems.push(MappingProblem::Twice { source_namespace });
            }
        }
        if problems.is_empty() {
            Ok(Self(mappings))
        } else {
            Err(problems)
        }
    }

    /// Where a namespace goes: to itself, unless it is mapped.
    pub fn target<'a>(&'a self, namespace: &'a str) -> &'a str {
        self.0.get(namespace).map_or(namespace, String::as_str)
    }

    /// The namespaces that are mapped.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Where an object goes.
    pub fn place(&self, origin: &ObjectId) -> ObjectId {
        let name = if origin.kind == Kind::namespaces() {
            self.target(&origin.name)
        } else {
            &origin.name
        };
        ObjectId {
            kind: origin.kind.clone(),
            namespace: origin
                .namespace
                .as_deref()
                .map(|namespace| self.target(namespace).to_owned()),
            name: name.to_owned(),
        }
    }

    /// Of the namespaces that go where this one goes, the one whose own labels and annotations the target gets: the one
    /// that keeps its name, else the first by name.
    pub(super) fn model<'a>(&'a self, namespace: &'a str, all: &'a BTreeSet<String>) -> &'a str {
        let target = self.target(namespace);
        let mut merged = all
            .iter()
            .map(String::as_str)
            .filter(|other| self.target(other) == target);
        let keeps_its_name = all.contains(target) && self.target(target) == target;
        let model = if keeps_its_name {
            Some(target)
        } else {
            merged.next()
        };
        model.unwrap_or(namespace)
    }
}

/// Whether a namespace can have that name.
fn is_namespace(name: &str) -> bool {
    let is_inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let ends_well = !name.starts_with('-') && !name.ends_with('-');
    !name.is_empty() && name.len() <= LIMIT && ends_well && name.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::super::sample::id;
    use super::*;

    #[test]
    fn objects_go_where_their_namespace_is_mapped_and_a_namespace_is_renamed() {
        let mappings = Mappings::parse([("shop", "staging"), ("till", "staging")]).unwrap();
        for (kind, origin, target) in [
            ("configmaps", "shop/web", "staging/web"),
            ("configmaps", "till/web", "staging/web"),
            ("configmaps", "bank/web", "bank/web"),
            ("namespaces", "shop", "staging"),
            ("namespaces", "bank", "bank"),
            ("clusterroles.rbac.authorization.k8s.io", "shop", "shop"),
        ] {
            assert_eq!(
                mappings.place(&id(kind, origin)),
                id(kind, target),
                "{kind} {origin}"
            );
        }
    }

    #[test]
    fn a_mapping_that_leads_nowhere_is_refused_by_name() {
        for (pairs, expected) in [
            (&[("shop", "Staging")][..], "`Staging` is no name for a namespace"),
            (&[("shop", "")], "`` is no name for a namespace"),
            (&[("shop", "a.b")], "`a.b` is no name for a namespace"),
            (&[("shop", "-a")], "`-a` is no name for a namespace"),
            (
                &[("shop", "kube-system")],
                "nothing is ever restored into kube-system; map shop",
            ),
            (
                &[("shop", "clusterbackup-system")],
                "nothing is ever restored into clusterbackup-system",
            ),
            (&[("shop", "a"), ("shop", "b")], "shop is mapped twice"),
        ] {
            let problems = Mappings::parse(pairs.iter().copied()).unwrap_err();
            let text = problems[0].to_string();
            assert!(text.contains(expected), "{pairs:?}: {text}");
        }
    }

    #[test]
    fn of_namespaces_that_become_one_the_one_that_keeps_its_name_is_the_model() {
        let mappings = Mappings::parse([("b", "d"), ("c", "d")]).unwrap();
        for (namespace, all, expected) in [
            ("c", &["a", "b", "c"][..], "b"),
            ("b", &["b", "c", "d"], "d"),
            ("a", &["a", "b"], "a"),
        ] {
            let all = all.iter().map(ToString::to_string).collect();
            assert_eq!(mappings.model(namespace, &all), expected, "{namespace}");
        }
    }
}
