//! What the leader cuts itself: claims that no running pod mounts. Nothing is frozen for them and no barrier waits.

use clusterbackup_api::node_task::{
    Consistency, CutOrder, CutOutcome, CutReport, FreezeUnit, NodeTaskStatus, TaskPhase, UnitPhase,
    UnitReport,
};
use clusterbackup_api::snapshots::{VolumeGroupSnapshot, VolumeSnapshot};
use clusterbackup_api::{NodeTask, schema};
use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use tokio::time::{Instant, timeout};

use crate::snapshots::Snapshots;
use crate::snapshots::request::{CutError, request, taken};

/// Cuts everything in the task, and reports as an agent does.
pub(super) async fn run(client: &Client, task: &NodeTask) -> NodeTaskStatus {
    let started = MicroTime(Timestamp::now());
    let snapshots = Snapshots::new(client.clone(), &task.name_any());
    let mut units = Vec::new();
    for unit in &task.spec.units {
        let cuts = unit
            .cuts
            .iter()
            .map(|order| cut(client, task, unit, order, &snapshots));
        units.push(UnitReport {
            name: unit.name.clone(),
            phase: UnitPhase::Thawed,
            early: false,
            disturbed: false,
            message: None,
            pods: Vec::new(),
            cuts: join_all(cuts).await.into_iter().flatten().collect(),
        });
    }
    NodeTaskStatus {
        execs: Vec::new(),
        observed_epoch: task.spec.epoch,
        phase: Some(TaskPhase::Done),
        message: None,
        started_at: Some(started),
        finished_at: Some(MicroTime(Timestamp::now())),
        units,
    }
}

async fn cut(
    client: &Client,
    task: &NodeTask,
    unit: &FreezeUnit,
    order: &CutOrder,
    snapshots: &Snapshots,
) -> Vec<CutReport> {
    let (began, started_at) = (Instant::now(), MicroTime(Timestamp::now()));
    let cut = take(client, task, order, snapshots);
    let result = match timeout(unit.cut_limit.duration(), cut).await {
        Ok(result) => result,
        Err(_) => Err(CutError::TooSlow.to_string()),
    };
    let millis = u64::try_from(began.elapsed().as_millis()).ok();
    let report = |claim: &String| CutReport {
        namespace: order.namespace.clone(),
        claim: claim.clone(),
        outcome: if result.is_ok() {
            CutOutcome::Taken
        } else {
            CutOutcome::Failed
        },
        snapshot: Some(order.snapshot.clone()),
        // No hook says that nothing is on its way to the disk: a pod that is just ending may write.
        consistency: result.is_ok().then_some(Consistency::CrashConsistent),
        started_at: Some(started_at.clone()),
        millis: millis.filter(|_| result.is_ok()),
        message: result
            .as_ref()
            .err()
            .map(|text| schema::bounded(text).into_owned()),
    };
    order.claims.iter().map(report).collect()
}

async fn take(
    client: &Client,
    task: &NodeTask,
    order: &CutOrder,
    snapshots: &Snapshots,
) -> Result<(), String> {
    let view = match order.group_labels {
        Some(_) => snapshots.view::<VolumeGroupSnapshot>(None).await,
        None => snapshots.view::<VolumeSnapshot>(None).await,
    };
    let view = view.map_err(|error| error.to_string())?;
    let backup = task.spec.backup.as_ref();
    let uid = backup.map_or("", |backup| backup.uid.as_str());
    match request(client, &task.name_any(), uid, order).await {
        // One that is there already was asked for by an earlier leader.
        Err(CutError::Request(error)) if is_conflict(&error) => {}
        requested => requested.map_err(|error| error.to_string())?,
    }
    taken(&order.snapshot, view)
        .await
        .map_err(|error| error.to_string())
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(answer) if answer.code == 409)
}
