//! The kinds of the CSI project, and the classes that name the driver.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{Cluster, steps};

/// The driver.
pub const DRIVER: &str = "csi.clusterbackup.test";
/// The StorageClass whose volumes are made at once.
pub const CLASS: &str = "csi";
/// The StorageClass whose volumes are made when a pod wants them.
pub const LATE_CLASS: &str = "csi-late";
/// The VolumeSnapshotClass that is taken where none is named; its data goes with the content.
pub const SNAPSHOT_CLASS: &str = "csi-delete";
/// The VolumeSnapshotClass whose data stays when the content goes.
pub const RETAINING_SNAPSHOT_CLASS: &str = "csi-retain";
/// The VolumeGroupSnapshotClass; its data goes with the content.
pub const GROUP_CLASS: &str = "csi-group";

/// Creates the kinds and what a cluster's administrator adds for a driver.
pub(super) async fn create(cluster: &Cluster, kinds: &Path) -> Result<()> {
    steps::create_kinds(cluster, &["--kustomize".as_ref(), kinds.as_os_str()]).await?;
    for object in objects() {
        steps::create(&cluster.admin(), None, &object)
            .await
            .with_context(|| format!("failed to create {}", object["kind"]))?;
    }
    Ok(())
}

fn objects() -> [Value; 6] {
    let default = json!({ "snapshot.storage.kubernetes.io/is-default-class": "true" });
    [
        json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": { "name": DRIVER },
            // Without it, kubelets wait for somebody to attach the volume.
            "spec": { "attachRequired": false },
        }),
        storage_class(CLASS, "Immediate"),
        storage_class(LATE_CLASS, "WaitForFirstConsumer"),
        snapshot_class("VolumeSnapshotClass", SNAPSHOT_CLASS, "Delete", &default),
        snapshot_class(
            "VolumeSnapshotClass",
            RETAINING_SNAPSHOT_CLASS,
            "Retain",
            &json!({}),
        ),
        snapshot_class("VolumeGroupSnapshotClass", GROUP_CLASS, "Delete", &json!({})),
    ]
}

fn storage_class(name: &str, binding: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": { "name": name },
        "provisioner": DRIVER,
        "volumeBindingMode": binding,
    })
}

fn snapshot_class(kind: &str, name: &str, deletion: &str, annotations: &Value) -> Value {
    let group = match kind {
        "VolumeSnapshotClass" => "snapshot.storage.k8s.io",
        _ => "groupsnapshot.storage.k8s.io",
    };
    json!({
        "apiVersion": format!("{group}/v1"),
        "kind": kind,
        "metadata": { "name": name, "annotations": annotations },
        "driver": DRIVER,
        "deletionPolicy": deletion,
    })
}
