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
/// was taken. `recorded` are those that the leader found before.
pub fn broken_by(recorded: &[String], members: &[Member]) -> Vec<String> {
    let mut broken: BTreeSet<String> = recorded.iter().cloned().collect();
    broken.extend(nodes(members, |member| member.early || !member.cut));
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
