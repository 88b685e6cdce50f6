//! What may be different in an object that came back, and which objects don't: nothing else.

/// Objects that nothing brings back.
pub(super) struct MadeAnew {
    pub(super) kind: &'static str,
    /// How their names begin.
    pub(super) names: &'static str,
    pub(super) why: &'static str,
}

/// Fields that have another value afterwards.
pub(super) struct Different {
    /// None: in objects of every kind.
    pub(super) kind: Option<&'static str>,
    pub(super) fields: &'static [&'static str],
    pub(super) why: &'static str,
}

const BY_ITS_CONTROLLER: &str = "its controller makes it again";

pub(super) const MADE_ANEW: [MadeAnew; 8] = [
    MadeAnew {
        kind: "configmaps",
        names: "kube-root-ca.crt",
        why: "the control plane writes it into each namespace",
    },
    MadeAnew {
        kind: "serviceaccounts",
        names: "default",
        why: "the control plane makes it in each namespace",
    },
    MadeAnew {
        kind: "csistoragecapacities.storage.k8s.io",
        names: "left",
        why: "a driver writes it",
    },
    MadeAnew {
        kind: "endpoints",
        names: "web",
        why: BY_ITS_CONTROLLER,
    },
    MadeAnew {
        kind: "endpointslices.discovery.k8s.io",
        names: "web-",
        why: BY_ITS_CONTROLLER,
    },
    MadeAnew {
        kind: "replicasets.apps",
        names: "web-",
        why: BY_ITS_CONTROLLER,
    },
    MadeAnew {
        kind: "controllerrevisions.apps",
        names: "db-",
        why: BY_ITS_CONTROLLER,
    },
    MadeAnew {
        kind: "controllerrevisions.apps",
        names: "logs-",
        why: BY_ITS_CONTROLLER,
    },
];

pub(super) const DIFFERENT: [Different; 10] = [
    Different {
        kind: None,
        fields: &[
            "/metadata/uid",
            "/metadata/resourceVersion",
            "/metadata/generation",
            "/metadata/creationTimestamp",
            "/metadata/managedFields",
        ],
        why: "the API server gives them to each object that is created",
    },
    Different {
        kind: None,
        fields: &["/metadata/generateName"],
        why: "its name is known now",
    },
    Different {
        kind: None,
        fields: &[
            "/metadata/labels/clusterbackup.io~1restore-name",
            "/metadata/annotations/clusterbackup.io~1restore-uid",
            "/metadata/annotations/clusterbackup.io~1original-namespace",
        ],
        why: "they say what restored it, and where it was",
    },
    Different {
        kind: None,
        fields: &["/status"],
        why: "controllers find it out anew",
    },
    Different {
        kind: Some("services"),
        fields: &["/spec/clusterIP", "/spec/clusterIPs"],
        why: "an address is given by the cluster, and may be another's by now",
    },
    Different {
        kind: Some("persistentvolumes"),
        fields: &["/spec/claimRef", "/metadata/annotations", "/metadata/finalizers"],
        why: "the volume controller binds them again",
    },
    Different {
        kind: Some("persistentvolumeclaims"),
        fields: &["/spec/volumeName", "/metadata/annotations"],
        why: "the volume controller binds them again",
    },
    Different {
        kind: Some("pods"),
        fields: &["/spec/volumes", "/spec/containers", "/metadata/annotations"],
        why: "the token of its service account is another one, and a limit range is younger than the pod was",
    },
    Different {
        kind: Some("jobs.batch"),
        fields: &[
            "/metadata/labels",
            "/spec/selector",
            "/spec/template/metadata/labels",
        ],
        why: "they tell its pods from those of every other Job by its uid",
    },
    Different {
        kind: Some("leases.coordination.k8s.io"),
        fields: &["/spec/holderIdentity"],
        why: "nobody holds it who did then",
    },
];
