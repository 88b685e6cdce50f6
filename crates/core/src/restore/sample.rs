//! What tests of restores are made of.

use serde_json::Value;

use super::{Conflicts, Mappings, Prepared, Ready, Restore, Survey, Terms, Volumes, prepare};
use crate::object::{GroupResource, ObjectId};

/// A kind from its one text.
pub(super) fn kind(text: &str) -> GroupResource {
    let (resource, group) = text.split_once('.').unwrap_or((text, ""));
    GroupResource::new(group, resource)
}

/// An object from its kind and `namespace/name` or `name`.
pub(super) fn id(text: &str, name: &str) -> ObjectId {
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None => (None, name),
    };
    ObjectId {
        kind: kind(text),
        namespace,
        name: name.to_owned(),
    }
}

/// A restore of `shop` as it was, without the data of volumes.
pub(super) fn terms(mappings: &[(&str, &str)]) -> Terms {
    Terms {
        restore: Restore {
            name: "friday".to_owned(),
            uid: "7f1c".to_owned(),
        },
        mappings: Mappings::parse(mappings.iter().copied()).unwrap(),
        volumes: Volumes::Without,
        conflicts: Conflicts::Skip,
    }
}

/// What becomes of an object by itself.
pub(super) fn prepared(text: &str, object: Value, mappings: &[(&str, &str)]) -> Prepared {
    prepare(object, &kind(text), &terms(mappings), &Survey::default())
}

/// The object that is created.
pub(super) fn created(text: &str, object: Value, mappings: &[(&str, &str)]) -> Value {
    ready(prepared(text, object, mappings)).object
}

/// What is created.
pub(super) fn ready(prepared: Prepared) -> Ready {
    match prepared {
        Prepared::Create(ready) => *ready,
        Prepared::LeftOut(reason) => panic!("left out: {reason}"),
        Prepared::WithoutData(reason) => panic!("without data: {reason}"),
    }
}
