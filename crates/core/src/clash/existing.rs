//! The object in the cluster, against which an update is judged.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::aspect::Update;
use super::difference::differing;
use super::merge::merge;
use super::proposal::Proposal;
use super::settle::settle;
use super::spot::Spot;
use super::{Field, Outcome, Reason};
use crate::custom_kind::CustomKind;
use crate::interception::MODIFIED;
use crate::object::GroupResource;
use crate::patch::rewrite::rewrite;
use crate::patch::{Draft, EditError, Pointer};

/// The object in the cluster, with what is known of its kind.
#[derive(Debug, Clone, Copy)]
pub struct Existing<'a> {
    pub(super) object: &'a Value,
    pub(super) root: Spot<'a>,
}

/// The changes of an update that the API server would refuse, each with what was to be there.
#[derive(Debug, PartialEq, Eq)]
pub struct Losses(BTreeMap<String, Option<Value>>);

const LABELS: [&str; 2] = ["metadata", "labels"];

impl<'a> Existing<'a> {
    /// An object of a kind; `custom` describes the kind where it isn't built in.
    pub fn new(group_resource: &GroupResource, object: &'a Value, custom: Option<&'a CustomKind>) -> Self {
        Self {
            object,
            root: Spot::root(group_resource, object, custom),
        }
    }

    /// Whether an update changes nothing but the labels that tell what an object was restored by, and what the API
    /// server writes itself.
    pub fn is_only_labelled(&self, new: &Value) -> bool {
        differing(Some(self.object), Some(new), self.root)
            .iter()
            .all(|place| is_restore_label(place.tokens()))
    }

    /// Brings back what the client's object only leaves out or nulls, and what isn't the client's to give.
    ///
    /// # Errors
    /// The object would grow beyond the limits of a draft.
    pub fn add_onto(&self, draft: &mut Draft) -> Result<Vec<Field>, EditError> {
        let (merged, kept) = merge(self.update(draft.value()), self.root);
        rewrite(draft, &merged)?;
        Ok(kept)
    }

    /// Makes the draft the object in the cluster, but for the labels that tell what it was restored by and what the
    /// API server writes itself.
    ///
    /// # Errors
    /// The object would grow beyond the limits of a draft.
    pub fn retain(&self, draft: &mut Draft) -> Result<(), EditError> {
        let retained = retained(self.object, draft.value(), self.root, &mut Vec::new());
        rewrite(draft, &retained)
    }

    /// What the API server would refuse of an update to this object.
    pub fn losses(&self, new: &Value) -> Losses {
        let (_, losses) = settle(self.update(new), self.root);
        Losses(
            losses
                .into_iter()
                .map(|loss| (loss.place.to_string(), loss.wanted))
                .collect(),
        )
    }

    /// Puts back what the API server would refuse to change.
    ///
    /// # Errors
    /// The object would grow beyond the limits of a draft.
    pub fn put_back(&self, draft: &mut Draft) -> Result<Vec<Field>, EditError> {
        let (settled, losses) = settle(self.update(draft.value()), self.root);
        if let Cow::Owned(settled) = settled {
            rewrite(draft, &settled)?;
        }
        let field = |place: String| Field {
            path: place,
            outcome: Outcome::Kept(Reason::Immutable),
        };
        Ok(losses.iter().map(|loss| field(loss.place.to_string())).collect())
    }

    /// The fields in which an object differs from this one. What says where it was restored from, and by which rules,
    /// doesn't count.
    pub fn fields(&self, new: &Value, outcome: Outcome) -> Vec<Field> {
        let field = |place: Pointer| Field {
            path: place.to_string(),
            outcome,
        };
        self.places(new).into_iter().map(field).collect()
    }

    /// Proposes to make it another object, whose changes are those that the table allows.
    pub fn propose(self, wanted: Value) -> Proposal<'a> {
        Proposal::new(self, wanted)
    }

    /// Where an object differs from this one, as far as it counts.
    pub(super) fn places(&self, new: &Value) -> Vec<Pointer> {
        let mut places = differing(Some(self.object), Some(new), self.root);
        places.retain(|place| !is_restore_label(place.tokens()) && !is_mark(place.tokens()));
        places
    }

    /// What a place changes with: the name of a group of members, else itself.
    pub(super) fn unit(&self, new: &Value, place: &Pointer) -> String {
        let (mut spot, mut path) = (self.root, Pointer::default());
        for token in place.tokens() {
            if let Some(first) = spot.grouped_with(token) {
                path.push(first);
                break;
            }
            let here = path.lookup(new).or_else(|_| path.lookup(self.object));
            spot = if here.is_ok_and(Value::is_array) {
                spot.item()
            } else {
                spot.member(token)
            };
            path.push(token);
        }
        path.to_string()
    }

    const fn update<'u>(&self, new: &'u Value) -> Update<'u>
    where
        'a: 'u,
    {
        Update {
            old: self.object,
            new,
        }
    }
}

impl Losses {
    /// Whether the API server would take the update.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first place at which these lose what `before` did not.
    pub fn beyond(&self, before: &Self) -> Option<&str> {
        let is_new = |(place, wanted): &(&String, &Option<Value>)| before.0.get(*place) != Some(*wanted);
        self.0.iter().find(is_new).map(|(place, _)| place.as_str())
    }
}

/// The old value with those members of the new one that an update of nothing may still write.
fn retained(old: &Value, new: &Value, spot: Spot<'_>, path: &mut Vec<String>) -> Value {
    let (Some(old), Some(new_members)) = (old.as_object(), new.as_object()) else {
        return old.clone();
    };
    let mut members = Map::new();
    for key in old
        .keys()
        .chain(new_members.keys().filter(|key| !old.contains_key(*key)))
    {
        path.push(key.clone());
        let value = match (old.get(key), new_members.get(key)) {
            (_, new) if spot.member(key).is_servers() => new.cloned(),
            (old, new) if *path == LABELS => labels(old, new),
            (Some(old), Some(new)) => Some(retained(old, new, spot.member(key), path)),
            (old, _) => old.cloned(),
        };
        path.pop();
        members.extend(value.map(|value| (key.clone(), value)));
    }
    members.into()
}

/// The old labels, with what the new ones say of the restore.
fn labels(old: Option<&Value>, new: Option<&Value>) -> Option<Value> {
    let some = |labels: Option<&Value>, of_restore: bool| {
        let labels = labels.and_then(Value::as_object).cloned().unwrap_or_default();
        labels
            .into_iter()
            .filter(move |(name, _)| tells_of_restore(name) == of_restore)
    };
    let labels: Map<_, _> = some(old, false).chain(some(new, true)).collect();
    (old.is_some() || !labels.is_empty()).then(|| labels.into())
}

fn is_restore_label(path: &[String]) -> bool {
    path.strip_prefix(&LABELS.map(str::to_owned))
        .is_some_and(|rest| matches!(rest, [name] if tells_of_restore(name)))
}

/// Whether a label tells what an object was restored by.
fn tells_of_restore(label: &str) -> bool {
    matches!(label, "velero.io/restore-name" | "velero.io/backup-name")
        || label.starts_with("clusterbackup.io/")
}

fn is_mark(path: &[String]) -> bool {
    path == ["metadata", "annotations", MODIFIED]
}
