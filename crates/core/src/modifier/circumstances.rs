//! What applying rules has to know besides the object.

use crate::clash::Existing;
use crate::custom_kind::CustomKind;

/// Whether a rule may change the name of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// It may.
    Allowed,
    /// It may not, for this reason.
    Refused(&'static str),
}

/// What applying rules has to know besides the object.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Whether a rule may change the name.
    pub rename: Rename,
    /// The kind of a custom object, where its lists may be merged by their keys.
    pub custom: Option<&'a CustomKind>,
    /// The object in the cluster that is updated, if one is. What can't be changed of it, no rule changes.
    pub existing: Option<Existing<'a>>,
}

impl From<Rename> for Circumstances<'_> {
    fn from(rename: Rename) -> Self {
        Self {
            rename,
            custom: None,
            existing: None,
        }
    }
}
