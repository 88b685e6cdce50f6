//! A restored object, onto one in the cluster.

use clusterbackup_core::clash::{Existing, Outcome};
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::patch::Draft;
use serde_json::{Value, json};

/// A kind by its resource, group with version, and name.
pub(crate) type Kind = (&'static str, &'static str, &'static str);

pub(crate) const POD: Kind = ("pods", "v1", "Pod");
pub(crate) const DEPLOYMENT: Kind = ("deployments", "apps/v1", "Deployment");
pub(crate) const STATEFUL_SET: Kind = ("statefulsets", "apps/v1", "StatefulSet");
pub(crate) const JOB: Kind = ("jobs", "batch/v1", "Job");
pub(crate) const BUDGET: Kind = ("poddisruptionbudgets", "policy/v1", "PodDisruptionBudget");
pub(crate) const SERVICE: Kind = ("services", "v1", "Service");
pub(crate) const ENDPOINT_SLICE: Kind = ("endpointslices", "discovery.k8s.io/v1", "EndpointSlice");
pub(crate) const CLAIM: Kind = ("persistentvolumeclaims", "v1", "PersistentVolumeClaim");
pub(crate) const VOLUME: Kind = ("persistentvolumes", "v1", "PersistentVolume");
pub(crate) const CONFIG_MAP: Kind = ("configmaps", "v1", "ConfigMap");
pub(crate) const SERVICE_ACCOUNT: Kind = ("serviceaccounts", "v1", "ServiceAccount");
pub(crate) const CLUSTER_ROLE: Kind = ("clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole");
pub(crate) const WEBHOOKS: Kind = (
    "validatingwebhookconfigurations",
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
);
pub(crate) const DEFINITION: Kind = (
    "customresourcedefinitions",
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
);

/// The restored object onto the live one, without what tells the kind, and what is said of the fields that stay.
pub(crate) fn onto(
    kind: Kind,
    live: Value,
    sent: Value,
    custom: Option<&CustomKind>,
) -> (Value, Vec<String>) {
    let (resource, api_version, name) = kind;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let group_resource = GroupResource::new(group, resource);
    let typed = |mut object: Value| {
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(name);
        object
    };
    let live = typed(live);
    let existing = Existing::new(&group_resource, &live, custom);
    let mut draft = Draft::new(typed(sent));
    let kept = existing.add_onto(&mut draft).unwrap();
    let put_back = existing.put_back(&mut draft).unwrap();
    let said = kept.iter().chain(&put_back).map(|field| match field.outcome {
        Outcome::Kept(reason) => format!("{} {}", field.path, reason.name()),
        Outcome::Changed => panic!("{field:?} is kept"),
    });
    let said = said.collect();
    let mut result = draft.into_parts().0;
    for field in ["apiVersion", "kind"] {
        result.as_object_mut().unwrap().remove(field);
    }
    (result, said)
}

#[track_caller]
pub(crate) fn check(kind: Kind, live: Value, sent: Value, result: &Value, said: &[&str]) {
    let description = format!("{}: {sent} onto {live}", kind.2);
    let (found, found_said) = onto(kind, live, sent, None);
    assert_eq!(&found, result, "{description}");
    assert_eq!(found_said, said, "{description}");
}

/// The containers of a Deployment.
pub(crate) fn containers(containers: &Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}
