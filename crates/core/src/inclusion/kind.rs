//! The kinds that a cluster serves.

use crate::object::GroupResource;

/// Kinds whose objects the control plane, a node or the snapshot machinery makes for itself, and the records of
/// our own runs. Snapshots go in through their claims alone.
pub const NEVER: [&str; 13] = [
    "events",
    "events.events.k8s.io",
    "nodes",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "volumesnapshots.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumegroupsnapshots.groupsnapshot.storage.k8s.io",
    "volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io",
    "backups.clusterbackup.io",
    "nodetasks.clusterbackup.io",
    "recoverypoints.clusterbackup.io",
    "restores.clusterbackup.io",
];

/// Groups of which no kind goes in: another tool's records of its own backups.
pub const NEVER_GROUPS: [&str; 1] = ["velero.io"];

/// Kinds that are served a second time in the group `extensions`, and where they are at home.
const TWINS: [(&str, &str); 5] = [
    ("deployments.extensions", "deployments.apps"),
    ("daemonsets.extensions", "daemonsets.apps"),
    ("replicasets.extensions", "replicasets.apps"),
    ("ingresses.extensions", "ingresses.networking.k8s.io"),
    ("networkpolicies.extensions", "networkpolicies.networking.k8s.io"),
];

/// A kind that a cluster serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its name in URLs.
    pub group_resource: GroupResource,
    /// The version that the API server prefers among those that have the kind.
    pub version: String,
    /// Its name in objects.
    pub kind: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether its objects can be listed, read, created and deleted: else they are no objects that could be restored.
    pub is_whole: bool,
}

/// Whether no object of the kind is ever stored or restored.
pub(crate) fn is_never(kind: &GroupResource) -> bool {
    NEVER.contains(&kind.as_str()) || NEVER_GROUPS.contains(&kind.group())
}

impl Kind {
    /// The Namespaces.
    pub fn namespaces() -> GroupResource {
        GroupResource::new("", "namespaces")
    }

    /// The claims of volumes.
    pub fn claims() -> GroupResource {
        GroupResource::new("", "persistentvolumeclaims")
    }

    /// The definitions of custom resources.
    pub fn definitions() -> GroupResource {
        GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions")
    }

    /// The bindings of cluster roles.
    pub fn cluster_role_bindings() -> GroupResource {
        GroupResource::new("rbac.authorization.k8s.io", "clusterrolebindings")
    }

    /// What stands as `apiVersion` in its objects.
    pub fn api_version(&self) -> String {
        match self.group_resource.group() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether none of its objects ever goes in.
    pub(super) fn is_never(&self) -> bool {
        is_never(&self.group_resource)
    }

    /// The kind that serves the same objects at home.
    pub(super) fn twin(&self) -> Option<GroupResource> {
        let name = self.group_resource.as_str();
        let (_, home) = TWINS.iter().find(|(guest, _)| *guest == name)?;
        let (resource, group) = home.split_once('.')?;
        Some(GroupResource::new(group, resource))
    }
}
