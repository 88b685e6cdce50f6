//! The snapshots of points that are purged. They are marked before the point goes, so that whoever leads next knows of them,
//! and removed when it is gone. A snapshot that others use is not removed, and keeps its point.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::labels;
use clusterbackup_api::snapshots::VolumeSnapshotContent;
use clusterbackup_vault::point::{Manifest, PointId};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::leader::contents::{self, Policy};
use crate::leader::discard::discard;
use crate::leader::error::{Doing as _, DriveError, OrGone as _};
use crate::leader::listed;
use crate::leader::world::World;

/// What came of marking snapshots.
pub(super) enum Marked {
    /// All that are there are marked.
    All,
    /// This one uses the data of one of them.
    InUse(String),
}

/// Marks the snapshots of a point of this vault, unless others use one.
pub(super) async fn mark(client: &Client, vault: &str, manifest: &Manifest) -> Result<Marked, DriveError> {
    if manifest.snapshots.is_empty() {
        return Ok(Marked::All);
    }
    let all = list(client, ListParams::default()).await?;
    let of_point = |content: &&VolumeSnapshotContent| {
        let handle = handle(content);
        let mut snapshots = manifest.snapshots.iter();
        snapshots.any(|snapshot| snapshot.driver == content.spec.driver && Some(&*snapshot.handle) == handle)
    };
    // Made from a handle: by a restore, or by a person. Those that were cut are ours.
    let (used, ours): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(of_point)
        .partition(|content| content.spec.source.snapshot_handle.is_some());
    if let Some(content) = used.first() {
        return Ok(Marked::InUse(format!(
            "VolumeSnapshotContent {}",
            content.name_any()
        )));
    }
    let marks = json!({
        "labels": { labels::PURGED_BY: vault },
        "annotations": { labels::POINT: manifest.begin.id },
    });
    let patch = Patch::Merge(json!({ "metadata": marks }));
    let contents = Api::<VolumeSnapshotContent>::all(client.clone());
    for content in ours {
        let name = content.name_any();
        let marked = contents.patch(&name, &PatchParams::default(), &patch).await;
        marked
            .or_gone()
            .doing(format!("mark VolumeSnapshotContent {name}"))?;
    }
    Ok(Marked::All)
}

/// Has the drivers remove the marked snapshots of this vault whose points are not there any more. Answers of which points some
/// are still there.
pub(super) async fn remove_marked(
    world: &World,
    vault: &str,
    is_there: impl Fn(&PointId) -> bool,
) -> Result<BTreeSet<PointId>, DriveError> {
    let ours = || ListParams::default().labels(&format!("{}={vault}", labels::PURGED_BY));
    let left = by_point(list(&world.client, ours()).await?, &is_there);
    for (id, contents) in &left {
        if !world.is_latest().await? {
            return Err(DriveError::Superseded);
        }
        // With their objects, where these are still there.
        discard(&world.client, id.as_str(), &BTreeSet::new()).await?;
        for content in contents {
            remove(&world.client, &content.name_any()).await?;
        }
    }
    if left.is_empty() {
        return Ok(BTreeSet::new());
    }
    let left = by_point(list(&world.client, ours()).await?, &is_there);
    Ok(left.into_keys().collect())
}

/// Those of points that are not there.
fn by_point(
    contents: Vec<VolumeSnapshotContent>,
    is_there: impl Fn(&PointId) -> bool,
) -> BTreeMap<PointId, Vec<VolumeSnapshotContent>> {
    let mut by_point = BTreeMap::<_, Vec<_>>::new();
    for content in contents {
        let named = content.annotations().get(labels::POINT);
        let id = named.and_then(|id| PointId::new(id.as_str()).ok());
        if let Some(id) = id.filter(|id| !is_there(id)) {
            by_point.entry(id).or_default().push(content);
        }
    }
    by_point
}

/// Has the driver remove a snapshot, of which only this is left.
pub(super) async fn remove(client: &Client, name: &str) -> Result<(), DriveError> {
    contents::set_snapshot_policy(client, name, Policy::Delete).await?;
    let contents = Api::<VolumeSnapshotContent>::all(client.clone());
    let deleted = contents.delete(name, &DeleteParams::default()).await;
    deleted
        .map(drop)
        .or_gone()
        .doing(format!("delete VolumeSnapshotContent {name}"))
        .map(drop)
}

/// Contents; none where the kind isn't installed.
pub(super) async fn list(
    client: &Client,
    selected: ListParams,
) -> Result<Vec<VolumeSnapshotContent>, DriveError> {
    let contents = Api::<VolumeSnapshotContent>::all(client.clone());
    let found = listed::all(&contents, selected).await.or_gone();
    Ok(found
        .doing("list the VolumeSnapshotContents")?
        .unwrap_or_default())
}

/// The driver's name for a snapshot, cut or given.
pub(super) fn handle(content: &VolumeSnapshotContent) -> Option<&str> {
    let given = content.spec.source.snapshot_handle.as_deref();
    let cut = content
        .status
        .as_ref()
        .and_then(|status| status.snapshot_handle.as_deref());
    given.or(cut)
}
