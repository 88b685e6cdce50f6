//! What holds for the objects of every kind.

use crate::clash::aspect::Aspect::Servers;
use crate::clash::aspect::{LIVE, Row, Update, when};
use crate::clash::change::Change;

/// Every object. A client's owner references name objects of another cluster or another life.
pub(crate) const OBJECTS: &[Row] = &[
    ("/apiVersion", Servers),
    ("/kind", Servers),
    ("/metadata/name", Servers),
    ("/metadata/generateName", Servers),
    ("/metadata/namespace", Servers),
    ("/metadata/uid", Servers),
    ("/metadata/resourceVersion", Servers),
    ("/metadata/generation", Servers),
    ("/metadata/creationTimestamp", Servers),
    ("/metadata/deletionTimestamp", Servers),
    ("/metadata/deletionGracePeriodSeconds", Servers),
    ("/metadata/selfLink", Servers),
    ("/metadata/managedFields", Servers),
    ("/metadata/ownerReferences", LIVE),
    (
        "/metadata/finalizers",
        when(
            "may change; while the object is being deleted, it may only shrink",
            finalizers,
        ),
    ),
];

/// Every object of a built-in kind: the API server takes no status from an update of the object itself.
pub(crate) const BUILT_IN: &[Row] = &[("/status", Servers)];

fn finalizers(update: &Update<'_>) -> Change {
    match update.old_text("/metadata/deletionTimestamp") {
        Some(_) => Change::Removals,
        None => Change::FREE,
    }
}
