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

#[cfg(test)]
mod tests {
    use clusterbackup_api::node_task::{NodeTaskStatus, TaskPhase};
    use serde_json::json;

    use super::*;
    use crate::leader::sample::{known, unit};

    /// 60 s of a freeze, and 12 s for the slower of two pods' undo commands.
    const LONGEST: u64 = 72;
    const ANSWER: u64 = 30;

    fn task(state: TaskState, phase: Option<TaskPhase>) -> Known {
        let mut unit = unit("u0");
        let command = unit["pods"][0]["post"][0].clone();
        let mut slow = command.clone();
        slow["timeout"] = "7s".into();
        let mut pod = unit["pods"][0].clone();
        pod["post"] = json!([command, slow]);
        unit["pods"].as_array_mut().unwrap().push(pod);
        let mut known = known("node-a", &unit, None);
        known.task.spec.state = state;
        known.task.status = phase.map(|phase| NodeTaskStatus {
            phase: Some(phase),
            ..NodeTaskStatus::default()
        });
        known
    }

    #[test]
    fn an_agent_has_as_long_as_its_work_may_take_and_then_half_a_minute() {
        use TaskState::{Cancelled, Prepared, Running};
        let begun = Some(TaskPhase::Running);
        for (state, phase, limit, then) in [
            (Prepared, None, ANSWER, Patience::Silent),
            (Running, None, ANSWER, Patience::Silent),
            (Cancelled, None, ANSWER, Patience::Abandoned),
            (Running, begun, LONGEST + ANSWER, Patience::Silent),
            (Cancelled, begun, LONGEST + ANSWER, Patience::Abandoned),
        ] {
            let task = task(state, phase);
            let until = task.heard + Duration::from_secs(limit);
            let just_before = until.checked_sub(Duration::from_millis(1)).unwrap();
            let told = format!("{state:?} {phase:?}");
            assert_eq!(
                patience(&task, task.heard, just_before),
                Patience::Until(until),
                "{told}"
            );
            assert_eq!(patience(&task, task.heard, until), then, "{told}");
        }
    }

    #[test]
    fn the_time_counts_from_the_last_word_of_either() {
        let task = task(TaskState::Running, None);
        let later = task.heard + Duration::from_secs(20);
        let until = |since| match patience(&task, since, later) {
            Patience::Until(until) => until,
            other => panic!("{other:?}"),
        };
        assert_eq!(until(task.heard), task.heard + Duration::from_secs(ANSWER));
        assert_eq!(until(later), later + Duration::from_secs(ANSWER));
        // A leader that takes over begins to count with that.
        let before = task.heard.checked_sub(Duration::from_secs(5)).unwrap();
        assert_eq!(until(before), task.heard + Duration::from_secs(ANSWER));
    }
}
