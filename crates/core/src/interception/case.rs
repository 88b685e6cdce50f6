//! What is decided about, and whose interceptions decide.

use serde_json::Value;

use super::{Interception, NamespaceMappings, Subject};
use crate::custom_kind::CustomKind;
use crate::modifier::Rename;

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
    /// The namespace mappings of the Velero Restore that restores the object, where the interception has it looked up.
    pub velero: Option<&'a NamespaceMappings>,
}

impl<'a> Concerned<'a> {
    /// The mappings that say where the object comes from.
    pub fn mappings(self) -> &'a NamespaceMappings {
        self.velero.unwrap_or(&self.interception.mappings)
    }
}

impl<'a> From<&'a Interception> for Concerned<'a> {
    fn from(interception: &'a Interception) -> Self {
        Self {
            interception,
            velero: None,
        }
    }
}
