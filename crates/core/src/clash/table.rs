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

pub(super) use objects::{BUILT_IN, OBJECTS};
pub(super) use pods::{CONTAINER, POD};

/// The rows of kinds that behave alike.
pub(super) struct KindRows {
    pub(super) group: &'static str,
    pub(super) resources: &'static [&'static str],
    /// Where a pod is described, if one is.
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
    workloads::AUTOSCALERS,
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
    pub(super) const UNLISTED: Self = Self::of("", &[], &[]);

    const fn of(group: &'static str, resources: &'static [&'static str], rows: &'static [Row]) -> Self {
        Self {
            group,
            resources,
            pod: None,
            rows,
        }
    }

    /// They describe a pod at `place`.
    const fn with_pod(self, place: &'static str) -> Self {
        Self {
            pod: Some(place),
            ..self
        }
    }

    /// All rows, each with what its path starts at.
    pub(super) fn all(&self) -> impl Iterator<Item = (String, &'static [Row])> {
        let pod = self.pod.into_iter().flat_map(pods::in_pod);
        [(String::new(), BUILT_IN), (String::new(), self.rows)]
            .into_iter()
            .chain(pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Pointer;
    use crate::schema::{Kind, Nature, Place, built_in_kinds};

    /// The kind of which objects are under a resource.
    fn kind_of(group: &str, resource: &str) -> &'static Kind {
        let is_kind = |kind: &&Kind| {
            let of_group = kind.api_version.split_once('/').map_or("", |(group, _)| group);
            (of_group, kind.resource) == (group, resource)
        };
        let name = format!("{resource}.{group}");
        built_in_kinds().find(is_kind).expect(&name)
    }

    fn at<'s>(root: Place<'s>, path: &Pointer) -> Place<'s> {
        path.tokens()
            .iter()
            .fold(root, |place, token| match place.nature() {
                Nature::List => place.item(),
                _ => place.member(token),
            })
    }

    #[test]
    fn every_path_leads_somewhere() {
        for kind in KINDS {
            for resource in kind.resources {
                let root = kind_of(kind.group, resource).root();
                for (start, rows) in kind.all() {
                    for (path, aspect) in rows {
                        let pointer = Pointer::parse(&format!("{start}{path}")).expect(path);
                        let place = at(root, &pointer);
                        let is_known = place.nature() != Nature::Unknown;
                        assert!(is_known || *path == "/status", "{resource}: {pointer}: {aspect}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_kind_stands_there_once() {
        let resources = KINDS
            .iter()
            .flat_map(|kind| kind.resources.iter().map(|resource| (kind.group, *resource)));
        let mut resources: Vec<_> = resources.collect();
        let all = resources.len();
        resources.sort_unstable();
        resources.dedup();
        assert_eq!(resources.len(), all);
    }
}
