//! The table: what the fields of built-in kinds may do when an object is updated, and which of them belong together.
//! Most specific path wins; what isn't listed may change.
//!
//! Where the supported versions of Kubernetes (1.32 to 1.36) differ, the row says what all of them accept: an update
//! that keeps a field is never refused, one that changes it may be.

mod objects;
mod others;
mod pods;
mod services;
mod storage;
mod workloads;

use super::aspect::Row;

pub(super) use objects::OBJECTS;

/// The rows of kinds that behave alike.
pub(super) struct KindRows {
    pub(super) group: &'static str,
    pub(super) resources: &'static [&'static str],
    /// Where a pod is described; none has an empty path.
    pub(super) pod: Option<&'static str>,
    pub(super) rows: &'static [Row],
}

/// All kinds of which there is something to say.
pub(super) const KINDS: &[KindRows] = &[
    pods::PODS,
    workloads::DEPLOYMENTS,
    workloads::STATEFUL_SETS,
    workloads::DAEMON_SETS,
    workloads::REPLICA_SETS,
    workloads::REPLICATION_CONTROLLERS,
    workloads::POD_TEMPLATES,
    workloads::CONTROLLER_REVISIONS,
    workloads::JOBS,
    workloads::CRON_JOBS,
    workloads::POD_DISRUPTION_BUDGETS,
    services::SERVICES,
    services::ENDPOINTS,
    services::ENDPOINT_SLICES,
    services::INGRESSES,
    services::INGRESS_CLASSES,
    services::SERVICE_CIDRS,
    services::IP_ADDRESSES,
    storage::CLAIMS,
    storage::VOLUMES,
    storage::STORAGE_CLASSES,
    storage::DRIVERS,
    storage::NODE_DRIVERS,
    storage::CAPACITIES,
    storage::ATTACHMENTS,
    storage::ATTRIBUTES_CLASSES,
    others::CONFIG_MAPS,
    others::SECRETS,
    others::SERVICE_ACCOUNTS,
    others::NAMESPACES,
    others::NODES,
    others::RESOURCE_QUOTAS,
    others::EVENTS,
    others::CLUSTER_ROLES,
    others::ROLE_BINDINGS,
    others::PRIORITY_CLASSES,
    others::RUNTIME_CLASSES,
    others::SIGNING_REQUESTS,
    others::WEBHOOKS,
    others::CUSTOM_RESOURCE_DEFINITIONS,
    others::API_SERVICES,
    others::FLOW_CONTROL,
    others::RESOURCE_CLAIMS,
    others::RESOURCE_SLICES,
];

impl KindRows {
    /// Of a built-in kind of which there is nothing more to say.
    pub(super) const UNLISTED: Self = Self {
        group: "",
        resources: &[],
        pod: None,
        rows: &[],
    };

    /// All rows, each with what its path starts at.
    pub(super) fn all(&self) -> impl Iterator<Item = (String, &'static [Row])> {
        let pod = self.pod.into_iter().flat_map(pods::in_pod);
        [(String::new(), objects::BUILT_IN), (String::new(), self.rows)]
            .into_iter()
            .chain(pod)
    }
}
