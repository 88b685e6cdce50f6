//! Agents that don't answer: when the leader stops waiting for one.

use std::time::Duration;

use clusterbackup_api::node_task::{FreezeUnit, TaskState};
use tokio::time::Instant;

use super::tasks::Known;

/// How long an agent may take to begin, and to answer that it has stopped.
const ANSWER: Duration = Duration::from_secs(30);

/// What the leader thinks of an agent that has not reported the end of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It may still answer, until then.
    Until(Instant),
    /// It has not taken the task up, or has not gone on with it: the task is to be cancelled.
    Silent,
    /// It has not answered that either: nobody waits for it any longer.
    Abandoned,
}

/// What to think of the agent of `task`. `since` is when this leader set the task's state, or took it over.
pub(super) fn patience(task: &Known, since: Instant, now: Instant) -> Patience {
    let heard = task.heard.max(since);
    let limit = match task.phase() {
        Some(_) => longest(&task.task.spec.units) + ANSWER,
        None => ANSWER,
    };
    let (limit, then) = match task.task.spec.state {
        // What is frozen is thawed by the watchdog then, whatever became of the agent.
        TaskState::Cancelled => (limit, Patience::Abandoned),
        TaskState::Prepared | TaskState::Running => (limit, Patience::Silent),
    };
    let until = heard + limit;
    if until > now { Patience::Until(until) } else { then }
}

/// The longest time in which nothing has to be reported: a freeze, and one round of undo commands.
fn longest(units: &[FreezeUnit]) -> Duration {
    let unit = |unit: &FreezeUnit| {
        let pods = unit.pods.iter().map(|pod| {
            let timeouts = pod.post.iter().map(|command| command.timeout.duration());
            timeouts.fold(Duration::ZERO, Duration::saturating_add)
        });
        unit.max_freeze
            .duration()
            .saturating_add(pods.max().unwrap_or_default())
    };
    units.iter().map(unit).max().unwrap_or_default()
}
