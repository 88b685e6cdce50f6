//! What the API server lets happen to a field when its object is updated, and what becomes of the field if more is
//! tried.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

/// What may happen to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The general form.
    May(May),
    /// A number may be set and lowered, and never goes again.
    Lower,
    /// A list or map may grow. What is in it stays, but for one member of its items.
    Additions {
        /// The member of an item that may change; none has an empty name.
        but: &'static str,
    },
    /// A list may shrink.
    Removals,
}

/// Whether a field may be set where it is absent, unset where it is present, and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct May {
    pub(super) set: bool,
    pub(super) unset: bool,
    pub(super) modify: Modify,
}

/// Whether a value may take the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Modify {
    Never,
    /// Only the empty text.
    WhileEmpty,
    Freely,
}

impl Change {
    pub(super) const FREE: Self = Self::may(true, true, Modify::Freely);
    pub(super) const IMMUTABLE: Self = Self::may(false, false, Modify::Never);
    /// Once it has a value, it keeps it.
    pub(super) const SET_ONCE: Self = Self::may(true, false, Modify::Never);
    /// Once it is there, it stays, with whatever value.
    pub(super) const NO_UNSET: Self = Self::may(true, false, Modify::Freely);

    pub(super) const fn may(set: bool, unset: bool, modify: Modify) -> Self {
        Self::May(May { set, unset, modify })
    }

    /// What the field becomes: the new value if that may be, else as much of it as may be.
    pub(super) fn settle<'v>(self, old: Option<&'v Value>, new: Option<&'v Value>) -> Option<Cow<'v, Value>> {
        let new_if = |allowed: bool| if allowed { new } else { old }.map(Cow::Borrowed);
        match self {
            Self::May(may) => new_if(may.allows(old, new)),
            Self::Lower => new_if(may_lower(old, new)),
            Self::Additions { but } => added(old, new, but),
            Self::Removals => remaining(old, new),
        }
    }
}

impl May {
    /// What both of them allow.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            set: self.set && other.set,
            unset: self.unset && other.unset,
            modify: self.modify.min(other.modify),
        }
    }

    fn allows(self, old: Option<&Value>, new: Option<&Value>) -> bool {
        match (old, new) {
            (None, None) => true,
            (None, Some(_)) => self.set,
            (Some(_), None) => self.unset,
            (Some(old), Some(new)) => match self.modify {
                Modify::Freely => true,
                Modify::WhileEmpty => old == new || old.as_str() == Some(""),
                Modify::Never => old == new,
            },
        }
    }
}

fn may_lower(old: Option<&Value>, new: Option<&Value>) -> bool {
    match (old, new.and_then(Value::as_i64)) {
        (None, _) => true,
        (Some(old), Some(new)) => old.as_i64().is_some_and(|old| new <= old),
        (Some(_), None) => false,
    }
}

fn added<'v>(old: Option<&'v Value>, new: Option<&'v Value>, but: &str) -> Option<Cow<'v, Value>> {
    match (old, new) {
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let without = |item: &Value| {
                let mut item = item.clone();
                item.as_object_mut().map(|members| members.remove(but));
                item
            };
            let same = |item: &Value, others: &[Value]| {
                let wanted = without(item);
                others.iter().find(|other| without(other) == wanted).cloned()
            };
            let kept = old
                .iter()
                .map(|item| same(item, new).unwrap_or_else(|| item.clone()));
            let fresh = new.iter().filter(|item| same(item, old).is_none()).cloned();
            Some(Cow::Owned(kept.chain(fresh).collect()))
        }
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let all: Map<_, _> = new.clone().into_iter().chain(old.clone()).collect();
            Some(Cow::Owned(all.into()))
        }
        (None, new) => new.map(Cow::Borrowed),
        (old, _) => old.map(Cow::Borrowed),
    }
}

fn remaining<'v>(old: Option<&'v Value>, new: Option<&'v Value>) -> Option<Cow<'v, Value>> {
    match (old, new) {
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let left: Vec<_> = old.iter().filter(|item| new.contains(item)).cloned().collect();
            (!left.is_empty()).then(|| Cow::Owned(left.into()))
        }
        (_, None) | (None, _) => None,
        (old, _) => old.map(Cow::Borrowed),
    }
}

/// For the table of the documentation.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::FREE => "may change",
            Self::IMMUTABLE => "never changes",
            Self::SET_ONCE => "may be set once",
            Self::NO_UNSET => "may change, not go",
            Self::May(_) => "may change in part",
            Self::Lower => "may be set or lowered",
            Self::Additions { but: "" } => "may grow",
            Self::Additions { but } => return write!(f, "may grow; of what is in it, `{but}` may change"),
            Self::Removals => "may shrink",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_not_happen_leaves_the_old_value() {
        let pinned = Change::may(true, true, Modify::Never);
        let once_filled = Change::may(true, true, Modify::WhileEmpty);
        let (none, a, b, empty) = (Value::Null, json!("a"), json!("b"), json!(""));
        let given = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
        for (change, old, new, result) in [
            (Change::FREE, &a, &b, &b),
            (Change::FREE, &a, &none, &none),
            (Change::IMMUTABLE, &a, &b, &a),
            (Change::IMMUTABLE, &a, &none, &a),
            (Change::IMMUTABLE, &none, &b, &none),
            (Change::SET_ONCE, &none, &b, &b),
            (Change::SET_ONCE, &a, &b, &a),
            (Change::SET_ONCE, &a, &none, &a),
            (Change::SET_ONCE, &empty, &b, &empty),
            (Change::NO_UNSET, &a, &b, &b),
            (Change::NO_UNSET, &a, &none, &a),
            (pinned, &a, &none, &none),
            (pinned, &a, &b, &a),
            (once_filled, &empty, &b, &b),
            (once_filled, &a, &b, &a),
            (Change::Lower, &none, &json!(5), &json!(5)),
            (Change::Lower, &json!(5), &json!(4), &json!(4)),
            (Change::Lower, &json!(5), &json!(6), &json!(5)),
            (Change::Lower, &json!(5), &none, &json!(5)),
        ] {
            let (old, new) = (given(old), given(new));
            let settled = change.settle(old.as_ref(), new.as_ref()).map(Cow::into_owned);
            assert_eq!(settled, given(result), "{change:?}: {old:?} to {new:?}");
        }
    }

    #[test]
    fn lists_and_maps_that_may_grow_keep_what_they_have() {
        let tolerations = Change::Additions { but: "seconds" };
        let plain = Change::Additions { but: "" };
        for (change, old, new, result) in [
            (
                tolerations,
                json!([{"key": "a", "seconds": 300}, {"key": "b"}]),
                json!([{"key": "c"}, {"key": "a", "seconds": 10}]),
                json!([{"key": "a", "seconds": 10}, {"key": "b"}, {"key": "c"}]),
            ),
            (
                plain,
                json!({"a": "1", "b": "2"}),
                json!({"a": "3", "c": "4"}),
                json!({"a": "1", "b": "2", "c": "4"}),
            ),
            (plain, json!(["a"]), json!([]), json!(["a"])),
        ] {
            assert_eq!(change.settle(Some(&old), Some(&new)).as_deref(), Some(&result));
        }
        let list = json!(["a"]);
        for (old, new) in [(Some(&list), None), (None, Some(&list))] {
            assert_eq!(plain.settle(old, new).as_deref(), Some(&list));
        }
    }

    #[test]
    fn lists_that_may_shrink_take_nothing_in() {
        let gates = json!([{"name": "a"}, {"name": "b"}]);
        for (new, result) in [
            (
                Some(json!([{"name": "b"}, {"name": "c"}])),
                Some(json!([{"name": "b"}])),
            ),
            (Some(json!([{"name": "c"}])), None),
            (None, None),
        ] {
            let settled = Change::Removals.settle(Some(&gates), new.as_ref());
            assert_eq!(settled.as_deref(), result.as_ref());
        }
        assert_eq!(Change::Removals.settle(None, Some(&gates)), None);
    }
}
