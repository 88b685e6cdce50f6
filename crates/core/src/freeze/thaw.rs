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
