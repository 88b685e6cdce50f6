//! A position in an object, with what is known of it: the shape of its kind, and how its fields behave.

use serde_json::Value;

use super::aspect::{Aspect, Update};
use super::change::Change;
use super::items::Identity;
use super::mutability::{Mutability, Node};
use crate::custom_kind::CustomKind;
use crate::object::GroupResource;
use crate::schema::{self, ListType, Place};

/// A position in an object of a kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'k> {
    place: Option<Place<'k>>,
    node: Option<&'k Node>,
}

impl<'k> Spot<'k> {
    /// The whole object. A kind that is neither built in nor given is merged as far as any kind can be.
    pub(super) fn root(
        group_resource: &GroupResource,
        object: &Value,
        custom: Option<&'k CustomKind>,
    ) -> Self {
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let built_in = schema::built_in(text("apiVersion"), text("kind"));
        let (place, mutability) = match (custom, built_in) {
            (Some(custom), _) => (Some(custom.schema.root()), &custom.mutability),
            (None, Some(place)) => (Some(place), Mutability::built_in(group_resource)),
            (None, None) => (None, Mutability::unknown()),
        };
        Self {
            place,
            node: Some(mutability.root()),
        }
    }

    /// A member of the object here.
    pub(super) fn member(self, name: &str) -> Self {
        Self {
            place: self.place.map(|place| place.member(name)),
            node: self.node.and_then(|node| node.member(name)),
        }
    }

    /// An item of the list here.
    pub(super) fn item(self) -> Self {
        Self {
            place: self.place.map(Place::item),
            node: self.node.and_then(Node::item),
        }
    }

    /// Whether an object, or each item of a list, is taken from one side as a whole. Where the table has something to
    /// say of its members, that counts more than the shape.
    pub(super) fn is_whole(self) -> bool {
        let by_shape = |place: Place<'_>| place.is_atomic_map() || place.patch().retain_keys;
        let has_members = self.node.is_some_and(Node::has_members);
        self.node.is_some_and(Node::is_whole) || (!has_members && self.place.is_some_and(by_shape))
    }

    /// Whether the API server takes what is here for itself, whatever is sent.
    pub(super) fn is_servers(self) -> bool {
        self.node.is_some_and(Node::is_servers)
    }

    /// What tells the items of the list here apart.
    pub(super) fn identity(self) -> Identity<'k> {
        if let Some(member) = self.node.and_then(Node::told_apart_by) {
            return Identity::Members(vec![(member, None)]);
        }
        match self.place.map(Place::list) {
            Some(ListType::Map(keys)) => {
                let key = |key: &'k schema::MapKey| (&*key.name, key.default.as_ref());
                Identity::Members(keys.iter().map(key).collect())
            }
            Some(ListType::Set) => Identity::Value,
            Some(ListType::Atomic) | None => Identity::None,
        }
    }

    /// What the table says of this very place.
    pub(super) fn aspects(self) -> impl Iterator<Item = Aspect> {
        self.node.into_iter().flat_map(Node::aspects)
    }

    /// Where a key of the map here may not be as well.
    pub(super) fn apart_from(self) -> Option<&'static str> {
        self.aspects().find_map(|aspect| match aspect {
            Aspect::Apart(other) => Some(other),
            _ => None,
        })
    }

    /// The first of the members that change together with that one, if there are any.
    pub(super) fn grouped_with(self, name: &str) -> Option<&'static str> {
        self.aspects().find_map(|aspect| match aspect {
            Aspect::Together(members) | Aspect::AllOrNone(members) if members.contains(&name) => {
                members.first().copied()
            }
            _ => None,
        })
    }

    pub(super) fn change(self, update: &Update<'_>) -> Option<Change> {
        self.node.and_then(|node| node.change(update))
    }

    pub(super) fn has_changes_below(self) -> bool {
        self.node.is_some_and(Node::has_changes_below)
    }

    pub(super) fn is_useless(self, update: &Update<'_>) -> bool {
        self.node.is_some_and(|node| node.is_useless(update))
    }
}
