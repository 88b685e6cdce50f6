//! An object between two others: the one in the cluster, with some of the changes of the new one.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::difference::{differing, is_metadata_map};
use super::items::{Item, matched};
use super::spot::Spot;
use crate::patch::Pointer;

/// The old object, with the new values in those places of [`differing`] that are taken.
pub(super) fn partial(old: &Value, new: &Value, root: Spot<'_>, taken: &BTreeSet<&str>) -> Value {
    let mut partial = Partial {
        taken,
        place: Pointer::default(),
    };
    partial.value(Some(old), Some(new), root).unwrap_or_default()
}

struct Partial<'t> {
    taken: &'t BTreeSet<&'t str>,
    place: Pointer,
}

impl Partial<'_> {
    fn value(&mut self, old: Option<&Value>, new: Option<&Value>, spot: Spot<'_>) -> Option<Value> {
        let given = |value: &&Value| !value.is_null();
        let (old, new) = (old.filter(given), new.filter(given));
        if old == new || spot.is_servers() {
            return old.cloned();
        }
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) if !spot.is_whole() => {
                Some(self.object(old, new, spot).into())
            }
            (old, new) if is_metadata_map(&self.place) => self.metadata_map(old, new, spot),
            (Some(Value::Array(old)), Some(Value::Array(new))) => Some(self.list(old, new, spot).into()),
            _ => self.leaf(old, new),
        }
    }

    fn object(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        spot: Spot<'_>,
    ) -> Map<String, Value> {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut members = Map::new();
        for key in keys {
            self.place.push(key);
            let value = self.value(old.get(key), new.get(key), spot.member(key));
            members.extend(value.map(|value| (key.clone(), value)));
            self.place.pop();
        }
        members
    }

    /// Labels or annotations that only one of the objects has.
    fn metadata_map(&mut self, old: Option<&Value>, new: Option<&Value>, spot: Spot<'_>) -> Option<Value> {
        let members = |map: Option<&Value>| map.and_then(Value::as_object).cloned().unwrap_or_default();
        let members = self.object(&members(old), &members(new), spot);
        (!members.is_empty()).then(|| members.into())
    }

    fn list(&mut self, old: &[Value], new: &[Value], spot: Spot<'_>) -> Vec<Value> {
        let Some(items) =
            matched(old, new, &spot.identity()).filter(|items| !is_whole(old, new, items, spot))
        else {
            return if self.is_taken() { new } else { old }.to_vec();
        };
        let mut list = Vec::new();
        for item in items {
            let (at, old, new) = match item {
                Item::Old(at) => (at, old.get(at), None),
                Item::New(at) => (at, None, new.get(at)),
                Item::Both(old_at, at) => (at, old.get(old_at), new.get(at)),
            };
            self.place.push(&at.to_string());
            list.extend(self.value(old, new, spot.item()));
            self.place.pop();
        }
        list
    }

    fn leaf(&self, old: Option<&Value>, new: Option<&Value>) -> Option<Value> {
        if self.is_taken() { new } else { old }.cloned()
    }

    fn is_taken(&self) -> bool {
        self.taken.contains(self.place.as_str())
    }
}

/// Whether lists with the same items differ in their order alone.
fn is_whole(old: &[Value], new: &[Value], items: &[Item], spot: Spot<'_>) -> bool {
    items.iter().all(|item| match item {
        Item::Both(old_at, new_at) => differing(old.get(*old_at), new.get(*new_at), spot.item()).is_empty(),
        Item::Old(_) | Item::New(_) => false,
    })
}
