//! One task from its first sight to its end: wait for the leader, claim it, carry its units out, report.

use std::sync::Arc;

use clusterbackup_api::node_task::{
    FreezeUnit, NodeTask, NodeTaskSpec, NodeTaskStatus, Purpose, RunReference, TaskPhase,
};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt as _;
use tracing::info;

use super::Node;
use super::going::Going;
use super::metrics::TaskOutcome;
use super::orders::{Gate, Orders};
use super::restored::{Restored, Way};
use super::resume;
use super::status::Reporter;
use super::unit::Unit;
use super::work::Work;

/// Carries a task out. When it returns, nothing of it is frozen, or the agent was told to stop waiting.
pub(super) async fn run(node: Arc<Node>, task: NodeTask, mut orders: Orders) {
    let adopted = phase(&task) == Some(TaskPhase::Running);
    if !adopted {
        match orders.gate().await {
            Gate::Open => {}
            Gate::Left => return,
            Gate::Refused => return refuse(&node, &task).await,
        }
    }
    let Some(spec) = orders.spec.borrow().clone() else {
        return;
    };
    node.metrics.tasks.inc();
    let name = task.name_any();
    info!(task = name, run = run_of(&spec), adopted, "the task begins");
    let reporter = Reporter::start(node.tasks(), &task);
    reporter.announce(|status| {
        status.phase = Some(TaskPhase::Running);
        status.observed_epoch = spec.epoch;
        status.started_at.get_or_insert_with(now);
    });
    let carried = async {
        match spec.purpose() {
            Some(Purpose::Backup(backup)) => {
                let work = Work::of(&node, &task, (&spec, backup), reporter.clone());
                carry_out(&node, &work, &spec, orders.clone(), adopted).await;
                Way::Ended
            }
            Some(Purpose::Restored(pod)) => {
                let restored = Restored {
                    node: &node,
                    reporter: &reporter,
                    orders: &orders,
                    pod,
                };
                restored.run().await
            }
            None => Way::Ended,
        }
    };
    let way = tokio::select! {
        way = carried => way,
        () = follow_epoch(&reporter, orders.clone()) => Way::Left,
    };
    node.metrics.tasks.dec();
    if way == Way::Left {
        _ = reporter.finish().await;
        return;
    }
    reporter.note(|status| {
        status.phase = Some(TaskPhase::Done);
        status.finished_at = Some(now());
        status.message = message(status);
    });
    ended(&node, &name, TaskOutcome::Done, reporter).await;
}

/// The name of the backup or restore that a task is for.
fn run_of(spec: &NodeTaskSpec) -> &str {
    let run: Option<&RunReference> = match spec.purpose() {
        Some(Purpose::Backup(backup)) => Some(backup),
        Some(Purpose::Restored(pod)) => Some(&pod.restore),
        None => None,
    };
    run.map_or("", |run| &run.name)
}

/// How far a task was when it was last reported.
pub(super) fn phase(task: &NodeTask) -> Option<TaskPhase> {
    task.status.as_ref().and_then(|status| status.phase)
}

async fn carry_out(node: &Node, work: &Work, spec: &NodeTaskSpec, mut orders: Orders, adopted: bool) {
    if adopted {
        resume::run(work, spec).await;
    }
    let begun = work.reporter.status().units;
    let is_new = |unit: &&FreezeUnit| begun.iter().all(|report| report.name != unit.name);
    let units: Vec<_> = spec.units.iter().filter(is_new).collect();
    if units.is_empty() || !matches!(orders.gate().await, Gate::Open) {
        return;
    }
    let going = Going::watch(node.client.clone(), &node.name);
    let (orders, going) = (&orders, &going);
    join_all(units.into_iter().map(|order| async move {
        // Units that wait for each other can't take turns.
        let _room = match order.released {
            None => work.room.acquire().await.ok(),
            Some(_) => None,
        };
        let unit = Unit {
            work,
            order,
            orders,
            going,
        };
        unit.run().await;
    }))
    .await;
}

/// Reports under which leader the work goes on. Never returns.
async fn follow_epoch(reporter: &Reporter, mut orders: Orders) {
    while orders.spec.changed().await.is_ok() {
        if let Some(epoch) = orders.epoch() {
            reporter.note(|status| status.observed_epoch = epoch);
        }
    }
    std::future::pending::<()>().await;
}

async fn refuse(node: &Node, task: &NodeTask) {
    let reporter = Reporter::start(node.tasks(), task);
    reporter.note(|status| {
        status.phase = Some(TaskPhase::Refused);
        status.observed_epoch = task.spec.epoch;
        status.message = Some("it was cancelled before".to_owned());
        status.finished_at = Some(now());
    });
    ended(node, &task.name_any(), TaskOutcome::Refused, reporter).await;
}

async fn ended(node: &Node, task: &str, outcome: TaskOutcome, reporter: Reporter) {
    node.metrics.ended(outcome);
    let told = reporter.finish().await.is_ok();
    info!(task, ?outcome, told, "the task has ended");
}

/// The first thing that went wrong.
fn message(status: &NodeTaskStatus) -> Option<String> {
    status.units.iter().find_map(|unit| {
        let message = unit.message.as_ref()?;
        Some(format!("{}: {message}", unit.name))
    })
}

fn now() -> MicroTime {
    MicroTime(Timestamp::now())
}
