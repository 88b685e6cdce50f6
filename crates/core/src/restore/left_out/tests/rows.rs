//! What is left out whatever else is taken, and what looks alike and is not.

use super::LeftOut;
use super::LeftOut::{Ended, MadeByControlPlane, MirrorPod, ProtectedNamespace, Record, ServedEndpoints};

const ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
const SLICES: &str = "endpointslices.discovery.k8s.io";
const CLASSES: &str = "priorityclasses.scheduling.k8s.io";
const FLOWS: &str = "flowschemas.flowcontrol.apiserver.k8s.io";
const API_SERVICES: &str = "apiservices.apiregistration.k8s.io";

/// A kind, where an object of it is, what it says (as YAML), and why it is left out.
pub(super) type Row = (&'static str, &'static str, &'static str, Option<LeftOut>);

pub(super) const OF_NO_CLUSTER: &[Row] = &[
    ("configmaps", "kube-system/web", "{}", Some(ProtectedNamespace)),
    ("namespaces", "kube-public", "{}", Some(ProtectedNamespace)),
    (
        "configmaps",
        "clusterbackup-system/web",
        "{}",
        Some(ProtectedNamespace),
    ),
    ("events", "shop/a", "{}", Some(Record)),
    ("nodes", "a", "{}", Some(Record)),
    ("csinodes.storage.k8s.io", "a", "{}", Some(Record)),
    ("volumeattachments.storage.k8s.io", "a", "{}", Some(Record)),
    (
        "volumesnapshots.snapshot.storage.k8s.io",
        "shop/a",
        "{}",
        Some(Record),
    ),
    ("backups.velero.io", "velero/a", "{}", Some(Record)),
    ("restores.clusterbackup.io", "shop/a", "{}", Some(Record)),
    (
        "certificatesigningrequests.certificates.k8s.io",
        "a",
        "{}",
        Some(Record),
    ),
    ("restoreinterceptions.clusterbackup.io", "a", "{}", None),
];

pub(super) const MADE: &[Row] = &[
    (
        "configmaps",
        "shop/kube-root-ca.crt",
        "{}",
        Some(MadeByControlPlane),
    ),
    ("configmaps", "shop/root-ca.crt", "{}", None),
    ("services", "default/kubernetes", "{}", Some(MadeByControlPlane)),
    ("endpoints", "default/kubernetes", "{}", Some(MadeByControlPlane)),
    (SLICES, "default/kubernetes", "{}", Some(MadeByControlPlane)),
    ("services", "shop/kubernetes", "{}", None),
    ("serviceaccounts", "shop/default", "{}", Some(MadeByControlPlane)),
    (
        "serviceaccounts",
        "shop/default",
        "imagePullSecrets: [{name: a}]",
        None,
    ),
    (
        "serviceaccounts",
        "shop/default",
        "automountServiceAccountToken: false",
        None,
    ),
    (
        "serviceaccounts",
        "shop/default",
        "metadata: {annotations: {role: a}}",
        None,
    ),
    ("serviceaccounts", "shop/web", "{}", None),
    (
        "secrets",
        "shop/web-token-x7k2p",
        "{type: kubernetes.io/service-account-token, metadata: {annotations: {kubernetes.io/service-account.name: web}}}",
        Some(MadeByControlPlane),
    ),
    (
        "secrets",
        "shop/web-token-x7k2p",
        "{type: Opaque, metadata: {annotations: {kubernetes.io/service-account.name: web}}}",
        None,
    ),
    (
        "secrets",
        "shop/by-hand",
        "{type: kubernetes.io/service-account-token, metadata: {annotations: {kubernetes.io/service-account.name: web}}}",
        None,
    ),
    (
        ROLES,
        "admin",
        "metadata: {labels: {kubernetes.io/bootstrapping: rbac-defaults}, annotations: {rbac.authorization.kubernetes.io/autoupdate: 'true'}}",
        Some(MadeByControlPlane),
    ),
    (
        ROLES,
        "admin",
        "metadata: {labels: {kubernetes.io/bootstrapping: rbac-defaults}, annotations: {rbac.authorization.kubernetes.io/autoupdate: 'false'}}",
        None,
    ),
    (
        ROLES,
        "admin",
        "metadata: {annotations: {rbac.authorization.kubernetes.io/autoupdate: 'true'}}",
        None,
    ),
    (CLASSES, "system-node-critical", "{}", Some(MadeByControlPlane)),
    (CLASSES, "high", "{}", None),
    (
        FLOWS,
        "a",
        "metadata: {annotations: {apf.kubernetes.io/autoupdate-spec: 'true'}}",
        Some(MadeByControlPlane),
    ),
    (
        FLOWS,
        "a",
        "metadata: {annotations: {apf.kubernetes.io/autoupdate-spec: 'false'}}",
        None,
    ),
    (
        API_SERVICES,
        "v1.apps",
        "spec: {group: apps}",
        Some(MadeByControlPlane),
    ),
    (
        API_SERVICES,
        "v1.example.com",
        "metadata: {labels: {kube-aggregator.kubernetes.io/automanaged: onstart}}",
        Some(MadeByControlPlane),
    ),
    (API_SERVICES, "v1.example.com", "spec: {service: {name: a}}", None),
    (
        "servicecidrs.networking.k8s.io",
        "kubernetes",
        "{}",
        Some(MadeByControlPlane),
    ),
];

pub(super) const OVER: &[Row] = &[
    (
        "pods",
        "shop/a",
        "metadata: {annotations: {kubernetes.io/config.mirror: x}}",
        Some(MirrorPod),
    ),
    ("pods", "shop/a", "status: {phase: Succeeded}", Some(Ended)),
    ("pods", "shop/a", "status: {phase: Failed}", Some(Ended)),
    ("pods", "shop/a", "status: {phase: Running}", None),
    ("jobs.batch", "shop/a", "status: {completionTime: x}", Some(Ended)),
    (
        "jobs.batch",
        "shop/a",
        "status: {conditions: [{type: Failed, status: 'True'}]}",
        Some(Ended),
    ),
    (
        "jobs.batch",
        "shop/a",
        "status: {conditions: [{type: Complete, status: 'True'}]}",
        Some(Ended),
    ),
    (
        "jobs.batch",
        "shop/a",
        "status: {conditions: [{type: Failed, status: 'False'}]}",
        None,
    ),
    ("jobs.batch", "shop/a", "status: {active: 1}", None),
];

pub(super) const ENDPOINTS: &[Row] = &[
    (
        "endpoints",
        "shop/web",
        "metadata: {annotations: {endpoints.kubernetes.io/last-change-trigger-time: x}}",
        Some(ServedEndpoints),
    ),
    (
        "endpoints",
        "shop/web",
        "metadata: {labels: {endpoints.kubernetes.io/managed-by: endpoint-controller}}",
        Some(ServedEndpoints),
    ),
    ("endpoints", "shop/web", "{}", None),
    (
        SLICES,
        "shop/a",
        "metadata: {labels: {endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}}",
        Some(ServedEndpoints),
    ),
    (
        SLICES,
        "shop/a",
        "metadata: {labels: {endpointslice.kubernetes.io/managed-by: endpointslicemirroring-controller.k8s.io}}",
        Some(ServedEndpoints),
    ),
    (
        SLICES,
        "shop/a",
        "metadata: {labels: {endpointslice.kubernetes.io/managed-by: me}}",
        None,
    ),
];
