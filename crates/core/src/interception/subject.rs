//! The object that is decided about, as messages name it.

use std::fmt;

use crate::object::{GroupResource, ObjectName};

/// The object a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it is.
    pub group_resource: &'a GroupResource,
    /// Its name, or the prefix of a name that the API server is yet to make.
    pub name: ObjectName<'a>,
    /// The namespace it is created in; `None` for a cluster-scoped object.
    pub namespace: Option<&'a str>,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.group_resource)?;
        if let Some(namespace) = self.namespace {
            write!(f, "{namespace}/")?;
        }
        match self.name {
            ObjectName::Exact(name) => f.write_str(name),
            ObjectName::Prefix(prefix) => write!(f, "{prefix}…"),
        }
    }
}
