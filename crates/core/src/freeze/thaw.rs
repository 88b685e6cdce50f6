//! When an undo is due, and how often it is tried. It ends by exit code 0, by the end of the pod, or by a person; by
//! nothing else.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a pod runs freely again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Thaw {
    /// Nothing was frozen.
    NotNeeded,
    /// Still to be undone; tried again until it is.
    Pending,
    /// By the agent that froze it.
    Done,
    /// By the watchdog, since the agent had died or was late.
    ByWatchdog,
    /// By an agent that found it in the journal when it started.
    ByReplay,
    /// The pod is gone.
    PodGone,
    /// A person took it over.
    Acknowledged,
}

/// A moment of a node that survives the restart of every process, and steps of the clock: the boot, and the time since
/// (`CLOCK_BOOTTIME`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment<'a> {
    /// The id of the boot.
    pub boot: &'a str,
    /// The time since.
    pub since: Duration,
}

/// How long a pod that was frozen at one moment may still be frozen at another: nothing after a reboot, which ended the
/// hook but maybe not what it did.
pub fn left(frozen: Moment<'_>, now: Moment<'_>, max_freeze: Duration) -> Duration {
    if frozen.boot != now.boot {
        return Duration::ZERO;
    }
    max_freeze.saturating_sub(now.since.saturating_sub(frozen.since))
}

/// How the tries of one command of an undo have gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// How often it was tried.
    pub count: u32,
    /// When the last try ended; of no meaning before the first. A try before the last start of the process counts as
    /// ended at that start.
    pub ended: Duration,
    /// Whether the last try ended with exit code 0.
    pub succeeded: bool,
}

/// What is known of the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodState {
    /// It exists, by this name and uid; whether its container runs at the moment doesn't matter.
    Exists,
    /// It exists, and a person took the undo over.
    Acknowledged,
    /// It is gone, or another one has its name.
    Gone,
}

/// What is to be done for an undo now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try the command with this number.
    Try(usize),
    /// Wait as long as this, or until the pod changes.
    Wait(Duration),
    /// It is at its end.
    Finished(Ending),
}

/// How an undo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every command has ended with exit code 0.
    Undone,
    /// The pod is gone.
    PodGone,
    /// A person took it over.
    Acknowledged,
}

/// The pause after the first failed try; it doubles with each further one.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest time of one try, whatever the hook's time-out says.
pub const LONGEST_TRY: Duration = Duration::from_mins(5);

/// What is to be done for an undo with these commands. They are tried in order; one that fails doesn't keep the later
/// ones back, and one that has succeeded is not run again.
pub fn next(commands: &[Tries], pod: PodState, now: Duration) -> Next {
    match pod {
        PodState::Gone => return Next::Finished(Ending::PodGone),
        PodState::Acknowledged => return Next::Finished(Ending::Acknowledged),
        PodState::Exists => {}
    }
    let open = commands.iter().enumerate().filter(|(_, tries)| !tries.succeeded);
    let pauses = open.map(|(number, tries)| (tries.pause(now), number));
    match pauses.min() {
        None => Next::Finished(Ending::Undone),
        Some((Duration::ZERO, number)) => Next::Try(number),
        Some((pause, _)) => Next::Wait(pause),
    }
}

impl Tries {
    /// The time until the next try.
    fn pause(&self, now: Duration) -> Duration {
        let Some(failed_before) = self.count.checked_sub(1) else {
            return Duration::ZERO;
        };
        let doubled = 2_u32.saturating_pow(failed_before);
        let pause = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
        pause.saturating_sub(now.saturating_sub(self.ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_FREEZE: Duration = Duration::from_mins(1);

    fn moment(boot: &str, seconds: u64) -> Moment<'_> {
        Moment {
            boot,
            since: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn an_undo_is_due_after_max_freeze_and_at_once_after_a_reboot() {
        let frozen = moment("one", 100);
        for (now, expected) in [
            (moment("one", 100), 60),
            (moment("one", 130), 30),
            (moment("one", 160), 0),
            (moment("one", 1000), 0),
            (moment("two", 5), 0),
            (moment("two", 100), 0),
        ] {
            let left = left(frozen, now, MAX_FREEZE);
            assert_eq!(left, Duration::from_secs(expected), "{now:?}");
        }
    }

    fn tries(count: u32, ended: u64) -> Tries {
        Tries {
            count,
            ended: Duration::from_secs(ended),
            succeeded: false,
        }
    }

    fn done() -> Tries {
        Tries {
            succeeded: true,
            ..tries(1, 0)
        }
    }

    #[test]
    fn only_success_the_end_of_the_pod_or_a_person_ends_an_undo() {
        let failing = [tries(1_000_000, 0)];
        for (commands, pod, expected) in [
            (&[done()][..], PodState::Exists, Some(Ending::Undone)),
            (&[], PodState::Exists, Some(Ending::Undone)),
            (&failing, PodState::Gone, Some(Ending::PodGone)),
            (&failing, PodState::Acknowledged, Some(Ending::Acknowledged)),
            (&failing, PodState::Exists, None),
            (&[done(), tries(0, 0)], PodState::Exists, None),
        ] {
            let next = next(commands, pod, Duration::from_hours(1000));
            let ending = match next {
                Next::Finished(ending) => Some(ending),
                _ => None,
            };
            assert_eq!(ending, expected, "{commands:?} {pod:?}: {next:?}");
        }
    }

    #[test]
    fn a_failed_try_is_repeated_after_a_pause_that_doubles_up_to_a_limit() {
        for (count, pause) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (7, 30), (u32::MAX, 30)] {
            let at = |seconds| {
                next(
                    &[tries(count, 100)],
                    PodState::Exists,
                    Duration::from_secs(seconds),
                )
            };
            assert_eq!(
                at(100),
                Next::Wait(Duration::from_secs(pause)),
                "after {count} tries"
            );
            assert_eq!(at(100 + pause), Next::Try(0), "after {count} tries");
        }
    }

    #[test]
    fn commands_are_tried_in_order_and_a_failed_one_keeps_no_later_one_back() {
        let at = Duration::from_secs(10);
        for (commands, expected) in [
            (&[tries(0, 0), tries(0, 0)][..], Next::Try(0)),
            (&[done(), tries(0, 0)], Next::Try(1)),
            (&[tries(1, 10), tries(0, 0)], Next::Try(1)),
            (&[tries(1, 9), tries(0, 0)], Next::Try(0)),
            (&[tries(1, 10), done()], Next::Wait(Duration::from_secs(1))),
            (&[tries(3, 10), tries(1, 10)], Next::Wait(Duration::from_secs(1))),
        ] {
            assert_eq!(next(commands, PodState::Exists, at), expected, "{commands:?}");
        }
    }
}
