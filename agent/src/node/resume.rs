//! What an earlier agent of this node has begun: its freezes are thawed, its cuts can't be trusted any more, and that is
//! reported. Nothing is frozen a second time.

use std::time::Duration;

use clusterbackup_api::node_task::{CutOutcome, FreezeUnit, NodeTaskSpec, PodOrder, Thaw, UnitPhase};
use clusterbackup_core::freeze::thaw::Ending;
use futures::future::join_all;
use tokio::time::sleep;
use tracing::{error, warn};

use super::status;
use super::work::Work;
use super::{freeze, members};
use crate::journal::{JournalError, Outcome};
use crate::undo::{Undo, end_leftovers};

/// Somebody else's undo is looked at again this often.
const LOOK: Duration = Duration::from_millis(100);

const RESTARTED: &str = "the node's agent was restarted meanwhile";

/// Finishes the units that were begun.
pub(super) async fn run(work: &Work, spec: &NodeTaskSpec) {
    let reports = work.reporter.status().units;
    let begun = spec.units.iter().filter(|unit| {
        let report = reports.iter().find(|report| report.name == unit.name);
        report.is_some_and(|report| report.phase != UnitPhase::Thawed)
    });
    join_all(begun.map(|order| unit(work, order))).await;
}

async fn unit(work: &Work, order: &FreezeUnit) {
    work.reporter.announce(|status| {
        if let Some(unit) = status::unit(status, &order.name) {
            let cut = unit.phase >= UnitPhase::Cut;
            unit.early = order.released.is_some() && unit.phase < UnitPhase::Thawing;
            unit.phase = UnitPhase::Thawing;
            if !cut {
                unit.message = Some(RESTARTED.to_owned());
            }
        }
    });
    let frozen = order.pods.iter().filter(|pod| freeze::is_frozen(pod));
    join_all(frozen.map(|pod| thawed(work, order, pod))).await;
    members::find(work, order).await;
    work.reporter.announce(|status| {
        if let Some(unit) = status::unit(status, &order.name) {
            unit.phase = UnitPhase::Thawed;
            for cut in unit
                .cuts
                .iter_mut()
                .filter(|cut| cut.outcome == CutOutcome::Pending)
            {
                // Requested or not, nobody saw it taken while its unit was frozen.
                cut.outcome = CutOutcome::Failed;
                cut.message = Some(RESTARTED.to_owned());
            }
        }
    });
}

/// Waits until a pod of this task is thawed by whoever the journal's entry went to; without an entry, thaws it by the
/// task.
async fn thawed(work: &Work, unit: &FreezeUnit, pod: &PodOrder) {
    let reported = |status: &mut _| status::pod(status, &unit.name, &pod.uid).map(|report| report.thaw);
    if work.reporter.note(reported) != Some(Thaw::Pending) {
        return;
    }
    let outcome = loop {
        match found(work, pod) {
            Ok(Found::Thawed(outcome)) => break outcome,
            Ok(Found::Open) => sleep(LOOK).await,
            Ok(Found::Nothing) => match by_task(work, unit, pod).await {
                Some(outcome) => break outcome,
                None => sleep(LOOK).await,
            },
            Err(error) => {
                error!(%error, "the journal can't be read; thawing by the task");
                if let Err(error) = work.journal.quarantine(&pod.uid) {
                    error!(%error, "the journal doesn't do what it should");
                }
                sleep(LOOK).await;
            }
        }
    };
    work.tell(&freeze::entry(work, unit, pod), outcome.thaw);
    work.reporter.announce(|status| {
        if let Some(report) = status::pod(status, &unit.name, &pod.uid) {
            report.thaw = outcome.thaw;
            report.frozen_millis = outcome.frozen_millis;
        }
    });
}

/// What the journal says of a pod.
enum Found {
    Open,
    Thawed(Outcome),
    Nothing,
}

fn found(work: &Work, pod: &PodOrder) -> Result<Found, JournalError> {
    if work.journal.is_open(&pod.uid) {
        return Ok(Found::Open);
    }
    let thawed = work.journal.take_thawed(&pod.uid, &work.task_uid)?;
    Ok(thawed.map_or(Found::Nothing, Found::Thawed))
}

/// The entry is lost: it was set aside, or its owner died just after the undo. An undo too many does no harm. None if
/// somebody else has frozen the pod meanwhile.
async fn by_task(work: &Work, unit: &FreezeUnit, pod: &PodOrder) -> Option<Outcome> {
    let entry = match work.journal.begin(freeze::entry(work, unit, pod)) {
        Ok(entry) => entry,
        Err(error) => {
            warn!(%error, "waiting to thaw by the task");
            return None;
        }
    };
    let left = end_leftovers(&work.means, entry.entry()).await;
    let undo = Undo {
        means: &work.means,
        entry: &entry,
        keep_output: work.keep_output,
        repeat_until: left.then(|| work.means.clock.uptime() + unit.max_freeze.duration()),
    };
    let thaw = match undo.run(|_| {}).await {
        Ending::Undone => Thaw::ByReplay,
        Ending::PodGone => Thaw::PodGone,
        Ending::Acknowledged => Thaw::Acknowledged,
    };
    work.means.metrics.thaw(thaw);
    if let Err(error) = entry.close() {
        error!(%error, "an entry could not be closed; its undo will be repeated");
    }
    Some(Outcome {
        thaw,
        frozen_millis: None,
    })
}
