//! What a row of the table can say of the fields at a path.

use std::fmt;

use serde_json::Value;

use super::change::Change;

/// A path and what is said of it. `*` stands for every item of a list or member of a map, `prefix*` for the members
/// that start so.
pub(super) type Row = (&'static str, Aspect);

/// What is said of the fields at a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aspect {
    /// What the API server lets happen.
    May(Change),
    /// The same, where it depends on the objects.
    When(Condition),
    /// An object that is taken from one side as a whole.
    Whole,
    /// Members of an object that only make sense together: if the client has one of them, none comes from the other
    /// side.
    Together(&'static [&'static str]),
    /// Members of an object that change together or not at all.
    AllOrNone(&'static [&'static str]),
    /// A map whose keys may not be in the map at that path as well.
    Apart(&'static str),
    /// Items of a list no two of which may have the same value here.
    Distinct(&'static str),
    /// The member that tells the items of a list apart, where it isn't what server-side apply goes by.
    ToldApartBy(&'static str),
    /// The API server or a controller gives the value: the one in the cluster stays where there is one, as long as this
    /// holds.
    Allocated(Use),
    /// It only means something in the cluster: it stays as long as this holds, and what the client sends never counts.
    Live(Use),
    /// What the client leaves out comes back only if this holds.
    Needed(Use),
    /// The API server takes it for itself, whatever is sent.
    Servers,
}

/// A change that depends on the objects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    /// For people.
    pub(super) text: &'static str,
    pub(super) change: fn(&Update<'_>) -> Change,
}

/// Whether the new object has a use for what was in the cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    /// For people; empty where it always has.
    pub(super) text: &'static str,
    pub(super) holds: fn(&Update<'_>) -> bool,
}

/// The object in the cluster, and what it is to become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update<'a> {
    pub(super) old: &'a Value,
    pub(super) new: &'a Value,
}

pub(super) const FREE: Aspect = Aspect::May(Change::FREE);
pub(super) const IMMUTABLE: Aspect = Aspect::May(Change::IMMUTABLE);
pub(super) const SET_ONCE: Aspect = Aspect::May(Change::SET_ONCE);
pub(super) const ALLOCATED: Aspect = Aspect::Allocated(ALWAYS);
pub(super) const LIVE: Aspect = Aspect::Live(ALWAYS);
const ALWAYS: Use = Use {
    text: "",
    holds: |_| true,
};

pub(super) const fn when(text: &'static str, change: fn(&Update<'_>) -> Change) -> Aspect {
    Aspect::When(Condition { text, change })
}

impl Update<'_> {
    pub(super) fn old_text(&self, path: &str) -> Option<&str> {
        self.old.pointer(path).and_then(Value::as_str)
    }

    pub(super) fn new_text(&self, path: &str) -> Option<&str> {
        self.new.pointer(path).and_then(Value::as_str)
    }

    /// The text, if it is the same on both sides.
    pub(super) fn common_text(&self, path: &str) -> Option<&str> {
        self.old_text(path).filter(|old| self.new_text(path) == Some(old))
    }
}

impl Change {
    pub(super) const fn free_if(free: bool) -> Self {
        if free { Self::FREE } else { Self::IMMUTABLE }
    }
}

/// For the table of the documentation.
impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = |usage: &Use| match usage.text {
            "" => String::new(),
            text => format!(" {text}"),
        };
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Self::May(change) => change.fmt(f),
            Self::When(condition) => f.write_str(condition.text),
            Self::Whole => f.write_str("is taken as a whole"),
            Self::Together(members) => write!(f, "{} belong together", names(members)),
            Self::AllOrNone(members) => write!(f, "{} change together or not at all", names(members)),
            Self::Apart(other) => write!(f, "has no key that `{other}` has"),
            Self::Distinct(member) => write!(f, "no two items have the same `{member}`"),
            Self::ToldApartBy(member) => write!(f, "items are told apart by `{member}`"),
            Self::Allocated(usage) => write!(f, "keeps the value it has in the cluster{}", used(usage)),
            Self::Live(usage) => write!(f, "is only ever as in the cluster{}", used(usage)),
            Self::Needed(usage) => write!(f, "comes back only{}", used(usage)),
            Self::Servers => f.write_str("is the API server's"),
        }
    }
}
