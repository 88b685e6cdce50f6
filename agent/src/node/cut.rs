//! The cuts of a unit: all requested at once, each awaited until the driver has cut. Nothing is deleted here: what was
//! not taken, the leader removes, since only it may touch the driver's side.

use std::time::Duration;

use clusterbackup_api::labels::{BACKUP_UID, CLAIM, TASK};
use clusterbackup_api::node_task::{Consistency, CutOrder, CutOutcome, FreezeUnit};
use clusterbackup_api::snapshots::{
    GroupSource, SnapshotSource, VolumeGroupSnapshot, VolumeGroupSnapshotSpec, VolumeSnapshot,
    VolumeSnapshotSpec,
};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::signal::ThawSignal;
use super::snapshots::{NotWatched, Seen, View};
use super::status;
use super::task::Work;

/// The sidecars try a failed cut again after a second; an error that stands longer than this is meant.
const PATIENCE: Duration = Duration::from_millis(2500);

/// What came of a cut, unless it was taken.
#[derive(Debug, thiserror::Error)]
enum CutError {
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

/// The cuts of one unit, with a view of each.
pub(super) struct Cuts<'a> {
    work: &'a Work,
    unit: &'a FreezeUnit,
    views: Vec<View>,
}

impl<'a> Cuts<'a> {
    /// Opens the views: before anything is frozen, so that this costs no frozen time.
    pub(super) async fn prepare(work: &'a Work, unit: &'a FreezeUnit) -> Result<Self, NotWatched> {
        let mut views = Vec::with_capacity(unit.cuts.len());
        for order in &unit.cuts {
            let (snapshots, namespace) = (&work.snapshots, &order.namespace);
            views.push(match order.group_labels {
                Some(_) => snapshots.view::<VolumeGroupSnapshot>(namespace).await?,
                None => snapshots.view::<VolumeSnapshot>(namespace).await?,
            });
        }
        Ok(Self { work, unit, views })
    }

    /// Requests all cuts, and waits until each is taken or has failed. Whether all were taken.
    pub(super) async fn take(&self, consistency: Consistency, thaw: &ThawSignal) -> bool {
        let orders = self.unit.cuts.iter().zip(&self.views);
        let taken = join_all(orders.map(|(order, view)| self.one(order, view.clone(), consistency, thaw)));
        taken.await.into_iter().all(|taken| taken)
    }

    async fn one(&self, order: &CutOrder, view: View, consistency: Consistency, thaw: &ThawSignal) -> bool {
        let (began, started_at) = (Instant::now(), MicroTime(Timestamp::now()));
        self.report(order, |report| {
            report.snapshot = Some(order.snapshot.clone());
            report.started_at = Some(started_at.clone());
        });
        let cut = async {
            self.request(order).await?;
            taken(&order.snapshot, view).await
        };
        let result = tokio::select! {
            // What is seen taken counts, also when the signal is there as well.
            biased;
            result = timeout(self.unit.cut_limit.duration(), cut) => result.unwrap_or(Err(CutError::TooSlow)),
            () = thaw.given() => Err(CutError::Thawed),
        };
        let took = began.elapsed();
        let outcome = if result.is_ok() {
            CutOutcome::Taken
        } else {
            CutOutcome::Failed
        };
        self.work.node_metrics.cut(order, outcome, took);
        self.report(order, |report| {
            report.outcome = outcome;
            match &result {
                Ok(()) => {
                    report.consistency = Some(consistency);
                    report.millis = u64::try_from(took.as_millis()).ok();
                }
                Err(error) => report.message = Some(error.to_string()),
            }
        });
        result.is_ok()
    }

    async fn request(&self, order: &CutOrder) -> Result<(), CutError> {
        let metadata = self.metadata(order);
        let client = self.work.client.clone();
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

    fn metadata(&self, order: &CutOrder) -> ObjectMeta {
        let labels = [
            (BACKUP_UID.to_owned(), self.work.backup.uid.clone()),
            (TASK.to_owned(), self.work.task.clone()),
        ];
        let claim = order.claims.first().filter(|_| order.group_labels.is_none());
        ObjectMeta {
            name: Some(order.snapshot.clone()),
            labels: Some(labels.into()),
            annotations: claim.map(|claim| [(CLAIM.to_owned(), claim.clone())].into()),
            ..ObjectMeta::default()
        }
    }

    fn report(&self, order: &CutOrder, change: impl Fn(&mut clusterbackup_api::node_task::CutReport)) {
        self.work.reporter.note(|status| {
            for claim in &order.claims {
                if let Some(report) = status::cut(status, &self.unit.name, &order.namespace, claim) {
                    change(report);
                }
            }
        });
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
async fn taken(snapshot: &str, mut view: View) -> Result<(), CutError> {
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
