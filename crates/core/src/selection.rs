//! Which pods and claims a backup instance takes.
//!
//! - `namespaces`: the namespaces that an instance or a hook names
//! - `subject`: what decisions need to know of a pod and of a claim

mod namespaces;
#[cfg(test)]
pub(crate) mod sample;
mod subject;

use std::collections::{BTreeMap, BTreeSet};

pub use namespaces::{BadNamespace, Namespaces, PROTECTED};
pub use subject::{Claim, ClaimPhase, Name, Namespace, Pod, PodPhase, Volume};

use crate::selector::LabelSelector;

/// Label, with the value `true`: a person leaves an object out of backups, on a namespace all that is in it.
/// Velero's word, so that what is left out there is left out here.
pub const EXCLUDE: &str = "velero.io/exclude-from-backup";

/// What an instance asks for.
#[derive(Debug, Clone, Default)]
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

/// Whether a person leaves an object with these labels out.
pub fn is_excluded(labels: &BTreeMap<String, String>) -> bool {
    labels.get(EXCLUDE).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::sample::{claim, labels, pod};
    use super::*;
    use crate::selector::{Operator, Requirement};

    fn filter(included: &[&str], excluded: &[&str]) -> Filter {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Filter {
            namespaces: Namespaces::parse(&texts(included), &texts(excluded)).unwrap(),
            labels: LabelSelector::default(),
        }
    }

    fn namespace(name: &str) -> Namespace {
        Namespace {
            name: name.to_owned(),
            labels: BTreeMap::new(),
        }
    }

    fn names<'a>(names: impl IntoIterator<Item = &'a Name>) -> Vec<String> {
        names.into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn namespaces_are_taken_by_names_and_globs_and_never_the_protected_ones() {
        let cluster = ["app-1", "app-2", "clusterbackup-agents", "db", "kube-system"].map(namespace);
        for (included, excluded, expected) in [
            (&[][..], &[][..], &["app-1", "app-2", "db"][..]),
            (&["*"], &[], &["app-1", "app-2", "db"]),
            (&["app-*"], &[], &["app-1", "app-2"]),
            (&["app-*"], &["*-2"], &["app-1"]),
            (&["db"], &["db"], &[]),
            (&["kube-system", "clusterbackup-agents"], &[], &[]),
            (&["none-*"], &[], &[]),
        ] {
            let taken = filter(included, excluded).namespaces(&cluster);
            assert_eq!(taken, expected, "{included:?} without {excluded:?}");
        }
    }

    #[test]
    fn a_label_on_a_namespace_leaves_out_all_that_is_in_it() {
        let mut left_out = namespace("secret");
        left_out.labels = labels(&[(EXCLUDE, "true")]);
        let cluster = [left_out, namespace("shop")];
        let pods = [pod("secret/a", &["data"]), pod("shop/b", &[])];
        let claims = [claim("secret/data")];
        let selection = filter(&[], &[]).select(&cluster, &pods, &claims);
        assert_eq!(names(selection.pods.iter().map(|pod| &pod.name)), ["shop/b"]);
        assert!(selection.claims.is_empty() && selection.excluded.is_empty());
    }

    #[test]
    fn a_named_namespace_that_does_not_exist_is_told() {
        let cluster = [namespace("shop")];
        let selection = filter(&["shop", "gone", "old-*"], &[]).select(&cluster, &[], &[]);
        assert_eq!(selection.missing, ["gone"]);
    }

    #[test]
    fn a_claim_is_taken_by_its_labels_or_by_a_selected_pod() {
        let web = Operator::In(vec!["web".to_owned()]);
        let labelled = Requirement::new("app".to_owned(), web).unwrap();
        let filter = Filter {
            labels: LabelSelector::new(vec![labelled]),
            ..filter(&["shop"], &[])
        };
        let web = |mut pod: Pod| {
            pod.labels = labels(&[("app", "web")]);
            pod
        };
        let with = |mut claim: Claim, pairs: &[(&str, &str)]| {
            claim.labels = labels(pairs);
            claim
        };
        let pods = [
            web(pod("shop/web-1", &["mounted", "left-out"])),
            web(pod("shop/web-0", &[])),
            pod("shop/db-0", &["of-db"]),
            web(pod("other/web-0", &[])),
        ];
        let claims = [
            with(claim("shop/labelled"), &[("app", "web")]),
            claim("shop/of-db"),
            claim("shop/mounted"),
            with(claim("shop/left-out"), &[("app", "web"), (EXCLUDE, "true")]),
            with(claim("other/labelled"), &[("app", "web")]),
        ];
        let selection = filter.select(&[namespace("shop"), namespace("other")], &pods, &claims);
        assert_eq!(
            names(selection.pods.iter().map(|pod| &pod.name)),
            ["shop/web-0", "shop/web-1"]
        );
        assert_eq!(
            names(selection.claims.iter().map(|claim| &claim.name)),
            ["shop/labelled", "shop/mounted"]
        );
        assert_eq!(
            names(selection.excluded.iter().map(|claim| &claim.name)),
            ["shop/left-out"]
        );
    }

    #[test]
    fn an_exclusion_counts_only_with_the_value_true() {
        let mut off = pod("shop/off", &[]);
        off.labels = labels(&[(EXCLUDE, "false")]);
        let mut out = pod("shop/out", &[]);
        out.labels = labels(&[(EXCLUDE, "true")]);
        let pods = [off, out];
        let selection = filter(&[], &[]).select(&[namespace("shop")], &pods, &[]);
        assert_eq!(names(selection.pods.iter().map(|pod| &pod.name)), ["shop/off"]);
    }
}
