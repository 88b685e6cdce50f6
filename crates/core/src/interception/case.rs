//! What is decided about, and whose interceptions decide.

use serde_json::Value;

use super::{Interception, Subject};
use crate::modifier::Rename;

/// An object on its way into the cluster.
#[derive(Debug)]
pub struct Case<'a> {
    /// What it is, as messages name it.
    pub subject: Subject<'a>,
    /// Whether rules may change its name.
    pub rename: Rename,
    /// The object as the client sends it.
    pub object: Value,
    /// The object in the cluster, where this is an update of it.
    pub existing: Option<Value>,
}

/// An interception that concerns an object.
#[derive(Debug, Clone, Copy)]
pub struct Concerned<'a> {
    /// The interception.
    pub interception: &'a Interception,
}

impl<'a> From<&'a Interception> for Concerned<'a> {
    fn from(interception: &'a Interception) -> Self {
        Self { interception }
    }
}
