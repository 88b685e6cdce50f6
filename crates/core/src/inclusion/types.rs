//! The kinds that an instance names.

use super::Kind;
use crate::glob::{Glob, GlobError, Separator};
use crate::object::GroupResource;

/// Everything, among the kinds.
const ALL: &str = "*";

/// Some of the kinds of a cluster.
#[derive(Debug, Clone, Default)]
pub struct Types {
    /// Empty: all.
    included: Vec<Type>,
    excluded: Vec<Type>,
}

/// One text that names kinds.
#[derive(Debug, Clone)]
enum Type {
    /// A plural name: in whatever group.
    Plural(Glob),
    /// Plural name and group.
    GroupResource(Glob),
}

/// Why texts name no kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTypes {
    /// No glob.
    #[error("`{text}` names no kinds: {problem}")]
    Glob {
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: GlobError,
    },
    /// Everything, and something beside it.
    #[error("`*` already means every kind: remove it, or the others")]
    AllAndMore,
    /// Nothing would be left.
    #[error("`*` would leave out every kind: name those that are not to be stored")]
    Nothing,
    /// The same text in both lists.
    #[error("`{0}` is both included and excluded: remove one")]
    Both(String),
}

impl Types {
    /// The kinds that one of `included` names (none at all: every kind) and none of `excluded`.
    pub fn parse(included: &[String], excluded: &[String]) -> Result<Self, BadTypes> {
        if included.iter().any(|text| text == ALL) && included.len() > 1 {
            return Err(BadTypes::AllAndMore);
        }
        if excluded.iter().any(|text| text == ALL) {
            return Err(BadTypes::Nothing);
        }
        if let Some(both) = included.iter().find(|text| excluded.contains(text)) {
            return Err(BadTypes::Both(both.clone()));
        }
        let parse = |texts: &[String]| {
            texts
                .iter()
                .map(|text| Type::parse(text))
                .collect::<Result<_, _>>()
        };
        Ok(Self {
            included: parse(included)?,
            excluded: parse(excluded)?,
        })
    }

    /// Whether that kind is among them.
    pub fn takes(&self, kind: &GroupResource) -> bool {
        let included = self.included.is_empty() || self.included.iter().any(|named| named.is(kind));
        included && !self.excludes(kind)
    }

    /// Whether that kind is left out by name.
    pub fn excludes(&self, kind: &GroupResource) -> bool {
        self.excluded.iter().any(|named| named.is(kind))
    }

    /// Whether that kind is asked for in particular, and not just as one of all or of a glob's.
    pub fn names(&self, kind: &str) -> bool {
        self.included.iter().any(|named| named.text() == kind)
    }

    /// The included texts that name none of these kinds.
    pub(super) fn idle(&self, kinds: &[Kind]) -> Vec<&str> {
        let idle = |named: &&Type| !kinds.iter().any(|kind| named.is(&kind.group_resource));
        self.included.iter().filter(idle).map(Type::text).collect()
    }
}

impl Type {
    fn parse(text: &str) -> Result<Self, BadTypes> {
        let bad = |problem| BadTypes::Glob {
            text: text.to_owned(),
            problem,
        };
        if text.contains('.') {
            Glob::parse(text, Separator::Dot)
                .map(Self::GroupResource)
                .map_err(bad)
        } else {
            Glob::parse(text, Separator::None).map(Self::Plural).map_err(bad)
        }
    }

    fn is(&self, kind: &GroupResource) -> bool {
        match self {
            Self::Plural(glob) => glob.matches(kind.resource()),
            Self::GroupResource(glob) => glob.matches(kind.as_str()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Plural(glob) | Self::GroupResource(glob) => glob.as_str(),
        }
    }
}
