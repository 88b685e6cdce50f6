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
