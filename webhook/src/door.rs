//! The handler table: which requests the API server sends to us, by which path, and what happens when we are
//! not there. The webhook configurations in `manifests/` are generated from it (`cargo xtask manifests`), so
//! that the two can't drift apart.
//!
//! What keeps a door narrow is worked out in the API server: a request that an entry doesn't ask for never
//! waits for us. A selector can't say OR, so there is one entry per opt-in label; their conditions exclude
//! each other, so an object with several labels is reviewed once.

mod conditions;

use clusterbackup_api::{labels, namespaces};

pub use self::conditions::Condition;
use self::conditions::{
    BY_ANOTHER_RESTORE, CHANGES_THE_HOOK_OR_ITS_REQUESTER, CHANGES_WHAT_IT_SAYS, NOT_A_CONTROLLERS_UPDATE,
    NOT_A_LEASE_OR_EVENT, NOT_A_QUESTION, NOT_BY_A_NODE, NOT_BY_A_SYSTEM_CONTROLLER,
    NOT_BY_THE_CONTROL_PLANE, NOT_OPTED_IN_BY_NAME, NOT_OUR_OWN_KIND,
};

/// Where [`Review::Intercept`] requests go.
pub const INTERCEPT_PATH: &str = "/intercept";

/// Where [`Review::Requester`] requests go.
pub const REQUESTER_PATH: &str = "/requester";

/// Where [`Review::Validate`] requests go.
pub const VALIDATE_PATH: &str = "/validate";

/// How long the API server waits for an answer. Our own deadline lies below it, so that we choose the
/// answer.
pub const TIMEOUT_SECONDS: i32 = 5;

/// One entry of a webhook configuration.
#[derive(Debug)]
pub struct Entry {
    /// Name of the configuration object that holds the entry.
    pub configuration: &'static str,
    /// Name of the entry, unique among all of them.
    pub name: &'static str,
    /// The handler.
    pub review: Review,
    /// The resources that it is asked about, never their subresources.
    pub resources: Resources,
    /// The operations that it is asked about.
    pub operations: &'static [&'static str],
    /// The label that an object needs to be sent at all.
    pub opt_in: Option<OptIn>,
    /// Namespaces whose objects are never sent. Cluster-scoped objects are in none.
    pub excluded_namespaces: &'static [&'static str],
    /// What else has to hold of a request.
    pub conditions: &'static [Condition],
    /// What happens to a request when we don't answer.
    pub failure_policy: FailurePolicy,
}

/// The handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review {
    /// Changes what is restored, or refuses it.
    Intercept,
    /// Writes into the object who writes it.
    Requester,
    /// Refuses what makes no sense.
    Validate,
}

impl Review {
    const ALL: [Self; 3] = [Self::Intercept, Self::Requester, Self::Validate];

    /// The path that the API server calls.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Intercept => INTERCEPT_PATH,
            Self::Requester => REQUESTER_PATH,
            Self::Validate => VALIDATE_PATH,
        }
    }

    /// The handler that is called by a path.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|review| review.path() == path)
    }

    /// Whether it may change the object, which is a webhook configuration of another kind.
    pub const fn mutates(self) -> bool {
        match self {
            Self::Intercept | Self::Requester => true,
            Self::Validate => false,
        }
    }
}

/// Resources by group, version and plural names; `*` is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// The API group, empty for the core group.
    pub group: &'static str,
    /// The version of the group.
    pub version: &'static str,
    /// The plural names.
    pub resources: &'static [&'static str],
}

/// The label by which an object is opted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptIn {
    /// A label of this key, with any value.
    Exists(&'static str),
    /// A label of this key that is switched on.
    Enabled(&'static str),
}

/// What the API server does when we don't answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Refuse the request.
    Fail,
    /// Let it through unseen.
    Ignore,
}

const INSTANCES: Resources = Resources {
    group: clusterbackup_api::GROUP,
    version: "v1alpha1",
    resources: &["backupinstances"],
};

const RESTORES: Resources = Resources {
    group: clusterbackup_api::GROUP,
    version: "v1alpha1",
    resources: &["restores"],
};

const HOOKS: Resources = Resources {
    group: clusterbackup_api::HOOK_GROUP,
    version: "v1alpha1",
    resources: &["backuphooks", "restorehooks"],
};

const EVERYTHING: Resources = Resources {
    group: "*",
    version: "*",
    resources: &["*"],
};

/// Every entry of every configuration.
pub const ENTRIES: [Entry; 12] = [
    // CREATE alone: whoever labels an object means its way into the cluster, and later updates are nobody's
    // business here. Fail is safe because nothing reaches the door that wasn't labelled for it.
    Entry {
        configuration: "clusterbackup-intercept",
        name: "intercept.clusterbackup.io",
        review: Review::Intercept,
        resources: EVERYTHING,
        operations: &["CREATE"],
        opt_in: Some(OptIn::Exists(labels::INTERCEPT)),
        excluded_namespaces: &namespaces::EXCLUDED,
        conditions: &[
            NOT_BY_THE_CONTROL_PLANE,
            NOT_BY_A_NODE,
            NOT_BY_A_SYSTEM_CONTROLLER,
            NOT_A_LEASE_OR_EVENT,
            NOT_A_QUESTION,
            NOT_OUR_OWN_KIND,
        ],
        failure_policy: FailurePolicy::Fail,
    },
    // Velero labels everything that it restores, what exists already included, so this entry is a configuration of its
    // own: to install it is to opt every Velero restore in.
    Entry {
        configuration: "clusterbackup-velero",
        name: "velero.clusterbackup.io",
        review: Review::Intercept,
        resources: EVERYTHING,
        operations: &["CREATE", "UPDATE"],
        opt_in: Some(OptIn::Exists(labels::VELERO_RESTORE)),
        excluded_namespaces: &namespaces::EXCLUDED,
        conditions: &[
            NOT_BY_THE_CONTROL_PLANE,
            NOT_BY_A_NODE,
            NOT_BY_A_SYSTEM_CONTROLLER,
            NOT_A_LEASE_OR_EVENT,
            NOT_A_QUESTION,
            NOT_OUR_OWN_KIND,
            NOT_OPTED_IN_BY_NAME,
            BY_ANOTHER_RESTORE,
            NOT_A_CONTROLLERS_UPDATE,
        ],
        failure_policy: FailurePolicy::Fail,
    },
    // Validation is a service to whoever writes: what slips through while we are away is found when it is
    // loaded, so it must never stand in anybody's way.
    Entry {
        configuration: "clusterbackup-validate",
        name: "validate.clusterbackup.io",
        review: Review::Validate,
        resources: Resources {
            group: clusterbackup_api::GROUP,
            version: "v1alpha1",
            resources: &["restoreinterceptions"],
        },
        operations: &["CREATE", "UPDATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[],
        failure_policy: FailurePolicy::Ignore,
    },
    // An entry of its own, because only here the label is the condition.
    Entry {
        configuration: "clusterbackup-validate",
        name: "validate-rules.clusterbackup.io",
        review: Review::Validate,
        resources: Resources {
            group: "",
            version: "v1",
            resources: &["configmaps"],
        },
        operations: &["CREATE", "UPDATE"],
        opt_in: Some(OptIn::Enabled(labels::RESOURCE_MODIFIER)),
        excluded_namespaces: &[],
        conditions: &[],
        failure_policy: FailurePolicy::Ignore,
    },
    // Backups have the rights of who is recorded here: without us nobody could be, so nothing is let in. Only where the
    // whole system is installed; elsewhere hooks are AKS Backup's alone.
    Entry {
        configuration: "clusterbackup-requester",
        name: "requester.clusterbackup.io",
        review: Review::Requester,
        resources: INSTANCES,
        operations: &["CREATE", "UPDATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[CHANGES_WHAT_IT_SAYS],
        failure_policy: FailurePolicy::Fail,
    },
    // CREATE alone: a restore stays as it was asked for, whoever stops it.
    Entry {
        configuration: "clusterbackup-requester",
        name: "restore-requester.clusterbackup.io",
        review: Review::Requester,
        resources: RESTORES,
        operations: &["CREATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[],
        failure_policy: FailurePolicy::Fail,
    },
    Entry {
        configuration: "clusterbackup-requester",
        name: "hook-requester.clusterbackup.io",
        review: Review::Requester,
        resources: HOOKS,
        operations: &["CREATE", "UPDATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[CHANGES_THE_HOOK_OR_ITS_REQUESTER],
        failure_policy: FailurePolicy::Fail,
    },
    // The leader asks again before it does anything.
    Entry {
        configuration: "clusterbackup-validate-backups",
        name: "validate-instances.clusterbackup.io",
        review: Review::Validate,
        resources: INSTANCES,
        operations: &["CREATE", "UPDATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[CHANGES_WHAT_IT_SAYS],
        failure_policy: FailurePolicy::Ignore,
    },
    Entry {
        configuration: "clusterbackup-validate-backups",
        name: "validate-restores.clusterbackup.io",
        review: Review::Validate,
        resources: RESTORES,
        operations: &["CREATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[],
        failure_policy: FailurePolicy::Ignore,
    },
    Entry {
        configuration: "clusterbackup-validate-backups",
        name: "validate-hooks.clusterbackup.io",
        review: Review::Validate,
        resources: HOOKS,
        operations: &["CREATE", "UPDATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[CHANGES_WHAT_IT_SAYS],
        failure_policy: FailurePolicy::Ignore,
    },
    // What vaults promise is kept by the leader, whatever is written.
    Entry {
        configuration: "clusterbackup-validate-backups",
        name: "validate-policies.clusterbackup.io",
        review: Review::Validate,
        resources: Resources {
            group: clusterbackup_api::GROUP,
            version: "v1alpha1",
            resources: &["backuppolicies"],
        },
        operations: &["CREATE", "UPDATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[CHANGES_WHAT_IT_SAYS],
        failure_policy: FailurePolicy::Ignore,
    },
    Entry {
        configuration: "clusterbackup-validate-backups",
        name: "validate-points.clusterbackup.io",
        review: Review::Validate,
        resources: Resources {
            group: clusterbackup_api::GROUP,
            version: "v1alpha1",
            resources: &["recoverypoints"],
        },
        operations: &["UPDATE"],
        opt_in: None,
        excluded_namespaces: &[],
        conditions: &[CHANGES_WHAT_IT_SAYS],
        failure_policy: FailurePolicy::Ignore,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> &'static Entry {
        const TABLE: &[Entry] = &ENTRIES;
        TABLE.iter().find(|entry| entry.name == name).unwrap()
    }

    #[test]
    fn an_entry_that_can_refuse_for_our_absence_asks_for_opted_in_objects_and_our_own_alone() {
        for entry in &ENTRIES {
            if entry.failure_policy == FailurePolicy::Fail
                && ![INSTANCES, RESTORES, HOOKS].contains(&entry.resources)
            {
                assert!(matches!(entry.opt_in, Some(OptIn::Exists(_))), "{}", entry.name);
                assert_eq!(entry.excluded_namespaces, namespaces::EXCLUDED, "{}", entry.name);
            }
        }
    }

    #[test]
    fn an_object_with_both_labels_passes_one_door() {
        assert!(
            entry("velero.clusterbackup.io")
                .conditions
                .contains(&NOT_OPTED_IN_BY_NAME)
        );
        assert!(
            !entry("intercept.clusterbackup.io")
                .conditions
                .contains(&NOT_OPTED_IN_BY_NAME)
        );
    }

    #[test]
    fn our_own_kinds_are_never_intercepted() {
        for entry in ENTRIES.iter().filter(|entry| entry.review == Review::Intercept) {
            assert!(entry.conditions.contains(&NOT_OUR_OWN_KIND), "{}", entry.name);
        }
    }

    #[test]
    fn an_entry_that_takes_updates_takes_those_alone_that_are_a_restores() {
        for entry in ENTRIES.iter().filter(|entry| entry.review == Review::Intercept) {
            let takes_updates = entry.operations.contains(&"UPDATE");
            for condition in [BY_ANOTHER_RESTORE, NOT_A_CONTROLLERS_UPDATE] {
                assert_eq!(
                    entry.conditions.contains(&condition),
                    takes_updates,
                    "{}",
                    entry.name
                );
            }
        }
    }

    #[test]
    fn one_configuration_holds_one_kind_of_review() {
        for (one, other) in ENTRIES
            .iter()
            .flat_map(|one| ENTRIES.iter().map(move |other| (one, other)))
        {
            assert!(one.configuration != other.configuration || one.review == other.review);
        }
    }
}
