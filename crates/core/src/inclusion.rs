//! Which of a cluster's objects go into a recovery point.
//!
//! - `types`: the kinds that an instance names
//! - `kind`: the kinds that a cluster serves, and those that never go in
//! - `page`: how many objects are read at a time
//! - `belonging`: objects that go in since another one needs them

mod belonging;
mod kind;
mod page;
mod types;

pub use belonging::{Belongings, is_bound_to};
pub(crate) use kind::is_never;
pub use kind::{Kind, NEVER, NEVER_GROUPS};
pub use page::{PageSize, TooLarge};
pub use types::{BadTypes, Types};

use std::collections::{BTreeMap, BTreeSet};

use crate::object::GroupResource;
use crate::selection::{Filter, is_excluded};

/// What an instance wants of objects.
#[derive(Debug, Clone)]
pub struct Inclusion {
    /// The namespaces, and which objects by their labels.
    pub filter: Filter,
    /// The kinds.
    pub types: Types,
    /// What of the objects outside of namespaces.
    pub cluster_scope: ClusterScope,
    /// Whether Secrets go in.
    pub secrets: bool,
}

/// What goes in of the objects outside of namespaces; the Namespaces themselves always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClusterScope {
    /// All.
    All,
    /// Those that objects in namespaces need.
    Belonging,
    /// None.
    None,
}

/// What is to be known of an object for that.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its namespace, where it is in one.
    pub namespace: Option<&'a str>,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether its deletion has begun.
    pub deleting: bool,
}

impl ClusterScope {
    /// By what the instance says, if anything.
    pub fn of(said: Option<bool>, filter: &Filter) -> Self {
        match said {
            Some(true) => Self::All,
            Some(false) => Self::None,
            None if filter.namespaces.is_everything() => Self::All,
            None => Self::Belonging,
        }
    }
}

impl Inclusion {
    /// The kinds that are listed, each object once: of the kinds that serve the same objects the first of
    /// the present groups. The Namespaces are not among them: what they hold decides about them.
    pub fn kinds<'a>(&self, served: &'a [Kind]) -> Vec<&'a Kind> {
        let names: BTreeSet<&GroupResource> = served.iter().map(|kind| &kind.group_resource).collect();
        let all = self.cluster_scope == ClusterScope::All;
        let listed = served
            .iter()
            .filter(|kind| kind.is_whole && !kind.is_never())
            .filter(|kind| (kind.namespaced || all) && kind.group_resource != Kind::namespaces())
            .filter(|kind| self.names(&kind.group_resource))
            .filter(|kind| kind.twin().is_none_or(|twin| !names.contains(&twin)));
        listed.collect()
    }

    /// What the instance says of kinds that no kind of the cluster is meant by: a slip, as a rule.
    pub fn idle_types<'a>(&'a self, served: &[Kind]) -> Vec<&'a str> {
        self.types.idle(served)
    }

    /// Whether an object of a listed kind goes in.
    pub fn takes(&self, object: Facts<'_>, namespaces: &BTreeSet<&str>) -> bool {
        let here = object
            .namespace
            .is_none_or(|namespace| namespaces.contains(namespace));
        here && self.filter.labels.selects(object.labels) && is_free(object)
    }

    /// Whether the Namespace itself goes in: it is taken, and either holds something that is, or is meant itself.
    pub fn takes_namespace(&self, labels: &BTreeMap<String, String>, holds_something: bool) -> bool {
        let named = !self.filter.namespaces.is_everything() || self.filter.labels.is_everything();
        self.names(&Kind::namespaces()) && (holds_something || named || self.filter.labels.selects(labels))
    }

    /// Whether an object that belongs to one that goes in goes in as well, whatever the selector says of it.
    pub fn takes_belonging(&self, object: Facts<'_>) -> bool {
        is_free(object)
    }

    /// Whether what belongs to others is looked for in that kind. The definition of a stored custom resource is, unless
    /// it is left out by name.
    pub fn seeks(&self, belonging: &GroupResource) -> bool {
        let named = if *belonging == Kind::definitions() {
            !self.types.excludes(belonging)
        } else {
            self.names(belonging)
        };
        named && (*belonging == Kind::claims() || self.cluster_scope != ClusterScope::None)
    }

    fn names(&self, kind: &GroupResource) -> bool {
        let secret = kind.as_str() == "secrets";
        self.types.takes(kind) && (!secret || self.secrets)
    }
}

/// Whether nobody leaves it out and nobody is deleting it.
fn is_free(object: Facts<'_>) -> bool {
    !object.deleting && !is_excluded(object.labels)
}

#[cfg(test)]
mod tests;
