//! What a person would look for in the reports of the nodes, as events on the Backup.

use clusterbackup_api::NodeTask;
use clusterbackup_api::backup::BarrierReport;
use clusterbackup_api::node_task::{CutOutcome, ExecOutcome, FreezeUnit, Stage, Thaw, UnitReport};

use super::events::Reason;

/// An event.
type News = (Reason, String);

/// The agent of a task is silent.
pub(super) fn silent(task: &NodeTask) -> News {
    let note = format!(
        "the agent of node {} doesn't report on {}",
        task.spec.node_name,
        name(task)
    );
    (Reason::AgentSilent, note)
}

/// A barrier is broken.
pub(super) fn broken(barrier: &BarrierReport) -> Option<News> {
    let nodes = barrier.broken_by.join(", ");
    let note = format!(
        "unit {} is not cut at one moment, because of {nodes}",
        barrier.unit
    );
    (!barrier.met).then_some((Reason::BarrierBroken, note))
}

/// What stands in the report of a task.
pub(super) fn of(task: &NodeTask) -> Vec<News> {
    let units = task.spec.units.iter().filter_map(|order| {
        let mut reports = task.status.iter().flat_map(|status| &status.units);
        Some((order, reports.find(|report| report.name == order.name)?))
    });
    units
        .flat_map(|(order, report)| [cuts(report), pods(order, report)])
        .flatten()
        .collect()
}

fn cuts(report: &UnitReport) -> Vec<News> {
    let failed = report.cuts.iter().filter(|cut| cut.outcome == CutOutcome::Failed);
    let note = |claim: String, message: &Option<String>| match message {
        Some(message) => format!("claim {claim}: {message}"),
        None => format!("claim {claim}"),
    };
    failed
        .map(|cut| {
            (
                Reason::CutFailed,
                note(format!("{}/{}", cut.namespace, cut.claim), &cut.message),
            )
        })
        .collect()
}

fn pods(order: &FreezeUnit, report: &UnitReport) -> Vec<News> {
    let limit = order.max_freeze.duration().as_millis();
    let mut news = Vec::new();
    for pod in &report.pods {
        let name = format!("{}/{}", pod.namespace, pod.name);
        if pod.frozen_millis.is_some_and(|millis| u128::from(millis) > limit) {
            news.push((
                Reason::FrozenTooLong,
                format!("pod {name} was frozen for longer than {}", order.max_freeze),
            ));
        }
        let mut undo = pod.execs.iter().filter(|exec| exec.stage == Stage::Post);
        let failed = undo.any(|exec| !matches!(exec.outcome, ExecOutcome::Succeeded | ExecOutcome::Running));
        if pod.thaw == Thaw::Pending && failed {
            news.push((
                Reason::ThawPending,
                format!("pod {name} is still frozen: its undo fails and is tried again"),
            ));
        }
    }
    news
}

fn name(task: &NodeTask) -> &str {
    task.metadata.name.as_deref().unwrap_or_default()
}
