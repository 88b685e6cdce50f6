//! One snapshot or group: requested, and awaited until the driver has cut.

use std::time::Duration;

use clusterbackup_api::labels::{BACKUP_UID, CLAIM, TASK};
use clusterbackup_api::node_task::CutOrder;
use clusterbackup_api::snapshots::{
    GroupSource, SnapshotSource, VolumeGroupSnapshot, VolumeGroupSnapshotSpec, VolumeSnapshot,
    VolumeSnapshotSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::{Seen, View};

/// The sidecars try a failed cut again after a second; an error that stands longer than this is meant.
const PATIENCE: Duration = Duration::from_millis(2500);

/// What came of a cut, unless it was taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutError {
    #[error("it could not be requested: {0}")]
    Request(Box<kube::Error>),
    #[error("the driver refused: {0}")]
    Refused(String),
    #[error("it was not taken within cutLimit")]
    TooSlow,
    #[error("it was not taken before its unit had to thaw")]
    Thawed,
    #[error("somebody deleted it")]
    Deleted,
}

/// Requests the cut of a task of the backup `uid`.
pub(crate) async fn request(
    client: &Client,
    task: &str,
    uid: &str,
    order: &CutOrder,
) -> Result<(), CutError> {
    let metadata = metadata(task, uid, order);
    let client = client.clone();
    let requested = if let Some(spec) = group(order) {
        let mut group = VolumeGroupSnapshot::new(&order.snapshot, spec);
        group.metadata = metadata;
        create(&Api::namespaced(client, &order.namespace), &group).await
    } else {
        let mut snapshot = VolumeSnapshot::new(&order.snapshot, single(order));
        snapshot.metadata = metadata;
        create(&Api::namespaced(client, &order.namespace), &snapshot).await
    };
    requested.map_err(|error| CutError::Request(Box::new(error)))
}

fn metadata(task: &str, uid: &str, order: &CutOrder) -> ObjectMeta {
    let labels = [
        (BACKUP_UID.to_owned(), uid.to_owned()),
        (TASK.to_owned(), task.to_owned()),
    ];
    let claim = order.claims.first().filter(|_| order.group_labels.is_none());
    ObjectMeta {
        name: Some(order.snapshot.clone()),
        labels: Some(labels.into()),
        annotations: claim.map(|claim| [(CLAIM.to_owned(), claim.clone())].into()),
        ..ObjectMeta::default()
    }
}

fn single(order: &CutOrder) -> VolumeSnapshotSpec {
    VolumeSnapshotSpec {
        source: SnapshotSource {
            persistent_volume_claim_name: order.claims.first().cloned(),
            ..SnapshotSource::default()
        },
        volume_snapshot_class_name: Some(order.class.clone()),
    }
}

fn group(order: &CutOrder) -> Option<VolumeGroupSnapshotSpec> {
    let labels = order.group_labels.clone()?;
    Some(VolumeGroupSnapshotSpec {
        source: GroupSource {
            selector: Some(LabelSelector {
                match_labels: Some(labels),
                ..LabelSelector::default()
            }),
        },
        volume_group_snapshot_class_name: Some(order.class.clone()),
    })
}

async fn create<K>(api: &Api<K>, object: &K) -> kube::Result<()>
where
    K: Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    api.create(&PostParams::default(), object).await.map(drop)
}

/// Waits until the driver has cut.
pub(crate) async fn taken(snapshot: &str, mut view: View) -> Result<(), CutError> {
    let mut complained = None::<(Instant, String)>;
    let mut existed = false;
    loop {
        let seen = view
            .borrow_and_update()
            .as_ref()
            .and_then(|seen| seen.get(snapshot).cloned());
        match seen {
            Some(Seen { taken: true, .. }) => return Ok(()),
            Some(Seen {
                error: Some(error), ..
            }) => {
                let since = complained.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                complained = Some((since, error));
                existed = true;
            }
            Some(Seen { error: None, .. }) => {
                complained = None;
                existed = true;
            }
            None if existed => return Err(CutError::Deleted),
            None => {}
        }
        let patience = match &complained {
            Some((since, _)) => PATIENCE.saturating_sub(since.elapsed()),
            None => Duration::MAX,
        };
        tokio::select! {
            changed = view.changed() => if changed.is_err() { return Err(CutError::Thawed) },
            () = sleep(patience) => {
                let error = complained.map(|(_, error)| error);
                return Err(CutError::Refused(error.unwrap_or_default()));
            }
        }
    }
}
