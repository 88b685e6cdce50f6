//! How the fields of a kind behave when an object is updated: a tree of what the rows of the table say, path by
//! path.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::aspect::{Aspect, Row, Update, Use};
use super::change::Change;
use super::table::{self, KindRows};
use crate::object::GroupResource;
use crate::patch::Pointer;

/// How the fields of a kind may change on an update, and which of them belong together.
#[derive(Debug, Default)]
pub struct Mutability {
    root: Node,
}

/// What is known of the fields at a path, and of those below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    aspects: Vec<Aspect>,
    members: BTreeMap<String, Self>,
}

static BUILT_IN: LazyLock<BTreeMap<GroupResource, Mutability>> = LazyLock::new(|| {
    let kinds = table::KINDS.iter().flat_map(|kind| {
        let resources = kind.resources.iter();
        resources.map(|resource| {
            (
                GroupResource::new(kind.group, resource),
                Mutability::of_rows(kind),
            )
        })
    });
    kinds.collect()
});

/// Of built-in kinds of which the table says nothing.
static UNLISTED: LazyLock<Mutability> = LazyLock::new(|| Mutability::of_rows(&KindRows::UNLISTED));

/// Of kinds of which nothing is known at all.
static UNKNOWN: LazyLock<Mutability> = LazyLock::new(Mutability::of_objects);

impl Mutability {
    /// Of a built-in kind.
    pub(super) fn built_in(group_resource: &GroupResource) -> &'static Self {
        BUILT_IN.get(group_resource).unwrap_or(&UNLISTED)
    }

    /// Of any kind.
    pub(super) fn unknown() -> &'static Self {
        &UNKNOWN
    }

    /// What holds for the objects of every kind.
    pub(super) fn of_objects() -> Self {
        let mut mutability = Self::default();
        mutability.extend("", table::OBJECTS);
        mutability
    }

    fn of_rows(kind: &KindRows) -> Self {
        let mut mutability = Self::of_objects();
        for (place, rows) in kind.all() {
            mutability.extend(&place, rows);
        }
        mutability
    }

    fn extend(&mut self, place: &str, rows: &[Row]) {
        for (path, aspect) in rows {
            // Paths of the table are valid; its tests read all of them.
            if let Ok(path) = Pointer::parse(&format!("{place}{path}")) {
                self.add(path.tokens(), *aspect);
            }
        }
    }

    /// Says something of the fields at a path.
    pub(super) fn add(&mut self, path: &[String], aspect: Aspect) {
        let node = path.iter().fold(&mut self.root, |node, token| {
            node.members.entry(token.clone()).or_default()
        });
        match (aspect, node.may()) {
            (Aspect::May(Change::May(more)), Some(known)) => *known = known.and(more),
            _ => node.aspects.push(aspect),
        }
    }

    pub(super) const fn root(&self) -> &Node {
        &self.root
    }
}

impl Node {
    /// What is known of a member of an object: what is said of its name, else of the longest beginning of it.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let by_beginning = || {
            let patterns = self.members.iter().filter(|(pattern, _)| {
                let beginning = pattern.strip_suffix('*');
                beginning.is_some_and(|beginning| name.starts_with(beginning))
            });
            patterns
                .max_by_key(|(pattern, _)| pattern.len())
                .map(|(_, node)| node)
        };
        self.members.get(name).or_else(by_beginning)
    }

    /// What is known of the items of a list.
    pub(super) fn item(&self) -> Option<&Self> {
        self.members.get("*")
    }

    pub(super) fn is_whole(&self) -> bool {
        self.aspects.iter().any(|aspect| matches!(aspect, Aspect::Whole))
    }

    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn is_servers(&self) -> bool {
        self.aspects
            .iter()
            .any(|aspect| matches!(aspect, Aspect::Servers))
    }

    pub(super) fn aspects(&self) -> impl Iterator<Item = Aspect> {
        self.aspects.iter().copied()
    }

    /// The member that tells the items of a list apart, if the table says so.
    pub(super) fn told_apart_by(&self) -> Option<&'static str> {
        self.aspects().find_map(|aspect| match aspect {
            Aspect::ToldApartBy(member) => Some(member),
            _ => None,
        })
    }

    /// What may happen to the fields here, if it isn't what may happen above.
    pub(super) fn change(&self, update: &Update<'_>) -> Option<Change> {
        self.aspects().find_map(|aspect| match aspect {
            Aspect::May(change) => Some(change),
            Aspect::When(condition) => Some((condition.change)(update)),
            _ => None,
        })
    }

    /// Whether it is said of anything below what may happen to it.
    pub(super) fn has_changes_below(&self) -> bool {
        let says = |node: &Self| {
            let of_change = |aspect: &Aspect| matches!(aspect, Aspect::May(_) | Aspect::When(_));
            node.aspects.iter().any(of_change) || node.has_changes_below()
        };
        self.members.values().any(says)
    }

    /// Whether the new object has no use for a field that it lacks.
    pub(super) fn is_useless(&self, update: &Update<'_>) -> bool {
        self.aspects().any(|aspect| match aspect {
            Aspect::Needed(Use { holds, .. }) | Aspect::Live(Use { holds, .. }) => !holds(update),
            _ => false,
        })
    }

    fn may(&mut self) -> Option<&mut super::change::May> {
        self.aspects.iter_mut().find_map(|aspect| match aspect {
            Aspect::May(Change::May(may)) => Some(may),
            _ => None,
        })
    }
}
