//! What stands in the status of a backup: the reports of its tasks, added up.

mod fate;
mod quiet;

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::NodeTask;
use clusterbackup_api::backup::{BarrierReport, Counts, VolumeReport};
use clusterbackup_api::node_task::{Consistency, CutOutcome, FreezeUnit, Killed, PodOrder, Thaw, UnitReport};
use clusterbackup_core::cut::SkipReason;
use clusterbackup_core::report::{About, Cut, End, Ran, Summary, Tally};
use clusterbackup_core::selection::Name;

use self::fate::{Fate, fate};
use super::conditions::Freedom;
use super::retain::Kept;

/// Why a cut is worth less than its own node could know.
const RESTLESS: &str = "its unit did not stand still on every node until all was cut";

/// What is known beside the tasks.
pub(super) struct Facts<'a> {
    /// Claims that the plan left out.
    pub(super) skipped: &'a [(Name, SkipReason)],
    /// What the plan found.
    pub(super) warnings: &'a [String],
    /// What became of the attempts to keep snapshots, by claim.
    pub(super) kept: &'a BTreeMap<Name, Result<Kept, String>>,
    /// The barriers that are known to hold or to be broken.
    pub(super) barriers: &'a [BarrierReport],
}

/// The sums and the claims.
pub(super) struct Report {
    /// Phase, counts and warnings, as if it ended now.
    pub(super) summary: Summary,
    /// What became of each claim, as far as that is sure, in the order of names.
    pub(super) volumes: Vec<VolumeReport>,
    /// Claims of which nothing is sure yet; the counts have them as failed.
    pending: u32,
}

/// Adds the reports up; with each task goes whether nobody waits for its agent any longer.
pub(super) fn add_up<'a>(
    tasks: impl Iterator<Item = (&'a NodeTask, bool)> + Clone,
    facts: &Facts<'_>,
    end: End,
) -> Report {
    let mut sum = Sum {
        tally: Tally::default(),
        volumes: Vec::new(),
        pending: 0,
        kept: facts.kept,
        restless: quiet::restless(tasks.clone().map(|(task, _)| task), facts.barriers),
    };
    for warning in facts.warnings {
        sum.tally.warn(About::Selection, warning.clone());
    }
    for barrier in facts.barriers.iter().filter(|barrier| !barrier.met) {
        let nodes = barrier.broken_by.join(", ");
        let text = format!(
            "unit {} was not cut at one moment on its nodes, because of {nodes}",
            barrier.unit
        );
        sum.tally.warn(About::Barrier, text);
    }
    for (claim, reason) in facts.skipped {
        sum.claim(claim, None, Fate::Skipped(*reason, None), false);
    }
    for (task, silent) in tasks {
        sum.task(task, silent);
    }
    let Sum {
        tally,
        mut volumes,
        pending,
        ..
    } = sum;
    volumes.sort_by(|left, right| (&left.namespace, &left.claim).cmp(&(&right.namespace, &right.claim)));
    Report {
        summary: tally.end(end),
        volumes,
        pending,
    }
}

impl Report {
    /// The sums while the nodes are at work: what is under way has not failed.
    pub(super) fn running(&self) -> Counts {
        let mut counts = self.summary.counts.clone();
        counts.failed = counts.failed.saturating_sub(self.pending);
        counts
    }
}

struct Sum<'a> {
    tally: Tally,
    volumes: Vec<VolumeReport>,
    pending: u32,
    kept: &'a BTreeMap<Name, Result<Kept, String>>,
    restless: BTreeSet<String>,
}

impl Sum<'_> {
    fn task(&mut self, task: &NodeTask, silent: bool) {
        let node = &task.spec.node_name;
        if silent {
            let text =
                format!("the agent of node {node} doesn't report: whether its pods run freely is not known");
            self.tally.warn(About::Thaw, text);
        }
        for order in &task.spec.units {
            let mut reports = task.status.iter().flat_map(|status| &status.units);
            let report = reports.find(|report| report.name == order.name);
            for pod in &order.pods {
                self.pod(pod, report);
            }
            let hooks = has_hooks(order);
            for cut in &order.cuts {
                for claim in &cut.claims {
                    let claim = Name::new(&cut.namespace, claim);
                    let fate = fate(task, report, &claim, self.kept, silent);
                    self.claim(&claim, report, fate, hooks);
                }
            }
        }
    }

    fn pod(&mut self, order: &PodOrder, unit: Option<&UnitReport>) {
        let name = Name::new(&order.namespace, &order.name);
        let commands = u32::try_from(order.pre.len() + order.post.len()).unwrap_or(u32::MAX);
        let report = unit.and_then(|unit| unit.pods.iter().find(|pod| pod.uid == order.uid));
        let thaw = report.map_or(Thaw::NotNeeded, |pod| pod.thaw);
        self.tally.pod(&name, thaw, commands);
        for exec in report.into_iter().flat_map(|pod| &pod.execs) {
            self.tally.command(Ran {
                pod: &name,
                hook: &exec.hook,
                stage: exec.stage,
                outcome: exec.outcome,
                at_large: matches!(exec.killed, Some(Killed::Escaped | Killed::NotKillable)),
                message: exec.message.as_deref(),
            });
        }
    }

    fn claim(&mut self, claim: &Name, unit: Option<&UnitReport>, fate: Fate, hooks: bool) {
        let mut volume = VolumeReport {
            namespace: claim.namespace.clone(),
            claim: claim.name.clone(),
            snapshot: None,
            content: None,
            handle: None,
            driver: None,
            consistency: None,
            skipped: None,
            message: None,
        };
        let outcome = match fate {
            Fate::Pending => {
                self.pending += 1;
                let taken = unit
                    .and_then(|unit| fate::cut_of(unit, claim))
                    .map(|cut| cut.outcome);
                let outcome = taken.unwrap_or(CutOutcome::Pending);
                self.pending -= u32::from(outcome == CutOutcome::Taken);
                return self.tally.cut(judged(claim, outcome, &volume, hooks));
            }
            Fate::Skipped(reason, message) => {
                self.tally.skip(claim, reason);
                volume.skipped = Some(reason);
                volume.message = message;
                return self.volumes.push(volume);
            }
            Fate::Kept(kept, consistency, message) => {
                volume.snapshot = Some(kept.snapshot);
                volume.content = Some(kept.content);
                volume.handle = Some(kept.handle);
                volume.driver = Some(kept.driver);
                volume.consistency = consistency;
                volume.message = message;
                let restless = unit.is_some_and(|unit| self.restless.contains(&unit.name));
                if restless && consistency == Some(Consistency::ApplicationConsistent) {
                    volume.consistency = Some(Consistency::CrashConsistent);
                    volume.message = Some(RESTLESS.to_owned());
                }
                CutOutcome::Taken
            }
            Fate::NotBegun(message) => {
                volume.message = message;
                CutOutcome::NotBegun
            }
            Fate::Failed(message) => {
                volume.message = message;
                CutOutcome::Failed
            }
        };
        self.tally.cut(judged(claim, outcome, &volume, hooks));
        self.volumes.push(volume);
    }
}

fn judged<'a>(claim: &'a Name, outcome: CutOutcome, volume: &'a VolumeReport, hooks: bool) -> Cut<'a> {
    Cut {
        claim,
        outcome,
        consistency: volume.consistency,
        hooks,
        message: volume.message.as_deref(),
    }
}

/// Whether something was to be frozen for the unit's cuts.
fn has_hooks(order: &FreezeUnit) -> bool {
    order.pods.iter().any(|pod| !pod.pre.is_empty())
}

/// Whether applications run freely, by the reports of the tasks.
pub(super) fn freedom<'a>(tasks: impl Iterator<Item = (&'a NodeTask, bool)>) -> Freedom {
    let frozen = |task: &NodeTask| {
        let units = task.status.iter().flat_map(|status| &status.units);
        units
            .flat_map(|unit| &unit.pods)
            .any(|pod| pod.thaw == Thaw::Pending)
    };
    let mut freedom = Freedom::All;
    for (_, silent) in tasks.filter(|(task, _)| frozen(task)) {
        if silent {
            return Freedom::Unknown;
        }
        freedom = Freedom::NotYet;
    }
    freedom
}
