//! What is decided about, and whose interceptions decide.

use serde_json::Value;

use super::{Interception, NamespaceMappings, Subject};
use crate::custom_kind::CustomKind;
use crate::modifier::Rename;
use crate::restore::ORIGINAL_NAMESPACE;

/// An object on its way into the cluster.
#[derive(Debug)]
pub struct Case<'a> {
    /// What it is, as messages name it.
    pub subject: Subject<'a>,
    /// Whether rules may change the name of a new object; that of an existing one they never may.
    pub rename: Rename,
    /// The object as the client sends it.
    pub object: Value,
    /// The object in the cluster, where this is an update of it.
    pub existing: Option<Value>,
    /// What its definition says, where it is a custom resource and that was asked for. Without it, lists of an existing
    /// object are taken as a whole, and none of its fields is known to be immutable.
    pub custom: Option<&'a CustomKind>,
}

/// An interception that concerns an object.
#[derive(Debug, Clone, Copy)]
pub struct Concerned<'a> {
    /// The interception.
    pub interception: &'a Interception,
    /// The namespace mappings of the restore that restores the object, where they are known beside the interception: of
    /// Velero's, where the interception has it looked up; of ours, where the leader itself asks.
    pub restore: Option<&'a NamespaceMappings>,
}

impl<'a> Concerned<'a> {
    /// The namespaces that the object in `namespace` may come from. Whoever restores in the name of its requester is
    /// believed what it says of that: it is as if the requester wrote the object himself.
    pub(super) fn originals<'s>(self, namespace: &'s str, object: &'s Value) -> Vec<&'s str>
    where
        'a: 's,
    {
        let stated = object["metadata"]["annotations"][ORIGINAL_NAMESPACE].as_str();
        match (self.restore, &self.interception.matches.requester) {
            (None, Some(_)) => vec![stated.unwrap_or(namespace)],
            (Some(mappings), _) => mappings.originals(namespace),
            (None, None) => self.interception.mappings.originals(namespace),
        }
    }
}

impl<'a> From<&'a Interception> for Concerned<'a> {
    fn from(interception: &'a Interception) -> Self {
        Self {
            interception,
            restore: None,
        }
    }
}
