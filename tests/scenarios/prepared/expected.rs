//! What becomes of the application, beside that it is created as it was.

/// How many objects of a kind are left out, and why.
pub(super) const LEFT_OUT: [(&str, &str, usize); 7] = [
    ("configmaps", "MadeByControlPlane", 1),
    ("controllerrevisions.apps", "ControlledByRestored", 2),
    ("endpoints", "ServedEndpoints", 2),
    ("endpointslices.discovery.k8s.io", "ServedEndpoints", 2),
    ("pods", "ControlledByRestored", 6),
    ("replicasets.apps", "ControlledByRestored", 1),
    ("serviceaccounts", "MadeByControlPlane", 1),
];

/// What is another one afterwards, and nothing else is.
pub(super) const DIFFERENT: [(&str, &str, &[&str]); 18] = [
    (
        "clusterrolebindings.rbac.authorization.k8s.io",
        "SHOP-reads",
        &["/subjects/0/namespace"],
    ),
    (
        "configmaps",
        "settings",
        &["/metadata/labels/velero.io/restore-name"],
    ),
    (
        "customresourcedefinitions.apiextensions.k8s.io",
        "gears.SHOP.example.com",
        &[
            "/spec/conversion/webhook/clientConfig/service/namespace",
            "/spec/group",
        ],
    ),
    (
        "ingressclasses.networking.k8s.io",
        "SHOP",
        &["/spec/parameters/namespace"],
    ),
    (
        "jobs.batch",
        "once",
        &[
            "/spec/selector/matchLabels/batch.kubernetes.io/controller-uid",
            "/spec/template/metadata/labels/batch.kubernetes.io/controller-uid",
            "/spec/template/metadata/labels/controller-uid",
        ],
    ),
    (
        "jobs.batch",
        "unlabelled",
        &[
            "/metadata/labels/batch.kubernetes.io/controller-uid",
            "/metadata/labels/controller-uid",
            "/spec/selector/matchLabels/batch.kubernetes.io/controller-uid",
            "/spec/template/metadata/labels/batch.kubernetes.io/controller-uid",
            "/spec/template/metadata/labels/controller-uid",
        ],
    ),
    (
        "leases.coordination.k8s.io",
        "web",
        &[
            "/spec/acquireTime",
            "/spec/holderIdentity",
            "/spec/leaseTransitions",
            "/spec/renewTime",
        ],
    ),
    ("persistentvolumeclaims", "data", &["/metadata/annotations"]),
    (
        "persistentvolumes",
        "SHOP-data",
        &[
            "/metadata/annotations",
            "/spec/claimRef/namespace",
            "/spec/claimRef/resourceVersion",
            "/spec/claimRef/uid",
        ],
    ),
    (
        "pods",
        "worker",
        &[
            "/spec/containers/0/volumeMounts/0/name",
            "/spec/initContainers/0/volumeMounts/0/name",
            "/spec/volumes/1/name",
        ],
    ),
    (
        "rolebindings.rbac.authorization.k8s.io",
        "web",
        &["/subjects/0/namespace", "/subjects/1/name", "/subjects/2/name"],
    ),
    (
        "secrets",
        "token",
        &["/data", "/metadata/annotations/kubernetes.io/service-account.uid"],
    ),
    (
        "services",
        "balanced",
        &[
            "/spec/clusterIP",
            "/spec/clusterIPs/0",
            "/spec/healthCheckNodePort",
            "/spec/ports/0/nodePort",
        ],
    ),
    ("services", "by-hand", &["/spec/clusterIP", "/spec/clusterIPs/0"]),
    (
        "services",
        "on-nodes",
        &[
            "/spec/clusterIP",
            "/spec/clusterIPs/0",
            "/spec/ports/0/nodePort",
            "/spec/ports/1/nodePort",
        ],
    ),
    ("services", "web", &["/spec/clusterIP", "/spec/clusterIPs/0"]),
    (
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "SHOP",
        &["/spec/paramRef/namespace"],
    ),
    (
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "SHOP",
        &["/webhooks/0/clientConfig/service/namespace"],
    ),
];
