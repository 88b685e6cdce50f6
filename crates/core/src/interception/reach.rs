//! What the webhook is never asked about, by the conditions of its door and by the API server itself. Whoever creates such
//! objects and wants rules applied to them applies them himself.

use crate::object::GroupResource;

/// The API server shows these to no webhook: they could lock their own way out.
const UNSEEN_GROUP: &str = "admissionregistration.k8s.io";
/// Heartbeats and notes.
const UNASKED_KINDS: [&str; 4] = [
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "leases",
];
/// Questions in the shape of objects, and our own kinds.
const UNASKED_GROUPS: [&str; 3] = [
    "authentication.k8s.io",
    "authorization.k8s.io",
    "clusterbackup.io",
];

const CONTROL_PLANE: [&str; 3] = [
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:apiserver",
];
const NODES: &str = "system:node:";
const SYSTEM_CONTROLLERS: &str = "system:serviceaccount:kube-system:";

/// Whether a request is by somebody who must never wait for us.
pub fn is_control_plane(username: &str) -> bool {
    CONTROL_PLANE.contains(&username)
        || username.starts_with(NODES)
        || username.starts_with(SYSTEM_CONTROLLERS)
}

/// Whether the webhook is asked when `username` creates an object of the kind, in a namespace that is not left out.
pub fn is_reviewed(kind: &GroupResource, username: &str) -> bool {
    let group = kind.group();
    group != UNSEEN_GROUP
        && !UNASKED_GROUPS.contains(&group)
        && !UNASKED_KINDS.contains(&kind.as_str())
        && !is_control_plane(username)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_door_leaves_out_and_what_no_webhook_sees_is_not_reviewed() {
        for (kind, username, reviewed) in [
            ("configmaps", "jane", true),
            ("roles.rbac.authorization.k8s.io", "jane", true),
            ("widgets.example.com", "jane", true),
            ("leases.coordination.k8s.io", "jane", false),
            ("events", "jane", false),
            ("backuppolicies.clusterbackup.io", "jane", false),
            ("subjectaccessreviews.authorization.k8s.io", "jane", false),
            (
                "validatingadmissionpolicies.admissionregistration.k8s.io",
                "jane",
                false,
            ),
            ("configmaps", "system:node:a", false),
            ("configmaps", "system:serviceaccount:kube-system:a", false),
            ("configmaps", "system:serviceaccount:shop:a", true),
        ] {
            assert_eq!(
                is_reviewed(&kind.into(), username),
                reviewed,
                "{kind} by {username}"
            );
        }
    }
}
