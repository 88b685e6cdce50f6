//! What has to hold of a request beside its labels, in CEL: a request for which a condition is false is never sent.
//! What of it the handler and the leader have to know is said once more in core: a webhook configuration that somebody has
//! edited must not make us stand in a controller's way.

/// A condition in CEL, named for what passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Name of the condition, shown in the API server's errors.
    pub name: &'static str,
    /// The expression; a request for which it is false is not sent.
    pub expression: &'static str,
}

/// **Labels propagate**: the endpoints and endpointslice controllers copy a Service's labels to what they
/// make of it, a restore's label among them. Had we a say over those objects, a rule or an outage of ours
/// would block the controller for ever; so what the control plane writes is never sent. The two conditions
/// below say the same of nodes and of controllers that run under their own account.
pub(super) const NOT_BY_THE_CONTROL_PLANE: Condition = Condition {
    name: "not-by-the-control-plane",
    expression: "!(request.userInfo.username in ['system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver'])",
};

pub(super) const NOT_BY_A_NODE: Condition = Condition {
    name: "not-by-a-node",
    expression: "!request.userInfo.username.startsWith('system:node:')",
};

pub(super) const NOT_BY_A_SYSTEM_CONTROLLER: Condition = Condition {
    name: "not-by-a-system-controller",
    expression: "!request.userInfo.username.startsWith('system:serviceaccount:kube-system:')",
};

/// Heartbeats and notes: written all the time by parts that must not wait, restored by nobody.
pub(super) const NOT_A_LEASE_OR_EVENT: Condition = Condition {
    name: "not-a-lease-or-event",
    expression: "!(request.resource.resource in ['leases', 'events'] && request.resource.group in ['', 'coordination.k8s.io', 'events.k8s.io'])",
};

/// Questions in the shape of objects (who am I, may I): nothing is stored, so nothing can be restored.
pub(super) const NOT_A_QUESTION: Condition = Condition {
    name: "not-a-question",
    expression: "!(request.resource.group in ['authentication.k8s.io', 'authorization.k8s.io'])",
};

/// A rule that changes our own kinds could lock its own way out.
pub(super) const NOT_OUR_OWN_KIND: Condition = Condition {
    name: "not-our-own-kind",
    expression: "request.resource.group != 'clusterbackup.io'",
};

/// Keeps the Velero door's objects apart from those of the first door, which takes no updates.
pub(super) const NOT_OPTED_IN_BY_NAME: Condition = Condition {
    name: "not-opted-in-by-name",
    expression: "request.operation == 'UPDATE' || !object.metadata.?labels[?'clusterbackup.io/intercept'].hasValue()",
};

/// Objects keep the label for ever: of their updates, those are a restore's that give it another value. One that drops
/// it is no restore.
pub(super) const BY_ANOTHER_RESTORE: Condition = Condition {
    name: "by-another-restore",
    expression: "request.operation == 'CREATE' || (object.metadata.?labels[?'velero.io/restore-name'].hasValue() && object.metadata.?labels[?'velero.io/restore-name'] != oldObject.metadata.?labels[?'velero.io/restore-name'])",
};

/// A controller that isn't part of the control plane copies labels as well, and writes what it owns again until it is
/// as it wants it: had we a say, the two of us would never end.
pub(super) const NOT_A_CONTROLLERS_UPDATE: Condition = Condition {
    name: "not-an-update-of-a-controllers-object",
    expression: "request.operation == 'CREATE' || !object.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false))",
};

/// A label, a finalizer, a note of some controller: nobody's rights are meant by it.
pub(super) const CHANGES_WHAT_IT_SAYS: Condition = Condition {
    name: "changes-what-it-says",
    expression: "request.operation == 'CREATE' || object.?spec != oldObject.?spec",
};

/// The same of hooks, whose requester stands outside of the spec.
pub(super) const CHANGES_THE_HOOK_OR_ITS_REQUESTER: Condition = Condition {
    name: "changes-the-hook-or-its-requester",
    expression: "request.operation == 'CREATE' || object.?spec != oldObject.?spec || object.metadata.?annotations[?'clusterbackup.io/requester'] != oldObject.metadata.?annotations[?'clusterbackup.io/requester']",
};

#[cfg(test)]
mod tests {
    use clusterbackup_api::labels;
    use clusterbackup_core::interception::{is_control_plane, is_reviewed};

    use super::*;

    #[test]
    fn the_expressions_name_the_labels_and_the_group_that_are_meant() {
        for (condition, meant) in [
            (NOT_OPTED_IN_BY_NAME, labels::INTERCEPT),
            (BY_ANOTHER_RESTORE, labels::VELERO_RESTORE),
            (NOT_OUR_OWN_KIND, clusterbackup_api::GROUP),
            (CHANGES_THE_HOOK_OR_ITS_REQUESTER, labels::REQUESTER),
        ] {
            let quoted = format!("'{meant}'");
            assert!(condition.expression.contains(&quoted), "{}", condition.name);
        }
    }

    #[test]
    fn whoever_is_never_sent_is_known_to_the_handler() {
        let mut conditions = [
            NOT_BY_THE_CONTROL_PLANE,
            NOT_BY_A_NODE,
            NOT_BY_A_SYSTEM_CONTROLLER,
        ]
        .into_iter()
        .flat_map(|condition| condition.expression.split('\'').skip(1).step_by(2));
        assert!(conditions.clone().count() == 5 && conditions.all(is_control_plane));
        for other in ["", "jane", "system:serviceaccount:velero:velero", "system:nodes"] {
            assert!(!is_control_plane(other), "{other}");
        }
    }

    #[test]
    fn kinds_that_are_never_sent_are_known_to_whoever_restores_them() {
        let quoted = |condition: Condition| condition.expression.split('\'').skip(1).step_by(2);
        let kinds = quoted(NOT_A_LEASE_OR_EVENT).take(2);
        let groups = quoted(NOT_A_LEASE_OR_EVENT).skip(2);
        let kinds: Vec<_> = kinds
            .flat_map(|kind| {
                groups
                    .clone()
                    .map(move |group| format!("{kind}.{group}").trim_end_matches('.').to_owned())
            })
            .filter(|kind| !["events.coordination.k8s.io", "leases.events.k8s.io"].contains(&kind.as_str()))
            .collect();
        let others = [NOT_A_QUESTION, NOT_OUR_OWN_KIND].into_iter().flat_map(quoted);
        let others = others.map(|group| format!("things.{group}"));
        for kind in others.chain(kinds) {
            assert!(!is_reviewed(&kind.as_str().into(), "jane"), "{kind}");
        }
    }
}
