//! The cuts of a unit: all requested at once, each awaited until the driver has cut. Nothing is deleted here: what was
//! not taken, the leader removes, since only it may touch the driver's side.

use clusterbackup_api::node_task::{Consistency, CutOrder, CutOutcome, FreezeUnit};
use clusterbackup_api::snapshots::{VolumeGroupSnapshot, VolumeSnapshot};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::{Instant, timeout};

use super::signal::ThawSignal;
use super::status;
use super::work::Work;
use crate::snapshots::request::{self, CutError};
use crate::snapshots::{NotWatched, View};

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
                Some(_) => snapshots.view::<VolumeGroupSnapshot>(Some(namespace)).await?,
                None => snapshots.view::<VolumeSnapshot>(Some(namespace)).await?,
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
            request::request(&self.work.client, &self.work.task, &self.work.backup.uid, order).await?;
            request::taken(&order.snapshot, view).await
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
