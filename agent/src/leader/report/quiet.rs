//! Units whose shares lie on several nodes: each agent knows its own pods alone, so that what the cuts of such a unit
//! are worth is only seen here.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::NodeTask;
use clusterbackup_api::backup::BarrierReport;
use clusterbackup_api::node_task::{ExecOutcome, FreezeUnit, Stage, UnitReport};
use clusterbackup_core::hook::{OnError, Quiescence};

/// The units with several shares that were not quiet as a whole when they were cut.
pub(super) fn restless<'a>(
    tasks: impl Iterator<Item = &'a NodeTask>,
    barriers: &[BarrierReport],
) -> BTreeSet<String> {
    let mut units: BTreeMap<&str, Vec<Result<(), OnError>>> = BTreeMap::new();
    let mut restless = BTreeSet::new();
    for task in tasks {
        let shares = task.spec.units.iter().filter(|order| order.released.is_some());
        for order in shares {
            let mut reports = task.status.iter().flat_map(|status| &status.units);
            let report = reports.find(|report| report.name == order.name);
            units.entry(&order.name).or_default().extend(pre(order, report));
            if report.is_some_and(|report| report.disturbed) {
                restless.insert(order.name.clone());
            }
        }
    }
    let unquiet = units
        .into_iter()
        .filter(|(_, ended)| Quiescence::of(ended.iter().copied()) != Quiescence::Held);
    let broken = barriers.iter().filter(|barrier| !barrier.met);
    let names = unquiet.map(|(name, _)| name.to_owned());
    restless.extend(names.chain(broken.map(|barrier| barrier.unit.clone())));
    restless
}

/// How the pre hooks of a share ended; one that did not run failed.
fn pre(order: &FreezeUnit, report: Option<&UnitReport>) -> Vec<Result<(), OnError>> {
    let mut ended = Vec::new();
    for pod in &order.pods {
        let report = report.and_then(|report| report.pods.iter().find(|report| report.uid == pod.uid));
        let mut ran = report
            .into_iter()
            .flat_map(|report| &report.execs)
            .filter(|exec| exec.stage == Stage::Pre);
        ended.extend(pod.pre.iter().map(|command| match ran.next() {
            Some(exec) if exec.outcome == ExecOutcome::Succeeded => Ok(()),
            _ => Err(command.on_error),
        }));
    }
    ended
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::leader::sample;

    /// A share of the unit: its pre hook may fail or not, and what is reported.
    fn share(node: &str, on_error: &str, report: Option<Value>) -> NodeTask {
        let mut unit = sample::unit("u0");
        unit["released"] = "Freeze".into();
        unit["pods"][0]["pre"][0]["onError"] = on_error.into();
        sample::task(node, &unit, report)
    }

    fn report(pre: &str) -> Value {
        json!({ "name": "u0", "phase": "Thawed", "pods": [sample::pod(pre)] })
    }

    fn disturbed(pre: &str) -> Value {
        let mut report = report(pre);
        report["disturbed"] = true.into();
        report
    }

    fn barrier(broken_by: &[&str]) -> BarrierReport {
        BarrierReport {
            unit: "u0".to_owned(),
            met: broken_by.is_empty(),
            skew_millis: None,
            broken_by: broken_by.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn one_share_that_does_not_stand_still_makes_the_whole_unit_restless() {
        let good = || Some(report("Succeeded"));
        for (right, on_error, broken_by, restless) in [
            (good(), "Fail", &[][..], false),
            (Some(report("Failed")), "Fail", &[], true),
            (Some(report("Failed")), "Continue", &[], true),
            (Some(report("TimedOut")), "Continue", &[], true),
            // Not at its end yet, not begun, and nothing heard of it.
            (Some(report("Running")), "Fail", &[], true),
            (
                Some(json!({ "name": "u0", "phase": "Freezing" })),
                "Fail",
                &[],
                true,
            ),
            (None, "Fail", &[], true),
            (Some(disturbed("Succeeded")), "Fail", &[], true),
            (good(), "Fail", &["left"], true),
        ] {
            let told = format!("{right:?} {on_error} {broken_by:?}");
            let tasks = [share("left", "Fail", good()), share("right", on_error, right)];
            let found = super::restless(tasks.iter(), &[barrier(broken_by)]);
            assert_eq!(found.contains("u0"), restless, "{told}");
        }
    }

    #[test]
    fn a_unit_on_one_node_is_judged_by_that_node_alone() {
        let task = sample::task("left", &sample::unit("u0"), Some(disturbed("Failed")));
        assert!(restless([&task].into_iter(), &[]).is_empty());
    }
}
