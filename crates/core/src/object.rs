//! What an object is, as far as a rule can ask.

use std::fmt;

/// The kind of an object as Kubernetes' URLs name it, without the version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource: plural and lower case.
    pub resource: String,
}

impl GroupResource {
    /// A resource of a group.
    pub fn new(group: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            resource: resource.into(),
        }
    }
}

/// `deployments.apps`, `configmaps`.
impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

/// The name of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectName<'a> {
    /// It has this name.
    Exact(&'a str),
    /// The API server will make a name of this (`generateName`).
    Prefix(&'a str),
}

impl<'a> ObjectName<'a> {
    /// What is known of the name.
    pub const fn known(&self) -> &'a str {
        match self {
            Self::Exact(name) | Self::Prefix(name) => name,
        }
    }
}

/// An object as the conditions of a rule see it, beside its content.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What it is.
    pub group_resource: &'a GroupResource,
    /// Its name.
    pub name: ObjectName<'a>,
    /// The namespace it was in when it was backed up; `None` for a cluster-scoped object.
    pub original_namespace: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_group_is_not_written() {
        assert_eq!(GroupResource::new("", "configmaps").to_string(), "configmaps");
        assert_eq!(
            GroupResource::new("apps", "deployments").to_string(),
            "deployments.apps"
        );
    }
}
