//! The driver's side of snapshots and groups: what becomes of the data when the content goes.

use std::fmt::Debug;

use clusterbackup_api::labels;
use clusterbackup_api::snapshots::{
    VolumeGroupSnapshot, VolumeGroupSnapshotContent, VolumeSnapshot, VolumeSnapshotContent,
};
use clusterbackup_core::selection::Name;
use k8s_openapi::ClusterResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::error::{Doing as _, DriveError, OrGone as _};

/// Annotation of contents that are to go: when the leader last looked.
const LOOKED: &str = "clusterbackup.io/discarded";

/// What becomes of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// It goes.
    Delete,
    /// It stays.
    Retain,
}

impl Policy {
    /// The word in the spec.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
        }
    }
}

/// The content of a snapshot, also of one that isn't bound yet: the controller names it by the snapshot's uid.
pub(super) fn of_snapshot(snapshot: &VolumeSnapshot) -> String {
    let bound = snapshot
        .status
        .as_ref()
        .and_then(|status| status.bound_volume_snapshot_content_name.clone());
    bound.unwrap_or_else(|| format!("snapcontent-{}", snapshot.uid().unwrap_or_default()))
}

/// The content of a group, named in the same way.
pub(super) fn of_group(group: &VolumeGroupSnapshot) -> String {
    let bound = group
        .status
        .as_ref()
        .and_then(|status| status.bound_volume_group_snapshot_content_name.clone());
    bound.unwrap_or_else(|| format!("groupsnapcontent-{}", group.uid().unwrap_or_default()))
}

/// The group that a snapshot is a member of.
pub(super) fn group_of(snapshot: &VolumeSnapshot) -> Option<&OwnerReference> {
    let mut owners = snapshot.owner_references().iter();
    owners.find(|owner| owner.kind == "VolumeGroupSnapshot")
}

/// The snapshots of a group: they carry no label of ours, and their names say nothing.
pub(super) async fn members(
    client: &Client,
    namespace: &str,
    group: &str,
) -> Result<Vec<VolumeSnapshot>, DriveError> {
    let snapshots = Api::<VolumeSnapshot>::namespaced(client.clone(), namespace)
        .list(&ListParams::default())
        .await
        .doing(format!("list the VolumeSnapshots of {namespace}"))?;
    let is_member = |snapshot: &VolumeSnapshot| group_of(snapshot).is_some_and(|owner| owner.name == group);
    Ok(snapshots.items.into_iter().filter(is_member).collect())
}

/// The snapshot of `claim` in a group.
pub(super) async fn member(
    client: &Client,
    claim: &Name,
    group: &str,
) -> Result<Option<VolumeSnapshot>, DriveError> {
    let mut members = members(client, &claim.namespace, group).await?.into_iter();
    Ok(members.find(|member| member.spec.source.persistent_volume_claim_name.as_ref() == Some(&claim.name)))
}

/// Sets what becomes of the data of a snapshot.
pub(super) async fn set_snapshot_policy(
    client: &Client,
    name: &str,
    policy: Policy,
) -> Result<(), DriveError> {
    set_policy(Api::<VolumeSnapshotContent>::all(client.clone()), name, policy).await
}

/// For which point snapshots are kept.
#[derive(Debug, Clone)]
pub(super) struct Purpose {
    /// The uid of the Backup.
    pub(super) backup: String,
    /// The id of the vault that the point goes into, if there is one.
    pub(super) vault: Option<String>,
}

/// Has the data of a snapshot outlive its namespace, and says what for: the snapshot, which does as well, goes with that.
pub(super) async fn keep(client: &Client, name: &str, purpose: &Purpose) -> Result<(), DriveError> {
    let patch = Patch::Merge(json!({
        "metadata": { "labels": {
            labels::BACKUP_UID: purpose.backup,
            labels::VAULT_ID: purpose.vault,
        } },
        "spec": { "deletionPolicy": Policy::Retain.as_str() },
    }));
    Api::<VolumeSnapshotContent>::all(client.clone())
        .patch(name, &PatchParams::default(), &patch)
        .await
        .or_gone()
        .doing(format!("keep VolumeSnapshotContent {name}"))
        .map(drop)
}

/// Sets what becomes of the data of a group.
pub(super) async fn set_group_policy(client: &Client, name: &str, policy: Policy) -> Result<(), DriveError> {
    set_policy(
        Api::<VolumeGroupSnapshotContent>::all(client.clone()),
        name,
        policy,
    )
    .await
}

/// Whether a content that is to go is still there. The sidecar forgets one whose deletion began during its cut, until
/// something in it changes: so that is changed with every look.
pub(super) async fn is_there(client: &Client, name: &str) -> Result<bool, DriveError> {
    let looked = json!({ LOOKED: Timestamp::now().to_string() });
    let patch = Patch::Merge(json!({ "metadata": { "annotations": looked } }));
    let found = Api::<VolumeSnapshotContent>::all(client.clone())
        .patch(name, &PatchParams::default(), &patch)
        .await
        .or_gone()
        .doing(format!("look at VolumeSnapshotContent {name}"))?;
    Ok(found.is_some())
}

/// A content that isn't there needs none.
async fn set_policy<K>(contents: Api<K>, name: &str, policy: Policy) -> Result<(), DriveError>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug + DeserializeOwned,
{
    let patch = Patch::Merge(json!({ "spec": { "deletionPolicy": policy.as_str() } }));
    contents
        .patch(name, &PatchParams::default(), &patch)
        .await
        .or_gone()
        .doing(format!("set the deletionPolicy of {} {name}", K::kind(&())))
        .map(drop)
}
