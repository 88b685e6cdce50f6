//! Claims, volumes and what provides them.

use serde_json::Value;

use super::KindRows;
use crate::clash::aspect::Aspect::{Live, May, Together};
use crate::clash::aspect::{ALLOCATED, IMMUTABLE, LIVE, SET_ONCE, Update, Use, when};
use crate::clash::change::Change;
use crate::quantity::Quantity;

/// A claim can only be resized while it is bound. A smaller size is accepted where a larger one could not be had, as
/// long as it is more than the volume has.
pub(super) const CLAIMS: KindRows = KindRows::of(
    "",
    &["persistentvolumeclaims"],
    &[
        ("/spec", IMMUTABLE),
        ("/spec", Together(&["dataSource", "dataSourceRef"])),
        ("/spec/volumeName", ALLOCATED),
        ("/spec/volumeName", SET_ONCE),
        ("/spec/storageClassName", SET_ONCE),
        (
            "/spec/resources/requests/storage",
            when(
                "may grow while the claim is bound, or shrink to more than the volume has",
                storage,
            ),
        ),
        (
            "/spec/volumeAttributesClassName",
            when("may change while the claim is bound, not go", attributes_class),
        ),
        ("/metadata/annotations/pv.kubernetes.io~1bind-completed", LIVE),
        (
            "/metadata/annotations/pv.kubernetes.io~1bound-by-controller",
            LIVE,
        ),
        ("/metadata/annotations/volume.kubernetes.io~1selected-node", LIVE),
        (
            "/metadata/annotations/volume.kubernetes.io~1storage-provisioner",
            LIVE,
        ),
        (
            "/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner",
            LIVE,
        ),
        (
            "/metadata/annotations/volume.beta.kubernetes.io~1storage-class",
            IMMUTABLE,
        ),
    ],
);

/// The uid in a reference to a claim is that of the claim in this cluster.
pub(super) const VOLUMES: KindRows = KindRows::of(
    "",
    &["persistentvolumes"],
    &[
        ("/spec", Together(SOURCES)),
        ("/spec/awsElasticBlockStore", IMMUTABLE),
        ("/spec/azureDisk", IMMUTABLE),
        ("/spec/azureFile", IMMUTABLE),
        ("/spec/cephfs", IMMUTABLE),
        ("/spec/cinder", IMMUTABLE),
        ("/spec/csi", IMMUTABLE),
        ("/spec/csi/controllerExpandSecretRef", SET_ONCE),
        ("/spec/fc", IMMUTABLE),
        ("/spec/flexVolume", IMMUTABLE),
        ("/spec/flocker", IMMUTABLE),
        ("/spec/gcePersistentDisk", IMMUTABLE),
        ("/spec/glusterfs", IMMUTABLE),
        ("/spec/hostPath", IMMUTABLE),
        ("/spec/iscsi", IMMUTABLE),
        ("/spec/local", IMMUTABLE),
        ("/spec/nfs", IMMUTABLE),
        ("/spec/photonPersistentDisk", IMMUTABLE),
        ("/spec/portworxVolume", IMMUTABLE),
        ("/spec/quobyte", IMMUTABLE),
        ("/spec/rbd", IMMUTABLE),
        ("/spec/scaleIO", IMMUTABLE),
        ("/spec/storageos", IMMUTABLE),
        ("/spec/vsphereVolume", IMMUTABLE),
        ("/spec/volumeMode", IMMUTABLE),
        ("/spec/nodeAffinity", SET_ONCE),
        ("/spec/volumeAttributesClassName", May(Change::NO_UNSET)),
        (
            "/spec/claimRef",
            Together(&["apiVersion", "fieldPath", "kind", "name", "namespace"]),
        ),
        ("/spec/claimRef/uid", Live(SAME_CLAIM)),
        ("/spec/claimRef/resourceVersion", Live(SAME_CLAIM)),
    ],
);

const SOURCES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

pub(super) const STORAGE_CLASSES: KindRows = KindRows::of(
    "storage.k8s.io",
    &["storageclasses"],
    &[
        ("/provisioner", IMMUTABLE),
        ("/parameters", IMMUTABLE),
        ("/reclaimPolicy", IMMUTABLE),
        ("/volumeBindingMode", IMMUTABLE),
    ],
);

pub(super) const DRIVERS: KindRows = KindRows::of(
    "storage.k8s.io",
    &["csidrivers"],
    &[
        ("/spec/attachRequired", IMMUTABLE),
        ("/spec/volumeLifecycleModes", IMMUTABLE),
    ],
);

/// Drivers come and go, none changes. From 1.35 on, the number of volumes that a driver can attach may.
pub(super) const NODE_DRIVERS: KindRows =
    KindRows::of("storage.k8s.io", &["csinodes"], &[("/spec/drivers/*", IMMUTABLE)]);

pub(super) const CAPACITIES: KindRows = KindRows::of(
    "storage.k8s.io",
    &["csistoragecapacities"],
    &[("/nodeTopology", IMMUTABLE), ("/storageClassName", IMMUTABLE)],
);

pub(super) const ATTACHMENTS: KindRows =
    KindRows::of("storage.k8s.io", &["volumeattachments"], &[("/spec", IMMUTABLE)]);

pub(super) const ATTRIBUTES_CLASSES: KindRows = KindRows::of(
    "storage.k8s.io",
    &["volumeattributesclasses"],
    &[("/driverName", IMMUTABLE), ("/parameters", IMMUTABLE)],
);

const SAME_CLAIM: Use = Use {
    text: "while the volume is for the same claim",
    holds: |update| {
        let is_same = |path| update.common_text(path).is_some();
        is_same("/spec/claimRef/namespace") && is_same("/spec/claimRef/name")
    },
};

fn is_bound(update: &Update<'_>) -> bool {
    update.old_text("/status/phase") == Some("Bound")
}

fn storage(update: &Update<'_>) -> Change {
    const REQUEST: &str = "/spec/resources/requests/storage";
    let quantity = |object: &Value, path| object.pointer(path).and_then(Quantity::of);
    let wanted = quantity(update.new, REQUEST);
    let grows = wanted >= quantity(update.old, REQUEST);
    let capacity = quantity(update.old, "/status/capacity/storage");
    let exceeds_capacity = capacity.is_some() && wanted > capacity;
    Change::free_if(is_bound(update) && wanted.is_some() && (grows || exceeds_capacity))
}

fn attributes_class(update: &Update<'_>) -> Change {
    if is_bound(update) {
        Change::NO_UNSET
    } else {
        Change::IMMUTABLE
    }
}
