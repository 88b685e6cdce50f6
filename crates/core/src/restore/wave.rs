//! The order: objects of one wave need nothing of each other, only of the waves before.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::GroupResource;

/// A step of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Wave {
    /// The definitions of custom resources.
    Definitions,
    /// Namespaces.
    Namespaces,
    /// What claims, pods and routes name their class by.
    Classes,
    /// Volumes.
    Volumes,
    /// Claims of volumes.
    Claims,
    /// Roles and service accounts.
    Identities,
    /// Who has which role.
    Bindings,
    /// What pods read, and what holds for them from the moment they are there.
    Config,
    /// Pods of their own.
    Pods,
    /// What makes pods.
    Controllers,
    /// Services.
    Services,
    /// Everything else.
    Rest,
    /// Custom resources that a webhook converts, which runs in pods itself.
    Converted,
    /// What makes others out of objects that have to be there.
    Composites,
    /// Quotas, which refuse everything as long as they have not been counted.
    Quotas,
    /// What guards or extends the API: earlier it would judge the restore, without anything behind it.
    Guards,
}

impl Wave {
    /// All of them, in order.
    pub const ALL: [Self; 16] = [
        Self::Definitions,
        Self::Namespaces,
        Self::Classes,
        Self::Volumes,
        Self::Claims,
        Self::Identities,
        Self::Bindings,
        Self::Config,
        Self::Pods,
        Self::Controllers,
        Self::Services,
        Self::Rest,
        Self::Converted,
        Self::Composites,
        Self::Quotas,
        Self::Guards,
    ];

    /// Its name, as a status shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Definitions => "Definitions",
            Self::Namespaces => "Namespaces",
            Self::Classes => "Classes",
            Self::Volumes => "Volumes",
            Self::Claims => "Claims",
            Self::Identities => "Identities",
            Self::Bindings => "Bindings",
            Self::Config => "Config",
            Self::Pods => "Pods",
            Self::Controllers => "Controllers",
            Self::Services => "Services",
            Self::Rest => "Rest",
            Self::Converted => "Converted",
            Self::Composites => "Composites",
            Self::Quotas => "Quotas",
            Self::Guards => "Guards",
        }
    }

    /// When a kind has its turn, unless a webhook converts it.
    pub(super) fn of(kind: &GroupResource) -> Self {
        match kind.as_str() {
            "customresourcedefinitions.apiextensions.k8s.io" => Self::Definitions,
            "namespaces" => Self::Namespaces,
            "storageclasses.storage.k8s.io"
            | "csidrivers.storage.k8s.io"
            | "volumeattributesclasses.storage.k8s.io"
            | "volumesnapshotclasses.snapshot.storage.k8s.io"
            | "volumegroupsnapshotclasses.groupsnapshot.storage.k8s.io"
            | "priorityclasses.scheduling.k8s.io"
            | "runtimeclasses.node.k8s.io"
            | "deviceclasses.resource.k8s.io"
            | "ingressclasses.networking.k8s.io"
            | "gatewayclasses.gateway.networking.k8s.io" => Self::Classes,
            "persistentvolumes" => Self::Volumes,
            "persistentvolumeclaims" => Self::Claims,
            "clusterroles.rbac.authorization.k8s.io"
            | "roles.rbac.authorization.k8s.io"
            | "serviceaccounts" => Self::Identities,
            "clusterrolebindings.rbac.authorization.k8s.io" | "rolebindings.rbac.authorization.k8s.io" => {
                Self::Bindings
            }
            "secrets"
            | "configmaps"
            | "limitranges"
            | "networkpolicies.networking.k8s.io"
            | "resourceclaims.resource.k8s.io"
            | "resourceclaimtemplates.resource.k8s.io" => Self::Config,
            "pods" => Self::Pods,
            "replicationcontrollers" | "podtemplates" => Self::Controllers,
            "services" => Self::Services,
            "clusterbootstraps.run.tanzu.vmware.com"
            | "clusters.cluster.x-k8s.io"
            | "clusterresourcesets.addons.cluster.x-k8s.io"
            | "apps.kappctrl.k14s.io"
            | "packageinstalls.packaging.carvel.dev" => Self::Composites,
            "resourcequotas" => Self::Quotas,
            _ => match kind.group() {
                "apps" | "batch" => Self::Controllers,
                "admissionregistration.k8s.io" | "apiregistration.k8s.io" => Self::Guards,
                _ => Self::Rest,
            },
        }
    }
}

impl fmt::Display for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::kind;
    use super::*;

    #[test]
    fn every_wave_stands_once_in_the_order() {
        assert!(Wave::ALL.is_sorted_by(|earlier, later| earlier < later));
        let last = Wave::ALL[Wave::ALL.len() - 1];
        assert_eq!(last, Wave::Guards);
    }

    #[test]
    fn kinds_come_after_what_they_need() {
        for order in [
            &[
                "customresourcedefinitions.apiextensions.k8s.io",
                "namespaces",
                "storageclasses.storage.k8s.io",
                "persistentvolumes",
                "persistentvolumeclaims",
                "pods",
            ][..],
            &[
                "volumesnapshotclasses.snapshot.storage.k8s.io",
                "persistentvolumeclaims",
            ],
            &[
                "clusterroles.rbac.authorization.k8s.io",
                "clusterrolebindings.rbac.authorization.k8s.io",
                "pods",
            ],
            &[
                "roles.rbac.authorization.k8s.io",
                "rolebindings.rbac.authorization.k8s.io",
                "pods",
            ],
            &["serviceaccounts", "rolebindings.rbac.authorization.k8s.io"],
            &["serviceaccounts", "secrets", "pods"],
            &["configmaps", "pods"],
            &["limitranges", "pods"],
            &["networkpolicies.networking.k8s.io", "pods"],
            &["priorityclasses.scheduling.k8s.io", "pods"],
            &["pods", "replicasets.apps", "services"],
            &["pods", "statefulsets.apps", "services", "endpoints"],
            &["pods", "cronjobs.batch"],
            &["services", "ingresses.networking.k8s.io"],
            &["deployments.apps", "horizontalpodautoscalers.autoscaling"],
            &[
                "deployments.apps",
                "widgets.example.com",
                "clusters.cluster.x-k8s.io",
            ],
            &["clusterclasses.cluster.x-k8s.io", "clusters.cluster.x-k8s.io"],
            &[
                "packages.data.packaging.carvel.dev",
                "packageinstalls.packaging.carvel.dev",
            ],
            &["clusters.cluster.x-k8s.io", "resourcequotas"],
        ] {
            let waves: Vec<Wave> = order.iter().map(|text| Wave::of(&kind(text))).collect();
            assert!(
                waves.is_sorted_by(|earlier, later| earlier < later),
                "{order:?}: {waves:?}"
            );
        }
    }

    #[test]
    fn what_guards_or_extends_the_api_comes_last() {
        for text in [
            "mutatingwebhookconfigurations.admissionregistration.k8s.io",
            "validatingwebhookconfigurations.admissionregistration.k8s.io",
            "validatingadmissionpolicies.admissionregistration.k8s.io",
            "validatingadmissionpolicybindings.admissionregistration.k8s.io",
            "mutatingadmissionpolicies.admissionregistration.k8s.io",
            "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
            "apiservices.apiregistration.k8s.io",
        ] {
            assert_eq!(Wave::of(&kind(text)), Wave::Guards, "{text}");
        }
    }

    #[test]
    fn the_page_about_restores_shows_the_waves_and_their_kinds() {
        let page = include_str!("../../../../docs/restore.md");
        let (_, table) = page.split_once("| wave | kinds |").unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let mut shown = Vec::new();
        for row in rows {
            let [_, wave, kinds, _] = row.split('|').collect::<Vec<_>>()[..] else {
                panic!("{row}");
            };
            shown.push(wave.trim());
            for text in kinds.split('`').skip(1).step_by(2) {
                assert_eq!(Wave::of(&kind(text)).as_str(), wave.trim(), "{text}");
            }
        }
        assert_eq!(shown, Wave::ALL.map(Wave::as_str));
    }
}
