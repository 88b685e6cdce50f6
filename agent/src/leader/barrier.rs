//! Units with shares on several nodes: what each share has reported, and what the leader lets them do next.

use std::collections::BTreeMap;
use std::time::Duration;

use clusterbackup_api::backup::BarrierReport;
use clusterbackup_api::node_task::{CutOutcome, FreezeUnit, Step, UnitReport};
use clusterbackup_core::freeze::barrier::{self, Decision, Member, Released};
use tokio::time::Instant;

use super::tasks::{Known, Tasks};

/// The barriers of one backup, by the leader's own clock.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    /// When this leader released the freeze of a unit, or took it over.
    begun: BTreeMap<String, Instant>,
    /// When it released its cut.
    cut: BTreeMap<String, Instant>,
}

/// What is to be done about a unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Look again at that moment at the latest.
    Wait(Instant),
    /// Release the step, and record this first.
    Release(Step, Option<BarrierReport>),
}

impl Barriers {
    /// What is to be done about each unit that is not released to the end, by the name of the unit.
    pub(super) fn moves(&mut self, tasks: &Tasks) -> BTreeMap<String, Move> {
        let mut moves = BTreeMap::new();
        for (name, shares) in shares(tasks) {
            if let Some(next) = self.next(&name, &shares) {
                moves.insert(name, next);
            }
        }
        moves
    }

    fn next(&mut self, name: &str, shares: &[Share<'_>]) -> Option<Move> {
        let now = Instant::now();
        // A leader that died in between has released the step to some of them.
        let furthest = shares.iter().filter_map(|share| share.order.released).max()?;
        let lagging = shares.iter().any(|share| share.order.released < Some(furthest));
        if lagging {
            return Some(Move::Release(furthest, None));
        }
        let begun = *self.begun.entry(name.to_owned()).or_insert(now);
        let released = match furthest {
            Step::Freeze => Released::Freeze,
            Step::Cut => Released::Cut(self.cut.get(name).map(|at| at.duration_since(begun))),
            Step::Thaw => return None,
        };
        let longest = shares
            .iter()
            .map(|share| share.order.max_freeze.duration())
            .min()?;
        let members: Vec<_> = shares.iter().map(Share::member).collect();
        let frozen = now.duration_since(begun);
        Some(match barrier::next(released, &members, frozen, longest) {
            Decision::Wait(left) => Move::Wait(now + left),
            Decision::Release(Step::Thaw) => {
                let skew = barrier::skew(released, frozen);
                Move::Release(Step::Thaw, Some(report(name, Vec::new(), skew)))
            }
            Decision::Release(step) => Move::Release(step, None),
            Decision::Broken(nodes) => Move::Release(Step::Thaw, Some(report(name, nodes, None))),
        })
    }

    /// Takes note that the cut of a unit has been released.
    pub(super) fn released(&mut self, unit: &str, step: Step) {
        if step == Step::Cut {
            self.cut.insert(unit.to_owned(), Instant::now());
        }
    }
}

/// The reports at the end: by what every share has told, and what was recorded before. What a task has told that
/// nobody waits for is `unsure`.
pub(super) fn reports(
    tasks: &Tasks,
    recorded: &[BarrierReport],
    unsure: impl Fn(&Known) -> bool,
) -> Vec<BarrierReport> {
    let judge = |(name, shares): (String, Vec<Share<'_>>)| {
        let before = recorded.iter().find(|report| report.unit == name);
        let nodes = before.map(|report| report.broken_by.clone()).unwrap_or_default();
        let member = |share: &Share<'_>| {
            let phase = share.member().phase.filter(|_| !unsure(share.task));
            Member {
                phase,
                ..share.member()
            }
        };
        let members: Vec<_> = shares.iter().map(member).collect();
        let broken = barrier::broken_by(&nodes, &members);
        let skew = before
            .and_then(|report| report.skew_millis)
            .map(Duration::from_millis);
        report(&name, broken, skew)
    };
    shares(tasks).into_iter().map(judge).collect()
}

fn report(unit: &str, broken_by: Vec<String>, skew: Option<Duration>) -> BarrierReport {
    BarrierReport {
        unit: unit.to_owned(),
        met: broken_by.is_empty(),
        skew_millis: skew.and_then(|skew| skew.as_millis().try_into().ok()),
        broken_by,
    }
}

/// One task's share of a unit.
struct Share<'a> {
    task: &'a Known,
    order: &'a FreezeUnit,
}

impl Share<'_> {
    fn report(&self) -> Option<&UnitReport> {
        let status = self.task.task.status.as_ref()?;
        status.units.iter().find(|report| report.name == self.order.name)
    }

    fn member(&self) -> Member {
        let report = self.report();
        let taken = |report: &UnitReport| report.cuts.iter().all(|cut| cut.outcome == CutOutcome::Taken);
        Member {
            node: self.task.task.spec.node_name.clone(),
            phase: report.map(|report| report.phase),
            cut: report.is_some_and(taken),
            early: report.is_some_and(|report| report.early),
        }
    }
}

/// The shares of each unit with a barrier.
fn shares(tasks: &Tasks) -> BTreeMap<String, Vec<Share<'_>>> {
    let mut units: BTreeMap<String, Vec<Share<'_>>> = BTreeMap::new();
    for task in tasks.iter() {
        let orders = task
            .task
            .spec
            .units
            .iter()
            .filter(|order| order.released.is_some());
        for order in orders {
            units
                .entry(order.name.clone())
                .or_default()
                .push(Share { task, order });
        }
    }
    units
}
