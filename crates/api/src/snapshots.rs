//! The snapshot kinds of the CSI project, as far as we read and write them. Their CRDs are not ours.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// A point in time of one claim.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "snapshot.storage.k8s.io",
    version = "v1",
    kind = "VolumeSnapshot",
    namespaced,
    schema = "disabled",
    status = "VolumeSnapshotStatus"
)]
pub struct VolumeSnapshotSpec {
    /// What is cut.
    pub source: SnapshotSource,
    /// The class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_snapshot_class_name: Option<String>,
}

/// What a snapshot is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSource {
    /// The claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim_name: Option<String>,
    /// A content that exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_snapshot_content_name: Option<String>,
}

/// How far a snapshot is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSnapshotStatus {
    /// Its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_volume_snapshot_content_name: Option<String>,
    /// When the driver cut it; as soon as it is there, the cut is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Time>,
    /// Whether it can be restored from yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_to_use: Option<bool>,
    /// The size of a volume that it is restored into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_size: Option<String>,
    /// The last error; cleared on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SnapshotError>,
}

/// An error of a driver or sidecar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SnapshotError {
    /// What it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The driver's side of a snapshot.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "snapshot.storage.k8s.io",
    version = "v1",
    kind = "VolumeSnapshotContent",
    schema = "disabled",
    status = "VolumeSnapshotContentStatus"
)]
pub struct VolumeSnapshotContentSpec {
    /// Delete or Retain.
    pub deletion_policy: String,
    /// The driver.
    pub driver: String,
    /// What it was made of.
    #[serde(default)]
    pub source: ContentSource,
    /// The VolumeSnapshot that it is for.
    #[serde(default)]
    pub volume_snapshot_ref: SnapshotReference,
}

/// A VolumeSnapshot, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SnapshotReference {
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// What a snapshot's content was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentSource {
    /// The driver's name of the snapshot, where that was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_handle: Option<String>,
}

/// What the driver said of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSnapshotContentStatus {
    /// The driver's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_handle: Option<String>,
    /// Nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<i64>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_size: Option<i64>,
    /// Whether it can be restored from yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_to_use: Option<bool>,
}

/// Points at one time of several claims.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "groupsnapshot.storage.k8s.io",
    version = "v1",
    kind = "VolumeGroupSnapshot",
    namespaced,
    schema = "disabled",
    status = "VolumeGroupSnapshotStatus"
)]
pub struct VolumeGroupSnapshotSpec {
    /// What is cut.
    pub source: GroupSource,
    /// The class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_group_snapshot_class_name: Option<String>,
}

/// The claims of a group. The controller reads matchLabels alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct GroupSource {
    /// The labels of the claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// How far a group is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeGroupSnapshotStatus {
    /// Its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_volume_group_snapshot_content_name: Option<String>,
    /// When the driver cut it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Time>,
    /// Whether it can be restored from yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_to_use: Option<bool>,
    /// The last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SnapshotError>,
}

/// The driver's side of a group.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "groupsnapshot.storage.k8s.io",
    version = "v1",
    kind = "VolumeGroupSnapshotContent",
    schema = "disabled"
)]
pub struct VolumeGroupSnapshotContentSpec {
    /// Delete or Retain.
    pub deletion_policy: String,
    /// The driver.
    pub driver: String,
}

/// Which driver cuts, and what becomes of the data when the content goes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSnapshotClass {
    /// Name, labels, annotations.
    pub metadata: ObjectMeta,
    /// The driver.
    pub driver: String,
    /// Delete or Retain.
    pub deletion_policy: String,
}

/// Which driver cuts, and what becomes of the data when the content goes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeGroupSnapshotClass {
    /// Name, labels, annotations.
    pub metadata: ObjectMeta,
    /// The driver.
    pub driver: String,
    /// Delete or Retain.
    pub deletion_policy: String,
}

/// The classes have their fields at the top, which kube's derive doesn't know.
macro_rules! class {
    ($class:ident, $group:literal, $plural:literal) => {
        impl k8s_openapi::Resource for $class {
            const API_VERSION: &'static str = concat!($group, "/v1");
            const GROUP: &'static str = $group;
            const KIND: &'static str = stringify!($class);
            const VERSION: &'static str = "v1";
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = k8s_openapi::ClusterResourceScope;
        }

        impl k8s_openapi::Metadata for $class {
            type Ty = ObjectMeta;

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

class!(
    VolumeSnapshotClass,
    "snapshot.storage.k8s.io",
    "volumesnapshotclasses"
);
class!(
    VolumeGroupSnapshotClass,
    "groupsnapshot.storage.k8s.io",
    "volumegroupsnapshotclasses"
);
