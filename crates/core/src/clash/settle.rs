//! Puts back what the API server would refuse to change, field by field.

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

/// The new object as far as the API server takes it, and what it would not have taken.
pub(super) fn settle(update: Update<'_>, root: Spot<'_>) -> (Value, Vec<Loss>) {
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

impl Settle<'_> {
    fn value(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        spot: Spot<'_>,
        above: Change,
    ) -> Option<Value> {
        let given = |value: &&Value| !value.is_null();
        let change = spot.change(&self.update).unwrap_or(above);
        if old.filter(given) == new.filter(given) || spot.is_servers() {
            return new.cloned();
        }
        let (old, new) = (old.filter(given), new.filter(given));
        match (old, new) {
            _ if !spot.has_changes_below() => self.leaf(old, new, spot, change),
            (Some(Value::Array(old_items)), Some(Value::Array(new_items))) => {
                match matched(old_items, new_items, &spot.identity()) {
                    Some(items) => Some(self.list(old_items, new_items, &items, spot, change)),
                    None => self.leaf(old, new, spot, change),
                }
            }
            (None | Some(Value::Object(_)), None | Some(Value::Object(_))) => {
                let none = Map::new();
                let members =
                    |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&none).clone();
                let settled = self.object(&members(old), &members(new), spot, change);
                (!settled.is_empty() || (old.is_some() && new.is_some())).then_some(settled.into())
            }
            _ => self.leaf(old, new, spot, change),
        }
    }

    fn object(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        spot: Spot<'_>,
        change: Change,
    ) -> Map<String, Value> {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut settled = Map::new();
        for key in keys {
            self.place.push(key);
            let value = self.value(old.get(key), new.get(key), spot.member(key), change);
            settled.extend(value.map(|value| (key.clone(), value)));
            self.place.pop();
        }
        settled
    }

    /// A list about whose items something is said. One that may not change keeps its items and their order.
    fn list(
        &mut self,
        old: &[Value],
        new: &[Value],
        items: &[Item],
        spot: Spot<'_>,
        change: Change,
    ) -> Value {
        let is_free = change == Change::FREE;
        let mut items = items.to_vec();
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
                    settled.extend(value);
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
        settled.into()
    }

    fn leaf(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        spot: Spot<'_>,
        change: Change,
    ) -> Option<Value> {
        let settled = change.settle(old, new);
        for place in differing(settled.as_ref(), new, spot) {
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
