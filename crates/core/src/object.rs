//! What an object is, as far as a rule can ask.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an object as Kubernetes' URLs name it, without the version. One text, `deployments.apps` or
/// `configmaps`, since that is what rules are matched against, several times for one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(transparent)]
pub struct GroupResource(String);

impl GroupResource {
    /// A resource (plural and lower case, without dots) of a group, which is empty for the core group.
    pub fn new(group: &str, resource: &str) -> Self {
        Self(match group {
            "" => resource.to_owned(),
            group => format!("{resource}.{group}"),
        })
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, group)| group)
    }

    /// The resource.
    pub fn resource(&self) -> &str {
        self.0
            .split_once('.')
            .map_or(self.as_str(), |(resource, _)| resource)
    }
}

/// From the whole text.
impl From<&str> for GroupResource {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One object of a cluster or of a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct ObjectId {
    /// Its kind.
    #[serde(rename = "groupResource")]
    pub kind: GroupResource,
    /// Its namespace, where it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
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
    fn a_text_has_its_parts_and_the_core_group_is_not_written() {
        for (group, resource, text) in [
            ("", "configmaps", "configmaps"),
            ("apps", "deployments", "deployments.apps"),
            (
                "rbac.authorization.k8s.io",
                "roles",
                "roles.rbac.authorization.k8s.io",
            ),
        ] {
            let group_resource = GroupResource::new(group, resource);
            assert_eq!(group_resource.as_str(), text);
            assert_eq!(
                (group_resource.group(), group_resource.resource()),
                (group, resource)
            );
        }
    }
}
