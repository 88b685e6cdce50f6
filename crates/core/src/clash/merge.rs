//! The client's object onto the one in the cluster: what it only leaves out or nulls comes back, what the API server
//! or a controller gave stays.

use serde_json::{Map, Value};

use super::aspect::{Aspect, Update};
use super::items::{Item, matched};
use super::spot::Spot;
use super::{Field, Outcome, Reason};
use crate::patch::Pointer;

/// What comes of both objects, and what was kept of the one in the cluster.
pub(super) fn merge(update: Update<'_>, root: Spot<'_>) -> (Value, Vec<Field>) {
    let mut merge = Merge {
        update,
        place: Pointer::default(),
        kept: Vec::new(),
    };
    let merged = merge.value(update.old, update.new, root);
    (merged, merge.kept)
}

struct Merge<'u> {
    update: Update<'u>,
    place: Pointer,
    kept: Vec<Field>,
}

impl Merge<'_> {
    fn value(&mut self, old: &Value, new: &Value, spot: Spot<'_>) -> Value {
        match (old, new) {
            _ if old == new => new.clone(),
            (Value::Object(old), Value::Object(new)) if !spot.is_whole() => {
                self.object(old, new, spot).into()
            }
            (Value::Array(old), Value::Array(new)) => self.list(old, new, spot).into(),
            _ => new.clone(),
        }
    }

    fn object(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        spot: Spot<'_>,
    ) -> Map<String, Value> {
        let whole = taken_together(new, spot);
        let mut merged = Map::new();
        for (key, new_value) in new {
            self.place.push(key);
            let member = spot.member(key);
            let value = match old.get(key) {
                _ if member.is_servers() => Some(new_value.clone()),
                old_value if new_value.is_null() => {
                    let back = old_value.and_then(|old| self.left_out(key, old, spot, &whole));
                    Some(back.unwrap_or(Value::Null))
                }
                old_value => self.both(old_value, new_value, member, whole.contains(&key.as_str())),
            };
            merged.extend(value.map(|value| (key.clone(), value)));
            self.place.pop();
        }
        for (key, old_value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            self.place.push(key);
            let back = self.left_out(key, old_value, spot, &whole);
            merged.extend(back.map(|value| (key.clone(), value)));
            self.place.pop();
        }
        merged
    }

    /// A member that the client sends.
    fn both(&mut self, old: Option<&Value>, new: &Value, spot: Spot<'_>, whole: bool) -> Option<Value> {
        for aspect in spot.aspects() {
            let kept = match aspect {
                Aspect::Live(usage) => old.filter(|_| (usage.holds)(&self.update)),
                Aspect::Allocated(usage) if old.is_some() && (usage.holds)(&self.update) => old,
                _ => continue,
            };
            if kept != Some(new) {
                self.keep(Reason::Allocated);
            }
            return kept.cloned();
        }
        match old {
            Some(old) if !whole => Some(self.value(old, new, spot)),
            _ => Some(new.clone()),
        }
    }

    /// A member that the client leaves out, if it comes back.
    fn left_out(&mut self, key: &str, old: &Value, parent: Spot<'_>, whole: &[&str]) -> Option<Value> {
        let member = parent.member(key);
        let is_apart = |spot: Spot<'_>, key: &str| {
            spot.apart_from().is_some_and(|other| {
                let other = self.update.new.pointer(other);
                other.is_some_and(|other| other.get(key).is_some())
            })
        };
        let gone = old.is_null()
            || member.is_servers()
            || whole.contains(&key)
            || member.is_useless(&self.update)
            || is_apart(parent, key);
        if gone {
            return None;
        }
        if member.apart_from().is_some() {
            // Some of its keys may have moved.
            return Some(self.value(old, &Value::Object(Map::new()), member));
        }
        self.keep(Reason::LeftOut);
        Some(old.clone())
    }

    fn list(&mut self, old: &[Value], new: &[Value], spot: Spot<'_>) -> Vec<Value> {
        let Some(items) = matched(old, new, &spot.identity()) else {
            return new.to_vec();
        };
        let mut merged = Vec::new();
        for item in items {
            self.place.push(&merged.len().to_string());
            merged.extend(match item {
                Item::New(new_at) => Some(new[new_at].clone()),
                Item::Both(_, new_at) if spot.is_whole() => Some(new[new_at].clone()),
                Item::Both(old_at, new_at) => Some(self.value(&old[old_at], &new[new_at], spot.item())),
                Item::Old(old_at) => self.left_out_item(&old[old_at], new, spot),
            });
            self.place.pop();
        }
        merged
    }

    /// An item that the client leaves out, if it comes back.
    fn left_out_item(&mut self, old: &Value, new: &[Value], list: Spot<'_>) -> Option<Value> {
        let collides = |aspect| match aspect {
            Aspect::Distinct(member) => {
                let value = old.get(member);
                value.is_some() && new.iter().any(|item| item.get(member) == value)
            }
            _ => false,
        };
        (!list.aspects().any(collides)).then(|| {
            self.keep(Reason::LeftOut);
            old.clone()
        })
    }

    fn keep(&mut self, reason: Reason) {
        self.kept.push(Field {
            path: self.place.to_string(),
            outcome: Outcome::Kept(reason),
        });
    }
}

/// The members of an object that are the client's alone, since it has one that they belong to.
fn taken_together<'a>(new: &Map<String, Value>, spot: Spot<'_>) -> Vec<&'a str> {
    let given = |member: &&str| new.get(*member).is_some_and(|value| !value.is_null());
    let groups = spot.aspects().filter_map(|aspect| match aspect {
        Aspect::Together(members) if members.iter().any(given) => Some(members),
        _ => None,
    });
    groups.flatten().copied().collect()
}
