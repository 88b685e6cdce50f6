//! What became of one claim, by the report of the task that was to cut it.

use std::collections::BTreeMap;

use clusterbackup_api::NodeTask;
use clusterbackup_api::node_task::{
    Consistency, CutOutcome, CutReport, ExecOutcome, PodOrder, Stage, TaskPhase, TaskState, UnitReport,
};
use clusterbackup_core::cut::SkipReason;
use clusterbackup_core::hook::OnError;
use clusterbackup_core::selection::Name;

use crate::leader::retain::Kept;

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing yet, or nothing that is sure.
    Pending,
    /// It is cut, and the snapshot is kept.
    Kept(Kept, Option<Consistency>, Option<String>),
    /// It is not cut, for a reason that is known beforehand.
    Skipped(SkipReason, Option<String>),
    /// It was not cut.
    NotBegun(Option<String>),
    /// It could not be cut, or the snapshot could not be kept.
    Failed(Option<String>),
}

/// What became of `claim`. `silent`: nobody waits for the task's agent any longer.
pub(super) fn fate(
    task: &NodeTask,
    unit: Option<&UnitReport>,
    claim: &Name,
    kept: &BTreeMap<Name, Result<Kept, String>>,
    silent: bool,
) -> Fate {
    let cut = unit.and_then(|unit| cut_of(unit, claim));
    let message = || {
        let told = cut.and_then(|cut| cut.message.clone());
        told.or_else(|| unit.and_then(|unit| unit.message.clone()))
    };
    match cut.map(|cut| cut.outcome) {
        Some(CutOutcome::Taken) => match kept.get(claim) {
            Some(Ok(kept)) => {
                let consistency = cut.and_then(|cut| cut.consistency);
                Fate::Kept(kept.clone(), consistency, message())
            }
            Some(Err(problem)) => Fate::Failed(Some(problem.clone())),
            None => Fate::Pending,
        },
        Some(CutOutcome::Failed) => Fate::Failed(message()),
        Some(CutOutcome::Pending) if silent => Fate::Failed(Some(SkipReason::AgentSilent.to_string())),
        Some(CutOutcome::NotBegun) => not_begun(task, unit, message()),
        None if silent => Fate::Skipped(SkipReason::AgentSilent, None),
        None if is_over(task) => not_begun(task, unit, message()),
        Some(CutOutcome::Pending) | None => Fate::Pending,
    }
}

/// The report on the claim.
pub(super) fn cut_of<'a>(unit: &'a UnitReport, claim: &Name) -> Option<&'a CutReport> {
    let mut cuts = unit.cuts.iter();
    cuts.find(|cut| cut.namespace == claim.namespace && cut.claim == claim.name)
}

fn is_over(task: &NodeTask) -> bool {
    let phase = task.status.as_ref().and_then(|status| status.phase);
    matches!(phase, Some(TaskPhase::Done | TaskPhase::Refused))
}

fn not_begun(task: &NodeTask, unit: Option<&UnitReport>, message: Option<String>) -> Fate {
    if unit.is_some_and(|unit| hook_failed(task, unit)) {
        return Fate::Skipped(SkipReason::HookFailed, message);
    }
    if task.spec.state == TaskState::Cancelled {
        return Fate::Skipped(SkipReason::Cancelled, message);
    }
    Fate::NotBegun(message)
}

/// Whether a pre hook failed whose failure means that nothing is cut.
fn hook_failed(task: &NodeTask, unit: &UnitReport) -> bool {
    let orders = task.spec.units.iter().filter(|order| order.name == unit.name);
    let mut pods = orders.flat_map(|order| &order.pods);
    pods.any(|order| {
        let report = unit.pods.iter().find(|pod| pod.uid == order.uid);
        let execs = report.into_iter().flat_map(|pod| &pod.execs);
        let pre = execs.filter(|exec| exec.stage == Stage::Pre);
        pre.enumerate().any(|(number, exec)| {
            !matches!(exec.outcome, ExecOutcome::Succeeded | ExecOutcome::Running) && is_needed(order, number)
        })
    })
}

/// Whether the pre hook of that number says `Fail`; they are reported in their order.
fn is_needed(order: &PodOrder, number: usize) -> bool {
    order
        .pre
        .get(number)
        .is_none_or(|command| command.on_error == OnError::Fail)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::leader::sample;

    fn task(state: TaskState, phase: &str, report: Option<Value>) -> NodeTask {
        let mut task = sample::task("node-a", &sample::unit("u0"), report);
        task.spec.state = state;
        let status = task.status.get_or_insert_default();
        status.phase = Some(serde_json::from_value(phase.into()).unwrap());
        task
    }

    fn unit(outcome: &str, pre: &str) -> Value {
        json!({
            "name": "u0",
            "phase": "Thawed",
            "pods": [sample::pod(pre)],
            "cuts": [{ "namespace": "shop", "claim": "data", "outcome": outcome, "consistency": "CrashConsistent" }],
        })
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn a_claim_is_listed_only_when_its_snapshot_is_kept_and_skipped_for_the_reason_that_was() {
        let kept = Kept {
            snapshot: "s".to_owned(),
            content: "c".to_owned(),
            handle: "h".to_owned(),
            driver: "d".to_owned(),
        };
        let claim = Name::new("shop", "data");
        let (none, good, bad) = (
            BTreeMap::new(),
            BTreeMap::from([(claim.clone(), Ok(kept.clone()))]),
            BTreeMap::from([(claim.clone(), Err("no handle".to_owned()))]),
        );
        let crash = Some(Consistency::CrashConsistent);
        let (running, cancelled) = (TaskState::Running, TaskState::Cancelled);
        let skipped = |reason| Fate::Skipped(reason, None);
        let silent = Some(SkipReason::AgentSilent.to_string());
        for (state, phase, report, kept, is_silent, expected) in [
            (running, "Running", None, &none, false, Fate::Pending),
            (
                running,
                "Running",
                Some(unit("Pending", "Succeeded")),
                &none,
                false,
                Fate::Pending,
            ),
            (
                running,
                "Running",
                Some(unit("Taken", "Succeeded")),
                &none,
                false,
                Fate::Pending,
            ),
            (
                running,
                "Done",
                Some(unit("Taken", "Succeeded")),
                &good,
                false,
                Fate::Kept(kept.clone(), crash, None),
            ),
            (
                running,
                "Done",
                Some(unit("Taken", "Succeeded")),
                &bad,
                false,
                Fate::Failed(Some("no handle".to_owned())),
            ),
            (
                running,
                "Done",
                Some(unit("Failed", "Succeeded")),
                &none,
                false,
                Fate::Failed(None),
            ),
            (
                running,
                "Done",
                Some(unit("NotBegun", "Failed")),
                &none,
                false,
                skipped(SkipReason::HookFailed),
            ),
            (
                cancelled,
                "Done",
                Some(unit("NotBegun", "Succeeded")),
                &none,
                false,
                skipped(SkipReason::Cancelled),
            ),
            (
                cancelled,
                "Refused",
                None,
                &none,
                false,
                skipped(SkipReason::Cancelled),
            ),
            (
                running,
                "Done",
                Some(unit("NotBegun", "Succeeded")),
                &none,
                false,
                Fate::NotBegun(None),
            ),
            (
                cancelled,
                "Running",
                None,
                &none,
                true,
                skipped(SkipReason::AgentSilent),
            ),
            (
                cancelled,
                "Running",
                Some(unit("Pending", "Succeeded")),
                &none,
                true,
                Fate::Failed(silent.clone()),
            ),
        ] {
            let told = format!("{state:?} {phase} {report:?}");
            let task = task(state, phase, report);
            let unit = task.status.as_ref().and_then(|status| status.units.first());
            assert_eq!(fate(&task, unit, &claim, kept, is_silent), expected, "{told}");
        }
    }
}
