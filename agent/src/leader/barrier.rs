//! Units with shares on several nodes: what each share has reported, and what the leader lets them do next.

use std::collections::BTreeMap;
use std::time::Duration;

use clusterbackup_api::backup::BarrierReport;
use clusterbackup_api::node_task::{CutOutcome, FreezeUnit, Step, UnitReport};
use clusterbackup_core::freeze::barrier::{self, Decision, Member, Released};
use tokio::time::Instant;

use super::tasks::Known;

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
    pub(super) fn moves<'a>(&mut self, tasks: impl Iterator<Item = &'a Known>) -> BTreeMap<String, Move> {
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
pub(super) fn reports<'a>(
    tasks: impl Iterator<Item = &'a Known>,
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
fn shares<'a>(tasks: impl Iterator<Item = &'a Known>) -> BTreeMap<String, Vec<Share<'a>>> {
    let mut units: BTreeMap<String, Vec<Share<'a>>> = BTreeMap::new();
    for task in tasks {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::sample::{known, unit};
    use serde_json::{Value, json};

    const MAX_FREEZE: Duration = Duration::from_mins(1);

    /// The shares of a unit on two nodes: what is released to each, and what it reports, if anything.
    fn shares(released: [&str; 2], reports: [Value; 2]) -> Vec<Known> {
        let mut shares = Vec::new();
        for ((node, released), report) in ["left", "right"].into_iter().zip(released).zip(reports) {
            let mut order = unit("u0");
            order["released"] = released.into();
            shares.push(known(
                node,
                &order,
                Some(report).filter(|report| !report.is_null()),
            ));
        }
        shares
    }

    fn report(phase: &str, cut: &str) -> Value {
        let cut = json!({ "namespace": "shop", "claim": "data", "outcome": cut });
        json!({ "name": "u0", "phase": phase, "cuts": [cut] })
    }

    fn early(phase: &str) -> Value {
        let mut report = report(phase, "NotBegun");
        report["early"] = true.into();
        report
    }

    fn moved(barriers: &mut Barriers, shares: &[Known]) -> Option<Move> {
        barriers.moves(shares.iter()).remove("u0")
    }

    fn broken(nodes: &[&str]) -> BarrierReport {
        super::report("u0", nodes.iter().map(ToString::to_string).collect(), None)
    }

    #[test]
    fn each_step_is_released_once_everybody_is_there_and_to_everybody() {
        let frozen = || report("Frozen", "Pending");
        for (released, reports, expected) in [
            (
                ["Freeze", "Freeze"],
                [frozen(), frozen()],
                Move::Release(Step::Cut, None),
            ),
            // A leader died between the two.
            (
                ["Cut", "Freeze"],
                [frozen(), frozen()],
                Move::Release(Step::Cut, None),
            ),
            (
                ["Thaw", "Cut"],
                [early("Thawed"), frozen()],
                Move::Release(Step::Thaw, None),
            ),
            (
                ["Freeze", "Freeze"],
                [frozen(), early("Thawing")],
                Move::Release(Step::Thaw, Some(broken(&["right"]))),
            ),
            (
                ["Cut", "Cut"],
                [report("Cut", "Taken"), report("Thawing", "Failed")],
                Move::Release(Step::Thaw, Some(broken(&["right"]))),
            ),
            // Another leader has released the cut: how far apart they are is not known.
            (
                ["Cut", "Cut"],
                [report("Cut", "Taken"), report("Cut", "Taken")],
                Move::Release(Step::Thaw, Some(broken(&[]))),
            ),
        ] {
            let moved = moved(&mut Barriers::default(), &shares(released, reports.clone()));
            assert_eq!(moved, Some(expected), "{released:?} {reports:?}");
        }
        let over = shares(["Thaw", "Thaw"], [Value::Null, Value::Null]);
        assert_eq!(moved(&mut Barriers::default(), &over), None);
    }

    #[test]
    fn who_is_not_there_is_waited_for_until_the_first_may_not_be_frozen_any_longer() {
        let before = Instant::now();
        let shares = shares(["Freeze", "Freeze"], [report("Frozen", "Pending"), Value::Null]);
        let Some(Move::Wait(until)) = moved(&mut Barriers::default(), &shares) else {
            panic!("not waited for");
        };
        assert!(until >= before + MAX_FREEZE && until <= Instant::now() + MAX_FREEZE);
    }

    #[test]
    fn the_skew_is_told_by_the_leader_that_released_the_cut() {
        let mut barriers = Barriers::default();
        let frozen = || report("Frozen", "Pending");
        let released = moved(&mut barriers, &shares(["Freeze", "Freeze"], [frozen(), frozen()]));
        assert_eq!(released, Some(Move::Release(Step::Cut, None)));
        barriers.released("u0", Step::Cut);
        let cut = || report("Cut", "Taken");
        let Some(Move::Release(Step::Thaw, Some(told))) =
            moved(&mut barriers, &shares(["Cut", "Cut"], [cut(), cut()]))
        else {
            panic!("not released");
        };
        assert!(told.met && told.skew_millis.is_some(), "{told:?}");
    }

    #[test]
    fn a_unit_without_a_barrier_has_none() {
        let known = known("left", &unit("u0"), Some(report("Frozen", "Pending")));
        assert!(Barriers::default().moves([&known].into_iter()).is_empty());
        assert!(reports([&known].into_iter(), &[], |_| false).is_empty());
    }

    #[test]
    fn the_end_tells_who_broke_it_and_what_was_recorded_is_not_taken_back() {
        let taken = || report("Thawed", "Taken");
        let not_begun = || report("Thawed", "NotBegun");
        for (reports, recorded, unsure, expected) in [
            ([taken(), taken()], None, None, &[][..]),
            ([taken(), early("Thawed")], None, None, &["right"]),
            // He gave up because of the other.
            ([not_begun(), early("Thawed")], Some("right"), None, &["right"]),
            ([taken(), taken()], Some("left"), None, &["left"]),
            ([taken(), taken()], None, Some("left"), &["left"]),
            ([taken(), Value::Null], None, None, &["right"]),
        ] {
            let told = format!("{reports:?} {recorded:?} {unsure:?}");
            let shares = shares(["Thaw", "Thaw"], reports);
            let recorded: Vec<_> = recorded.into_iter().map(|node| broken(&[node])).collect();
            let unsure = |known: &Known| Some(known.task.spec.node_name.as_str()) == unsure;
            let reports = super::reports(shares.iter(), &recorded, unsure);
            assert_eq!(reports, [broken(expected)], "{told}");
        }
    }
}
