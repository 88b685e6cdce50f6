//! Puts back what the API server would refuse to change, field by field.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::aspect::Update;
use super::change::Change;
use super::difference::differing;
use super::items::{Item, matched};
use super::spot::Spot;
use crate::patch::Pointer;

/// A change that the API server would refuse.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Loss {
    pub(super) place: Pointer,
    /// What was to be there.
    pub(super) wanted: Option<Value>,
}

/// The new object as far as the API server takes it, and what it would not have taken. Nothing is copied of an object
/// that it takes as it is: every rule asks.
pub(super) fn settle<'u>(update: Update<'u>, root: Spot<'_>) -> (Cow<'u, Value>, Vec<Loss>) {
    let mut settle = Settle {
        update,
        place: Pointer::default(),
        losses: Vec::new(),
    };
    let settled = settle.value(Some(update.old), Some(update.new), root, Change::FREE);
    (settled.unwrap_or_default(), settle.losses)
}

struct Settle<'u> {
    update: Update<'u>,
    place: Pointer,
    losses: Vec<Loss>,
}

impl<'u> Settle<'u> {
    fn value(
        &mut self,
        old: Option<&'u Value>,
        new: Option<&'u Value>,
        spot: Spot<'_>,
        above: Change,
    ) -> Option<Cow<'u, Value>> {
        let given = |value: &&Value| !value.is_null();
        let change = spot.change(&self.update).unwrap_or(above);
        let has_changes_below = spot.has_changes_below();
        let is_free = change == Change::FREE && !has_changes_below;
        if is_free || spot.is_servers() || old.filter(given) == new.filter(given) {
            return new.map(Cow::Borrowed);
        }
        let (old, new) = (old.filter(given), new.filter(given));
        match (old, new) {
            _ if !has_changes_below => self.leaf(old, new, spot, change),
            (Some(Value::Array(old_items)), Some(Value::Array(new_items))) => {
                match matched(old_items, new_items, &spot.identity()) {
                    Some(items) => Some(self.list(old_items, new_items, items, spot, change)),
                    None => self.leaf(old, new, spot, change),
                }
            }
            (None | Some(Value::Object(_)), None | Some(Value::Object(_))) => {
                self.object(old, new, spot, change)
            }
            _ => self.leaf(old, new, spot, change),
        }
    }

    /// An object about whose members something is said; absent, it is as if it had none.
    fn object(
        &mut self,
        old: Option<&'u Value>,
        new: Option<&'u Value>,
        spot: Spot<'_>,
        change: Change,
    ) -> Option<Cow<'u, Value>> {
        let members = |object: Option<&'u Value>| object.and_then(Value::as_object).into_iter().flatten();
        let keys: BTreeSet<&String> = members(old).chain(members(new)).map(|(key, _)| key).collect();
        let member = |object: Option<&'u Value>, key| object.and_then(|object| object.get(key));
        let losses = self.losses.len();
        let mut settled = Vec::new();
        for key in keys {
            self.place.push(key);
            let value = self.value(member(old, key), member(new, key), spot.member(key), change);
            settled.extend(value.map(|value| (key, value)));
            self.place.pop();
        }
        let is_untouched = |(_, value): &(&String, Cow<'_, Value>)| matches!(value, Cow::Borrowed(_));
        let is_as_new = self.losses.len() == losses && settled.iter().all(is_untouched);
        if is_as_new {
            return new.map(Cow::Borrowed);
        }
        let settled: Map<_, _> = settled
            .into_iter()
            .map(|(key, value)| (key.clone(), value.into_owned()))
            .collect();
        let is_there = !settled.is_empty() || (old.is_some() && new.is_some());
        is_there.then(|| Cow::Owned(settled.into()))
    }

    /// A list about whose items something is said. One that may not change keeps its items and their order.
    fn list(
        &mut self,
        old: &'u [Value],
        new: &'u [Value],
        mut items: Vec<Item>,
        spot: Spot<'_>,
        change: Change,
    ) -> Cow<'u, Value> {
        let is_free = change == Change::FREE;
        if !is_free {
            items.sort_by_key(|item| match item {
                Item::Old(at) | Item::Both(at, _) => *at,
                Item::New(_) => usize::MAX,
            });
        }
        let mut settled = Vec::new();
        for item in items {
            self.place.push(&settled.len().to_string());
            match item {
                Item::Both(old_at, new_at) => {
                    let value = self.value(Some(&old[old_at]), Some(&new[new_at]), spot.item(), change);
                    settled.extend(value.map(Cow::into_owned));
                }
                Item::New(at) if is_free => settled.push(new[at].clone()),
                Item::New(at) => self.lose(Some(&new[at])),
                Item::Old(_) if is_free => {}
                Item::Old(at) => {
                    self.lose(None);
                    settled.push(old[at].clone());
                }
            }
            self.place.pop();
        }
        Cow::Owned(settled.into())
    }

    fn leaf(
        &mut self,
        old: Option<&'u Value>,
        new: Option<&'u Value>,
        spot: Spot<'_>,
        change: Change,
    ) -> Option<Cow<'u, Value>> {
        let settled = change.settle(old, new);
        for place in differing(settled.as_deref(), new, spot) {
            let wanted = new.and_then(|new| place.lookup(new).ok());
            let mut path = self.place.clone();
            for token in place.tokens() {
                path.push(token);
            }
            self.losses.push(Loss {
                place: path,
                wanted: wanted.cloned(),
            });
        }
        settled
    }

    fn lose(&mut self, wanted: Option<&Value>) {
        self.losses.push(Loss {
            place: self.place.clone(),
            wanted: wanted.cloned(),
        });
    }
}
