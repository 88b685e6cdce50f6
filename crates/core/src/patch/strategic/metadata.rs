//! What the schema says of the place at which a patch is.

use std::borrow::Cow;

use super::Fault;
use crate::schema::{ListType, MapKey, Nature, Place};

/// Where it is known what is merged, and how.
#[derive(Debug, Clone, Copy)]
pub enum Metadata<'s> {
    /// A built-in kind: by the marks for strategic merge patches.
    BuiltIn(Place<'s>),
    /// A custom kind: by its definition's marks for server-side apply.
    ListMapKeys(Place<'s>),
}

/// How two lists become one.
pub(super) enum ListMerge<'s> {
    /// The new one takes the place of the old.
    Replace,
    /// As sets of values.
    Values,
    /// By these fields of their elements.
    Keys(Cow<'s, [MapKey]>),
}

impl ListMerge<'_> {
    /// By which elements are told apart; none for values.
    pub(super) fn keys(&self) -> &[MapKey] {
        match self {
            Self::Replace | Self::Values => &[],
            Self::Keys(keys) => keys,
        }
    }
}

impl<'s> Metadata<'s> {
    /// Of a field, or of a value in a map, that both sides have and that is to be merged.
    pub(super) fn member(self, name: &str) -> Result<Self, Fault> {
        let member = self.peek(name);
        if let (Self::BuiltIn(parent), Self::BuiltIn(place)) = (self, member) {
            if matches!(parent.nature(), Nature::Map | Nature::Opaque) {
                return Err(Fault::Opaque);
            }
            if place.nature() == Nature::Unknown {
                return Err(Fault::UnknownField);
            }
        }
        Ok(member)
    }

    /// Of a field or value, known or not.
    pub(super) fn peek(self, name: &str) -> Self {
        self.with(self.place().member(name))
    }

    /// Of the elements of a list.
    pub(super) fn item(self) -> Self {
        self.with(self.place().item())
    }

    pub(super) fn is_opaque(self) -> bool {
        self.place().nature() == Nature::Opaque
    }

    /// Whether an object is replaced, not merged.
    pub(super) fn is_replaced(self) -> bool {
        match self {
            Self::BuiltIn(place) => place.patch().replace,
            Self::ListMapKeys(place) => place.is_atomic_map(),
        }
    }

    pub(super) fn list_merge(self) -> ListMerge<'s> {
        match self {
            Self::BuiltIn(place) => match &place.patch().key {
                _ if !place.patch().merge => ListMerge::Replace,
                None => ListMerge::Values,
                Some(name) => ListMerge::Keys(Cow::Owned(vec![MapKey {
                    name: name.clone(),
                    default: None,
                }])),
            },
            Self::ListMapKeys(place) => match place.list() {
                ListType::Atomic => ListMerge::Replace,
                ListType::Set => ListMerge::Values,
                ListType::Map(keys) => ListMerge::Keys(Cow::Borrowed(keys)),
            },
        }
    }

    /// Whether a set of objects can't be one, since values are compared as scalars only.
    pub(super) const fn needs_keys(self) -> bool {
        matches!(self, Self::BuiltIn(_))
    }

    const fn place(self) -> Place<'s> {
        match self {
            Self::BuiltIn(place) | Self::ListMapKeys(place) => place,
        }
    }

    const fn with(self, place: Place<'s>) -> Self {
        match self {
            Self::BuiltIn(_) => Self::BuiltIn(place),
            Self::ListMapKeys(_) => Self::ListMapKeys(place),
        }
    }
}
