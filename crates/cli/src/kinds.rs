//! What is known of kinds without asking a cluster: what their objects are called in URLs, and whether they are in
//! namespaces. `tests/scenarios/plugin.rs` holds it against what an API server says.

use std::fmt;

use clusterbackup_core::object::GroupResource;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

/// The kind of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The API group; empty for the core group.
    pub group: String,
    version: String,
    /// The kind itself, as in `Deployment`.
    pub kind: String,
}

/// Where objects of a kind are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the cluster.
    Cluster,
    /// In a namespace.
    Namespace,
    /// It isn't a kind of Kubernetes itself.
    Unknown,
}

/// Kinds of Kubernetes' own groups whose objects are in no namespace.
const CLUSTER_SCOPED: [&str; 38] = [
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "ComponentStatus",
    "CustomResourceDefinition",
    "DeviceClass",
    "DeviceTaintRule",
    "FlowSchema",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "RuntimeClass",
    "SelfSubjectAccessReview",
    "SelfSubjectReview",
    "SelfSubjectRulesReview",
    "ServiceCIDR",
    "StorageClass",
    "StorageVersion",
    "StorageVersionMigration",
    "SubjectAccessReview",
    "TokenReview",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Kubernetes' own groups; others in `k8s.io` are of addons.
const GROUPS: [&str; 21] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Whether a group is Kubernetes' own.
pub fn is_built_in(group: &str) -> bool {
    GROUPS.contains(&group)
}

impl Kind {
    /// The kind of an object, if it says one.
    pub fn of(object: &Value) -> Option<Self> {
        let text = |field: &str| object[field].as_str().filter(|text| !text.is_empty());
        let (api_version, kind) = (text("apiVersion")?, text("kind")?);
        object["metadata"].as_object()?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        })
    }

    /// What its objects are called in URLs, by the rules of English as Kubernetes' generators know them.
    pub fn plural(&self) -> GroupResource {
        let guess = ApiResource::from_gvk(&GroupVersionKind::gvk(&self.group, &self.version, &self.kind));
        GroupResource::new(&guess.group, &guess.plural)
    }

    /// Where its objects are.
    pub fn scope(&self) -> Scope {
        if !is_built_in(&self.group) {
            Scope::Unknown
        } else if CLUSTER_SCOPED.contains(&self.kind.as_str()) {
            Scope::Cluster
        } else {
            Scope::Namespace
        }
    }
}

/// `apps/v1 Deployment`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{} {}", self.version, self.kind)
    }
}
