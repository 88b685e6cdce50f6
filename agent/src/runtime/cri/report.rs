//! What is said of a command that ran through the runtime's socket.

use clusterbackup_api::node_task::{ExecOutcome, Killed};

use super::answer::Answer;
use super::end::Ended;
use crate::runtime::Finished;

/// Texts of the runtime are cut here: they may repeat the whole command.
const LONGEST: usize = 300;

/// It ended by itself.
pub(super) fn answered(answer: &Answer) -> Finished {
    let finished = match answer.exit_code() {
        Ok(code) => Finished::with_exit(code),
        Err(error) => Finished::without_exit(ExecOutcome::Lost, error.to_string()),
    };
    let (stdout, stderr) = answer.output();
    finished.writing(stdout, stderr)
}

/// It was due to be over. Where nothing was alive any more, and the answer was only on its way, it ended by itself.
pub(super) fn due(mut message: String, ended: &Ended, answer: Option<&Answer>) -> Finished {
    if let Some(answer) = answer.filter(|_| !ended.lived) {
        return answered(answer);
    }
    for remark in [
        ended.remark,
        answer.is_none().then_some("the runtime doesn't answer"),
    ] {
        message.extend(remark.iter().flat_map(|remark| ["; ", remark]));
    }
    let finished = Finished {
        killed: Some(ended.killed),
        ..Finished::without_exit(ExecOutcome::TimedOut, message)
    };
    match answer.map(Answer::output) {
        Some((stdout, stderr)) => finished.writing(stdout, stderr),
        None => finished,
    }
}

/// The runtime refused; unless processes of the command were found all the same.
pub(super) fn not_started(why: &str, ended: &Ended) -> Finished {
    if ended.lived && ended.killed != Killed::NotKillable {
        return lost(why, ended);
    }
    Finished::without_exit(ExecOutcome::NotStarted, short(why))
}

/// The runtime will not say how it ended.
pub(super) fn lost(why: &str, ended: &Ended) -> Finished {
    let message = format!(
        "the runtime gave no answer, so what came of it is not known: {}",
        short(why)
    );
    Finished {
        killed: ended.lived.then_some(ended.killed),
        ..Finished::without_exit(ExecOutcome::Lost, message)
    }
}

/// One line, not too long.
fn short(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(killed: Killed, lived: bool) -> Ended {
        Ended {
            killed,
            lived,
            remark: None,
        }
    }

    #[test]
    fn an_answer_that_was_on_its_way_at_the_time_out_counts() {
        let mut answer = Answer::default();
        answer.push(&[0, 0, 0, 0, 2, 3 << 3, 7]).unwrap();
        let late = due(
            "late".to_owned(),
            &ended(Killed::NotKillable, false),
            Some(&answer),
        );
        assert_eq!(
            (late.outcome, late.exit_code, late.killed),
            (ExecOutcome::Failed, Some(7), None)
        );

        let killed = due("late".to_owned(), &ended(Killed::KilledAll, true), Some(&answer));
        assert_eq!((killed.outcome, killed.exit_code), (ExecOutcome::TimedOut, None));
        assert_eq!(killed.message.as_deref(), Some("late"));
        assert_eq!(killed.killed, Some(Killed::KilledAll));
    }

    #[test]
    fn what_was_refused_but_runs_is_lost() {
        let refused = not_started("no such\nprogram", &ended(Killed::NotKillable, true));
        assert_eq!(refused.outcome, ExecOutcome::NotStarted);
        assert_eq!(refused.message.as_deref(), Some("no such program"));
        let runs = not_started("shim is gone", &ended(Killed::KilledAll, true));
        assert_eq!(
            (runs.outcome, runs.killed),
            (ExecOutcome::Lost, Some(Killed::KilledAll))
        );
        assert_eq!(short(&"x".repeat(5000)).len(), LONGEST);
    }
}
