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
            // What is taken after all counts.
            biased;
            changed = view.changed() => if changed.is_err() { return Err(CutError::Thawed) },
            () = sleep(patience) => {
                let error = complained.map(|(_, error)| error);
                return Err(CutError::Refused(error.unwrap_or_default()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::sync::watch;
    use tokio::time::advance;

    use super::*;

    /// What is seen of a snapshot, and how many milliseconds later than what came before.
    type Step = (u64, Option<Result<bool, &'static str>>);

    fn seen(state: Option<Result<bool, &str>>) -> HashMap<String, Seen> {
        let seen = state.map(|state| Seen {
            taken: state == Ok(true),
            error: state.err().map(str::to_owned),
        });
        seen.map(|seen| ("s".to_owned(), seen)).into_iter().collect()
    }

    /// What comes of it when nothing else is ever seen; none: it is awaited still, after a day.
    async fn ending(steps: &[Step]) -> Option<Result<(), String>> {
        let (sender, view) = watch::channel(Some(seen(None)));
        let awaited = tokio::spawn(taken("s", view));
        for (later, state) in steps {
            advance(Duration::from_millis(*later)).await;
            tokio::task::yield_now().await;
            sender.send_replace(Some(seen(*state)));
            tokio::task::yield_now().await;
        }
        let day = Duration::from_hours(24);
        let ended = tokio::time::timeout(day, awaited).await.ok()?;
        Some(ended.unwrap().map_err(|error| error.to_string()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_is_awaited_until_it_is_taken_or_refused_for_good() {
        let (there, taken) = (Some(Ok(false)), Some(Ok(true)));
        let (busy, worse) = (Some(Err("busy")), Some(Err("worse")));
        let refused = |error: &str| Some(Err(format!("the driver refused: {error}")));
        let deleted = Some(Err("somebody deleted it".to_owned()));
        for (steps, expected) in [
            (&[][..], None),
            (&[(0, there)], None),
            (&[(0, taken)], Some(Ok(()))),
            (&[(0, there), (60_000, taken)], Some(Ok(()))),
            // The sidecars try again: an error that goes away was none.
            (&[(0, busy), (2000, taken)], Some(Ok(()))),
            (&[(0, busy), (2000, there)], None),
            (
                &[(0, busy), (2000, there), (0, busy), (2000, taken)],
                Some(Ok(())),
            ),
            (&[(0, busy)], refused("busy")),
            (&[(0, busy), (2000, busy), (600, taken)], refused("busy")),
            (&[(0, busy), (2000, worse), (600, there)], refused("worse")),
            (&[(0, there), (0, None)], deleted.clone()),
            (&[(0, busy), (0, None)], deleted),
            // Not there yet.
            (&[(0, None), (0, taken)], Some(Ok(()))),
        ] {
            assert_eq!(ending(steps).await, expected, "{steps:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_watch_nothing_is_awaited() {
        let (sender, view) = watch::channel(Some(seen(Some(Ok(false)))));
        drop(sender);
        assert!(matches!(taken("s", view).await, Err(CutError::Thawed)));
    }
}
