//! Which pods and claims a backup instance takes.
//!
//! - `namespaces`: the namespaces that an instance or a hook names
//! - `subject`: what decisions need to know of a pod and of a claim

mod namespaces;
mod subject;

use std::collections::BTreeSet;

pub use namespaces::{BadNamespace, Namespaces, PROTECTED};
pub use subject::{Claim, ClaimPhase, Name, Namespace, Pod, PodPhase, Volume};

use crate::selector::LabelSelector;

/// Label, with the value `true`: a person leaves an object out of backups, on a namespace all that is in it.
/// Velero's word, so that what is left out there is left out here.
pub const EXCLUDE: &str = "velero.io/exclude-from-backup";

/// What an instance asks for.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The namespaces.
    pub namespaces: Namespaces,
    /// Which objects in them.
    pub labels: LabelSelector,
}

/// What an instance takes, each list in the order of namespaces and names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// Its pods, in whatever phase.
    pub pods: Vec<&'a Pod>,
    /// Its claims.
    pub claims: Vec<&'a Claim>,
    /// Claims that a label on them leaves out.
    pub excluded: Vec<&'a Claim>,
    /// Namespaces that the instance names and that don't exist.
    pub missing: Vec<String>,
}

impl Filter {
    /// The namespaces of the cluster that are taken.
    pub fn namespaces<'a>(&self, cluster: &'a [Namespace]) -> Vec<&'a str> {
        let taken = cluster
            .iter()
            .filter(|namespace| self.namespaces.takes(&namespace.name) && !is_excluded(&namespace.labels));
        let names: BTreeSet<&str> = taken.map(|namespace| namespace.name.as_str()).collect();
        names.into_iter().collect()
    }

    /// What is taken of a cluster's pods and claims. A claim is also taken when a selected pod mounts it.
    pub fn select<'a>(&self, cluster: &[Namespace], pods: &'a [Pod], claims: &'a [Claim]) -> Selection<'a> {
        let namespaces: BTreeSet<&str> = self.namespaces(cluster).into_iter().collect();
        let mut selected: Vec<&Pod> = pods
            .iter()
            .filter(|pod| namespaces.contains(pod.name.namespace.as_str()))
            .filter(|pod| self.labels.selects(&pod.labels) && !is_excluded(&pod.labels))
            .collect();
        selected.sort_by_key(|pod| &pod.name);

        let mounted: BTreeSet<Name> = selected.iter().flat_map(|pod| pod.mounts()).collect();
        let mut taken: Vec<&Claim> = claims
            .iter()
            .filter(|claim| namespaces.contains(claim.name.namespace.as_str()))
            .filter(|claim| self.labels.selects(&claim.labels) || mounted.contains(&claim.name))
            .collect();
        taken.sort_by_key(|claim| &claim.name);
        let (excluded, claims) = taken.into_iter().partition(|claim| is_excluded(&claim.labels));

        let exists = |name: &str| cluster.iter().any(|namespace| namespace.name == name);
        let missing = self.namespaces.exact().filter(|name| !exists(name));
        Selection {
            pods: selected,
            claims,
            excluded,
            missing: missing.map(str::to_owned).collect(),
        }
    }
}

fn is_excluded(labels: &std::collections::BTreeMap<String, String>) -> bool {
    labels.get(EXCLUDE).is_some_and(|value| value == "true")
}
