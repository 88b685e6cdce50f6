//! Which objects of a point a restore takes.

use std::collections::{BTreeMap, BTreeSet};

use crate::inclusion::{ClusterScope, Kind, Types};
use crate::object::ObjectId;
use crate::selection::Filter;

/// The filters of a restore; all of them have to hold.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The original namespaces, and which objects by their labels.
    pub filter: Filter,
    /// The kinds.
    pub types: Types,
    /// What of the objects outside of namespaces.
    pub cluster_scope: ClusterScope,
    /// If any is named: these alone.
    pub objects: BTreeSet<ObjectId>,
}

/// Whether an object is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// If what is taken needs it.
    IfNeeded,
}

impl Choice {
    /// Whether an object of the point is taken.
    pub fn takes(&self, object: &ObjectId, labels: &BTreeMap<String, String>) -> Taken {
        let named = self.objects.contains(object);
        if object.kind == Kind::namespaces() {
            return self.takes_namespace(object, labels);
        }
        if !self.types.takes(&object.kind) || !(named || self.objects.is_empty()) {
            return self.takes_definition(object);
        }
        let selected = self.filter.labels.selects(labels);
        match &object.namespace {
            Some(namespace) if !self.filter.namespaces.takes(namespace) => Taken::No,
            // A pod may need it.
            Some(_) if !selected && object.kind == Kind::claims() => Taken::IfNeeded,
            Some(_) => yes(selected),
            None if named => yes(selected),
            None => match self.cluster_scope {
                ClusterScope::All if selected => Taken::Yes,
                ClusterScope::All | ClusterScope::Belonging => Taken::IfNeeded,
                ClusterScope::None => Taken::No,
            },
        }
    }

    /// A Namespace is taken when it is meant itself, and with what is taken of it.
    fn takes_namespace(&self, namespace: &ObjectId, labels: &BTreeMap<String, String>) -> Taken {
        if self.types.excludes(&namespace.kind) || !self.filter.namespaces.takes(&namespace.name) {
            return Taken::No;
        }
        let named = self.objects.is_empty() || self.objects.contains(namespace);
        if named && self.types.takes(&namespace.kind) && self.filter.labels.selects(labels) {
            Taken::Yes
        } else {
            Taken::IfNeeded
        }
    }

    /// Without its definition no object of a custom kind can be: it comes along unless it is left out by name.
    fn takes_definition(&self, object: &ObjectId) -> Taken {
        let is_out = self.types.excludes(&object.kind) || self.cluster_scope == ClusterScope::None;
        if object.kind == Kind::definitions() && !is_out {
            Taken::IfNeeded
        } else {
            Taken::No
        }
    }
}

const fn yes(taken: bool) -> Taken {
    if taken { Taken::Yes } else { Taken::No }
}

#[cfg(test)]
mod tests {
    use super::super::sample::id;
    use super::*;
    use crate::selection::Namespaces;
    use crate::selection::sample::labels;
    use crate::selector::{LabelSelector, Operator, Requirement};

    const CONFIG: &str = "configmaps";
    const ROLE: &str = "clusterroles.rbac.authorization.k8s.io";
    const DEFINITION: &str = "customresourcedefinitions.apiextensions.k8s.io";

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    fn choice(namespaces: &[&str], types: (&[&str], &[&str]), said: Option<bool>) -> Choice {
        let filter = Filter {
            namespaces: Namespaces::parse(&texts(namespaces), &[]).unwrap(),
            labels: LabelSelector::default(),
        };
        Choice {
            cluster_scope: ClusterScope::of(said, &filter),
            filter,
            types: Types::parse(&texts(types.0), &texts(types.1)).unwrap(),
            objects: BTreeSet::new(),
        }
    }

    fn only_web(choice: Choice) -> Choice {
        let web = Operator::In(vec!["web".to_owned()]);
        let labels = LabelSelector::new(vec![Requirement::new("app".to_owned(), web).unwrap()]);
        Choice {
            filter: Filter {
                labels,
                ..choice.filter
            },
            ..choice
        }
    }

    fn only(objects: &[ObjectId]) -> Choice {
        Choice {
            objects: objects.iter().cloned().collect(),
            ..choice(&[], (&[], &[]), None)
        }
    }

    #[test]
    fn all_six_filters_have_to_hold() {
        use Taken::{IfNeeded, No, Yes};
        let everything = || choice(&[], (&[], &[]), None);
        let shop = |said| choice(&["shop"], (&[], &[]), said);
        for (choice, kind, name, expected) in [
            (everything(), CONFIG, "shop/web", Yes),
            (everything(), ROLE, "reader", Yes),
            (everything(), CONFIG, "kube-system/web", No),
            (shop(None), CONFIG, "shop/web", Yes),
            (shop(None), CONFIG, "bank/web", No),
            (shop(None), "namespaces", "shop", Yes),
            (shop(None), "namespaces", "bank", No),
            (shop(None), ROLE, "reader", IfNeeded),
            (shop(Some(true)), ROLE, "reader", Yes),
            (shop(Some(false)), ROLE, "reader", No),
            (shop(Some(false)), "namespaces", "shop", Yes),
            (choice(&[], (&["secrets"], &[]), None), CONFIG, "shop/web", No),
            (
                choice(&[], (&["secrets"], &[]), None),
                "namespaces",
                "shop",
                IfNeeded,
            ),
            (
                choice(&[], (&["widgets"], &[]), None),
                DEFINITION,
                "widgets.example.com",
                IfNeeded,
            ),
            (choice(&[], (&[], &["configmaps"]), None), CONFIG, "shop/web", No),
            (
                choice(&[], (&[], &["namespaces"]), None),
                "namespaces",
                "shop",
                No,
            ),
            (
                choice(&[], (&[], &["customresource*"]), None),
                DEFINITION,
                "widgets.example.com",
                No,
            ),
            (only_web(everything()), CONFIG, "shop/web", No),
            (only_web(everything()), "namespaces", "shop", IfNeeded),
            (
                only_web(everything()),
                "persistentvolumeclaims",
                "shop/data",
                IfNeeded,
            ),
            (only_web(everything()), ROLE, "reader", IfNeeded),
        ] {
            let taken = choice.takes(&id(kind, name), &BTreeMap::new());
            assert_eq!(taken, expected, "{kind} {name} by {choice:?}");
        }
        let web = labels(&[("app", "web")]);
        assert_eq!(only_web(everything()).takes(&id(CONFIG, "shop/web"), &web), Yes);
    }

    #[test]
    fn named_objects_are_taken_alone_with_what_they_can_not_be_without() {
        use Taken::{IfNeeded, No, Yes};
        let choice = only(&[id(CONFIG, "shop/web"), id(ROLE, "reader")]);
        for (kind, name, expected) in [
            (CONFIG, "shop/web", Yes),
            (CONFIG, "shop/db", No),
            (CONFIG, "bank/web", No),
            (ROLE, "reader", Yes),
            (ROLE, "writer", No),
            ("namespaces", "shop", IfNeeded),
            (DEFINITION, "widgets.example.com", IfNeeded),
        ] {
            let taken = choice.takes(&id(kind, name), &BTreeMap::new());
            assert_eq!(taken, expected, "{kind} {name}");
        }
    }
}
