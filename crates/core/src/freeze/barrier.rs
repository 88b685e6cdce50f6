//! When the members of a unit may go on: all frozen, then all cut, then all thaw.
//!
//! The leader sees reports, and reports are late. So its releases are one thing, the truth another: whether the barrier
//! held is only said at the end, when every member has told whether it waited for the release.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Step, UnitPhase};

/// What the leader knows of one share of the unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The node.
    pub node: String,
    /// Its last report; none: it has not begun.
    pub phase: Option<UnitPhase>,
    /// Whether every one of its cuts is reported as taken.
    pub cut: bool,
    /// Whether its undo began before it saw the release of it.
    pub early: bool,
}

/// How far the leader has let the members go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// They freeze.
    Freeze,
    /// They cut. When that was released, by the clock of this leader; none: by another one.
    Cut(Option<Duration>),
}

/// What the leader does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, until a report comes or so much time has passed.
    Wait(Duration),
    /// Release this step.
    Release(Step),
    /// Record that these nodes broke the barrier; when that is stored, release the undo. A member that sees the undo
    /// released before its cut was gives up without cutting.
    Broken(Vec<String>),
}

/// What the leader decides. `frozen_for` is the time since it released the freeze, or since it took the backup over.
pub fn next(released: Released, members: &[Member], frozen_for: Duration, max_freeze: Duration) -> Decision {
    let (wanted, step) = match released {
        Released::Freeze => (UnitPhase::Frozen, Step::Cut),
        Released::Cut(_) => (UnitPhase::Cut, Step::Thaw),
    };
    let lost = nodes(members, |member| member.early || member.phase > Some(wanted));
    if !lost.is_empty() {
        return Decision::Broken(lost);
    }
    let late = nodes(members, |member| {
        member.phase != Some(wanted) || (wanted == UnitPhase::Cut && !member.cut)
    });
    if late.is_empty() {
        return Decision::Release(step);
    }
    match max_freeze.checked_sub(frozen_for) {
        Some(left) if !left.is_zero() => Decision::Wait(left),
        _ => Decision::Broken(late),
    }
}

/// How far apart the cuts may be: from their release to the leader's sight of the last one. Unknown where another
/// leader released them.
pub fn skew(released: Released, now: Duration) -> Option<Duration> {
    match released {
        Released::Cut(Some(at)) => now.checked_sub(at),
        _ => None,
    }
}

/// The nodes by which the barrier did not hold, when all members have ended: none, if no undo began before every cut
/// was taken. `recorded` are those that the leader found before: because of them others gave up, who are not to blame.
pub fn broken_by(recorded: &[String], members: &[Member]) -> Vec<String> {
    let went_on = recorded.is_empty();
    let failed = |member: &Member| !member.cut || member.phase < Some(UnitPhase::Cut);
    let mut broken: BTreeSet<String> = recorded.iter().cloned().collect();
    broken.extend(nodes(members, |member| {
        member.early || (went_on && failed(member))
    }));
    broken.into_iter().collect()
}

fn nodes(members: &[Member], which: impl Fn(&Member) -> bool) -> Vec<String> {
    let nodes: BTreeSet<&str> = members
        .iter()
        .filter(|member| which(member))
        .map(|member| member.node.as_str())
        .collect();
    nodes.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_FREEZE: Duration = Duration::from_mins(1);
    const CUT: Released = Released::Cut(Some(Duration::from_secs(5)));

    fn members(phases: &[Option<UnitPhase>]) -> Vec<Member> {
        let member = |(number, phase): (usize, &Option<UnitPhase>)| Member {
            node: format!("n{number}"),
            phase: *phase,
            cut: *phase >= Some(UnitPhase::Cut),
            early: false,
        };
        phases.iter().enumerate().map(member).collect()
    }

    fn broken(nodes: &[&str]) -> Decision {
        Decision::Broken(nodes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_step_is_released_when_every_member_has_done_the_one_before() {
        use UnitPhase::{Cut, Cutting, Freezing, Frozen, Thawed, Thawing};
        let wait = Decision::Wait(Duration::from_secs(50));
        for (released, phases, expected) in [
            (
                Released::Freeze,
                &[Some(Frozen), Some(Frozen)][..],
                Decision::Release(Step::Cut),
            ),
            (Released::Freeze, &[Some(Frozen), Some(Freezing)], wait.clone()),
            (Released::Freeze, &[Some(Frozen), None], wait.clone()),
            (Released::Freeze, &[Some(Frozen), Some(Thawing)], broken(&["n1"])),
            (CUT, &[Some(Cut), Some(Cut)], Decision::Release(Step::Thaw)),
            (CUT, &[Some(Cut), Some(Cutting)], wait.clone()),
            (CUT, &[Some(Cut), Some(Frozen)], wait),
            (CUT, &[Some(Thawed), Some(Cutting)], broken(&["n0"])),
            (CUT, &[Some(Thawing), Some(Thawed)], broken(&["n0", "n1"])),
        ] {
            let decision = next(released, &members(phases), Duration::from_secs(10), MAX_FREEZE);
            assert_eq!(decision, expected, "{released:?} {phases:?}");
        }
    }

    #[test]
    fn nobody_is_waited_for_longer_than_max_freeze() {
        let members = members(&[Some(UnitPhase::Frozen), None, Some(UnitPhase::Freezing)]);
        let decision = next(Released::Freeze, &members, MAX_FREEZE, MAX_FREEZE);
        assert_eq!(decision, broken(&["n1", "n2"]));
    }

    #[test]
    fn a_member_that_says_cut_without_every_cut_is_waited_for() {
        let mut members = members(&[Some(UnitPhase::Cut), Some(UnitPhase::Cut)]);
        members[1].cut = false;
        assert_eq!(
            next(CUT, &members, Duration::ZERO, MAX_FREEZE),
            Decision::Wait(MAX_FREEZE)
        );
        assert_eq!(next(CUT, &members, MAX_FREEZE, MAX_FREEZE), broken(&["n1"]));
    }

    #[test]
    fn the_barrier_held_if_nobody_was_early_and_everybody_cut() {
        let thawed = members(&[Some(UnitPhase::Thawed), Some(UnitPhase::Thawed)]);
        assert!(broken_by(&[], &thawed).is_empty());

        let mut early = thawed.clone();
        early[1].early = true;
        assert_eq!(broken_by(&[], &early), ["n1"]);

        let mut failed = thawed.clone();
        failed[0].cut = false;
        assert_eq!(broken_by(&[], &failed), ["n0"]);
        assert_eq!(broken_by(&["n1".to_owned()], &failed), ["n1"]);

        let mut silent = thawed;
        silent[0].phase = None;
        assert_eq!(broken_by(&[], &silent), ["n0"]);
    }

    #[test]
    fn the_skew_is_measured_by_the_leader_that_released_the_cut() {
        let now = Duration::from_secs(7);
        assert_eq!(skew(CUT, now), Some(Duration::from_secs(2)));
        assert_eq!(skew(Released::Cut(None), now), None);
    }
}
