//! What is not created although it is in the point and taken: what the cluster, or something that is restored, makes by
//! itself, and what would do again what was done.

use serde_json::Value;
use thiserror::Error;

use super::fields::{annotation, items, label, members, text};
use super::owners::controller;
use super::{Survey, Terms, identity, volume};
use crate::inclusion::{Kind, is_never};
use crate::object::ObjectId;
use crate::selection::PROTECTED;

/// Why an object is not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum LeftOut {
    /// It has no name, or is no object at all.
    #[error("it has no name: the recovery point holds something that is no object")]
    Unreadable,
    /// Its namespace is the control plane's or ours.
    #[error("its namespace is the control plane's or ours, and nothing of it is restored")]
    ProtectedNamespace,
    /// Its kind is a record of what happens in a cluster.
    #[error(
        "the control plane, nodes, drivers or a backup write objects of its kind, for one cluster and one time"
    )]
    Record,
    /// The API server or a controller of the control plane makes it in every cluster or namespace.
    #[error("the control plane makes it by itself")]
    MadeByControlPlane,
    /// What makes it is restored too.
    #[error("its controller is restored too, and makes it anew")]
    ControlledByRestored,
    /// It has run to its end.
    #[error("it has run to its end, and would run once more")]
    Ended,
    /// A node runs it from a file.
    #[error("a node runs it from a file and shows it here only")]
    MirrorPod,
    /// A controller writes endpoints for a Service.
    #[error("a controller writes it for a Service that selects pods")]
    ServedEndpoints,
    /// The claim of a generic ephemeral volume.
    #[error("its pod makes it, and it goes with the pod")]
    EphemeralClaim,
    /// The volume of a claim that is filled from a snapshot.
    #[error("its claim gets a new volume, which is made from a snapshot")]
    FromSnapshot,
    /// A volume that was made for its claim.
    #[error("its claim gets a new volume")]
    Provisioned,
    /// Another Namespace becomes the same one.
    #[error("another Namespace that is mapped to the same name gives labels and annotations")]
    MergedNamespace,
}

/// Kinds beside those that are never stored: they may be in what others have stored, or in older points.
const RECORDS: [&str; 6] = [
    "certificatesigningrequests.certificates.k8s.io",
    "componentstatuses",
    "csistoragecapacities.storage.k8s.io",
    "ipaddresses.networking.k8s.io",
    "resourceslices.resource.k8s.io",
    "storageversions.internal.apiserver.k8s.io",
];

/// Kinds whose objects hold nothing that their controller could not make again. Of other kinds, what an owner has made
/// may hold data: a claim, a Secret with a key.
const REMADE: [&str; 5] = [
    "controllerrevisions.apps",
    "jobs.batch",
    "pods",
    "replicasets.apps",
    "resourceclaims.resource.k8s.io",
];

/// Why an object is not created, if it isn't.
pub(super) fn reason(object: &ObjectId, content: &Value, terms: &Terms, survey: &Survey) -> Option<LeftOut> {
    let kind = object.kind.as_str();
    let namespace = if object.kind == Kind::namespaces() {
        Some(&object.name)
    } else {
        object.namespace.as_ref()
    };
    let is_protected = |namespace: &String| PROTECTED.contains(&namespace.as_str());
    if namespace.is_some_and(is_protected) {
        Some(LeftOut::ProtectedNamespace)
    } else if is_never(&object.kind) || RECORDS.contains(&kind) {
        Some(LeftOut::Record)
    } else if is_made_by_control_plane(object, content) {
        Some(LeftOut::MadeByControlPlane)
    } else if REMADE.contains(&kind)
        && controller(object, content, survey).is_some_and(|owner| survey.takes(&owner))
    {
        Some(LeftOut::ControlledByRestored)
    } else {
        of_kind(object, content, terms, survey)
    }
}

fn of_kind(object: &ObjectId, content: &Value, terms: &Terms, survey: &Survey) -> Option<LeftOut> {
    match object.kind.as_str() {
        "pods" => of_pod(content),
        "jobs.batch" => has_ended(content).then_some(LeftOut::Ended),
        "endpoints" | "endpointslices.discovery.k8s.io" => {
            is_served(object, content, survey).then_some(LeftOut::ServedEndpoints)
        }
        "persistentvolumeclaims" => {
            let owner = controller(object, content, survey);
            let is_ephemeral = owner.is_some_and(|owner| is_ephemeral(&object.name, &owner));
            is_ephemeral.then_some(LeftOut::EphemeralClaim)
        }
        "persistentvolumes" => volume::Holding::of(content).left_out(&terms.volumes),
        "namespaces" => {
            let model = terms.mappings.model(&object.name, survey.namespaces());
            (model != object.name).then_some(LeftOut::MergedNamespace)
        }
        _ => None,
    }
}

/// Whether a claim is one of a pod's generic ephemeral volumes: it is called by the pod, then by the volume. A claim of a
/// StatefulSet has a pod as its owner, too, while the set shrinks; its data is its own.
fn is_ephemeral(claim: &str, owner: &ObjectId) -> bool {
    let volume = claim
        .strip_prefix(&owner.name)
        .and_then(|rest| rest.strip_prefix('-'));
    owner.kind.as_str() == "pods" && volume.is_some()
}

fn of_pod(pod: &Value) -> Option<LeftOut> {
    if annotation(pod, "kubernetes.io/config.mirror").is_some() {
        Some(LeftOut::MirrorPod)
    } else if matches!(text(pod, "/status/phase"), Some("Succeeded" | "Failed")) {
        Some(LeftOut::Ended)
    } else {
        None
    }
}

/// Whether a Job has succeeded or failed.
fn has_ended(job: &Value) -> bool {
    let ends = |condition: &Value| {
        matches!(text(condition, "/type"), Some("Complete" | "Failed"))
            && text(condition, "/status") == Some("True")
    };
    text(job, "/status/completionTime").is_some() || items(job, "/status/conditions").any(ends)
}

/// Whether a controller writes these endpoints.
fn is_served(object: &ObjectId, content: &Value, survey: &Survey) -> bool {
    let selects = |service: &str| {
        let namespace = object.namespace.as_deref();
        namespace.is_some_and(|namespace| survey.selects(namespace, service))
    };
    if object.kind.as_str() == "endpoints" {
        label(content, "endpoints.kubernetes.io/managed-by").is_some()
            || annotation(content, "endpoints.kubernetes.io/last-change-trigger-time").is_some()
            || selects(&object.name)
    } else {
        let by_controller = |manager: &str| {
            matches!(
                manager,
                "endpointslice-controller.k8s.io" | "endpointslicemirroring-controller.k8s.io"
            )
        };
        label(content, "endpointslice.kubernetes.io/managed-by").is_some_and(by_controller)
    }
}

/// Whether the same object is in every cluster or namespace anyway.
fn is_made_by_control_plane(object: &ObjectId, content: &Value) -> bool {
    let is_kept_up = |name: &str| annotation(content, name) == Some("true");
    match (
        object.kind.as_str(),
        object.namespace.as_deref(),
        object.name.as_str(),
    ) {
        ("configmaps", _, "kube-root-ca.crt")
        | ("services" | "endpoints" | "endpointslices.discovery.k8s.io", Some("default"), "kubernetes")
        | ("servicecidrs.networking.k8s.io", _, "kubernetes")
        | ("priorityclasses.scheduling.k8s.io", _, "system-cluster-critical" | "system-node-critical") => {
            true
        }
        ("serviceaccounts", _, "default") => identity::is_bare_account(content),
        ("secrets", _, name) => identity::is_automatic_token(name, content),
        (
            "clusterroles.rbac.authorization.k8s.io"
            | "clusterrolebindings.rbac.authorization.k8s.io"
            | "roles.rbac.authorization.k8s.io"
            | "rolebindings.rbac.authorization.k8s.io",
            _,
            _,
        ) => {
            label(content, "kubernetes.io/bootstrapping") == Some("rbac-defaults")
                && is_kept_up("rbac.authorization.kubernetes.io/autoupdate")
        }
        (
            "flowschemas.flowcontrol.apiserver.k8s.io"
            | "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
            _,
            _,
        ) => is_kept_up("apf.kubernetes.io/autoupdate-spec"),
        ("apiservices.apiregistration.k8s.io", _, _) => {
            label(content, "kube-aggregator.kubernetes.io/automanaged").is_some()
                || members(content, "/spec").is_some_and(|spec| !spec.contains_key("service"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
