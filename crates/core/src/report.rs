//! What a backup comes to: its phase, its sums, its warnings.

mod warnings;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use warnings::{About, MAX_WARNINGS};

use warnings::Warnings;

use crate::cut::{Consistency, CutOutcome, SkipReason};
use crate::freeze::thaw::Thaw;
use crate::hook::{ExecOutcome, Stage};
use crate::selection::Name;

/// Where a backup stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum BackupPhase {
    /// Pods and claims are selected, the nodes' tasks are made; nothing is frozen.
    Planning,
    /// The nodes are at work.
    Running,
    /// Everything that was selected is cut and every hook succeeded.
    Completed,
    /// There are cuts, but not all that were selected, or a hook failed.
    CompletedWithWarnings,
    /// There is nothing to restore from.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl BackupPhase {
    /// Whether it is the last one.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Planning | Self::Running)
    }
}

/// Sums over everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Pods with hooks.
    pub pods: u32,
    /// Of them, those that run freely again.
    pub thawed: u32,
    /// Commands to run, the undo included.
    pub hooks: u32,
    /// Of them, those that succeeded.
    pub hooks_succeeded: u32,
    /// Of them, those that failed.
    pub hooks_failed: u32,
    /// Claims that were selected.
    pub claims: u32,
    /// Of them, those that are cut.
    pub taken: u32,
    /// Of them, those that were left out for a reason.
    pub skipped: u32,
    /// Of them, those whose cut failed.
    pub failed: u32,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Done,
    /// By itself, with its objects stored: there is something to restore from, whatever became of the claims.
    Stored,
    /// By objects that could not be stored.
    NotStored,
    /// By a barrier that didn't hold, where the instance wants one that does.
    BrokenBarrier,
    /// By a person.
    Cancelled,
}

/// Adds up what became of pods, commands and claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    counts: Counts,
    /// Claims that nobody left out on purpose.
    wanted: u32,
    warnings: Warnings,
}

/// What a backup comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its phase.
    pub phase: BackupPhase,
    /// Its sums.
    pub counts: Counts,
    /// Its warnings, the gravest first.
    pub warnings: Vec<String>,
}

/// What became of one command.
#[derive(Debug, Clone, Copy)]
pub struct Ran<'a> {
    /// The pod.
    pub pod: &'a Name,
    /// The hook.
    pub hook: &'a str,
    /// Before the cut, or after.
    pub stage: Stage,
    /// What came of it.
    pub outcome: ExecOutcome,
    /// Whether something of it may run on, since it could not be ended for certain.
    pub at_large: bool,
    /// What went wrong, for a person.
    pub message: Option<&'a str>,
}

/// What became of one claim.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// The claim.
    pub claim: &'a Name,
    /// What came of it.
    pub outcome: CutOutcome,
    /// What it can be trusted for.
    pub consistency: Option<Consistency>,
    /// Whether hooks were to make it consistent.
    pub hooks: bool,
    /// What went wrong, for a person.
    pub message: Option<&'a str>,
}

impl Tally {
    /// A pod with hooks, and how many commands it has to run.
    pub fn pod(&mut self, pod: &Name, thaw: Thaw, commands: u32) {
        self.counts.pods += 1;
        self.counts.hooks += commands;
        self.counts.thawed += u32::from(thaw != Thaw::Pending);
        let remark = match thaw {
            Thaw::NotNeeded | Thaw::Done => return,
            Thaw::Pending => "is still frozen; its undo is tried again until it succeeds",
            Thaw::ByWatchdog => "was thawed by the watchdog, since the agent had died or was late",
            Thaw::ByReplay => "was thawed by an agent that had been started again",
            Thaw::PodGone => "went away while it was frozen",
            Thaw::Acknowledged => "was not thawed by its undo: a person took it over",
        };
        self.warn(About::Thaw, format!("pod {pod} {remark}"));
    }

    /// A command that ran.
    pub fn command(&mut self, ran: Ran<'_>) {
        let problem = match ran.outcome {
            ExecOutcome::Running => return,
            ExecOutcome::Succeeded => {
                self.counts.hooks_succeeded += 1;
                return;
            }
            ExecOutcome::Failed => "failed",
            ExecOutcome::TimedOut if ran.at_large => "took longer than it may",
            ExecOutcome::TimedOut => "was ended after its time-out",
            ExecOutcome::OutputTooLarge => "wrote more than the runtime keeps",
            ExecOutcome::NotStarted => "could not be started",
            ExecOutcome::Lost => "was lost with the connection to the runtime",
        };
        self.counts.hooks_failed += 1;
        let stage = match ran.stage {
            Stage::Pre => "pre",
            Stage::Post => "post",
            Stage::Restore => "restore",
        };
        let text = format!("{stage} hook {} of pod {} {problem}", ran.hook, ran.pod);
        self.warn(About::Hook, with(text, ran.message));
        if ran.at_large {
            let Ran { hook, pod, .. } = ran;
            let text =
                format!("HookMayStillRun: {stage} hook {hook} of pod {pod} could not be ended for certain");
            self.warn(About::Thaw, text);
        }
    }

    /// A claim that was to be cut.
    pub fn cut(&mut self, cut: Cut<'_>) {
        self.counts.claims += 1;
        self.wanted += 1;
        let (count, problem) = match (cut.outcome, cut.consistency) {
            (CutOutcome::Taken, Some(Consistency::CrashConsistent)) if cut.hooks => (
                &mut self.counts.taken,
                Some("has a snapshot that is only crash consistent"),
            ),
            (CutOutcome::Taken, _) => (&mut self.counts.taken, None),
            (CutOutcome::Failed | CutOutcome::Pending, _) => {
                (&mut self.counts.failed, Some("could not be cut"))
            }
            (CutOutcome::NotBegun, _) => (&mut self.counts.skipped, Some("was not cut")),
        };
        *count += 1;
        if let Some(problem) = problem {
            let text = format!("claim {} {problem}", cut.claim);
            self.warn(About::Volume, with(text, cut.message));
        }
    }

    /// A claim that was left out. What a person left out is no warning.
    pub fn skip(&mut self, claim: &Name, reason: SkipReason) {
        self.counts.claims += 1;
        self.counts.skipped += 1;
        if reason != SkipReason::Excluded {
            self.wanted += 1;
            self.warn(About::Volume, format!("claim {claim} was not cut: {reason}"));
        }
    }

    /// Anything else that is not as it should be.
    pub fn warn(&mut self, about: About, text: impl Into<String>) {
        self.warnings.add(about, text.into());
    }

    /// What the backup comes to.
    pub fn end(self, end: End) -> Summary {
        let nothing = self.wanted > 0 && self.counts.taken == 0;
        let phase = match end {
            End::Cancelled => BackupPhase::Cancelled,
            End::BrokenBarrier | End::NotStored => BackupPhase::Failed,
            End::Done if nothing => BackupPhase::Failed,
            End::Done | End::Stored if self.warnings.is_empty() => BackupPhase::Completed,
            End::Done | End::Stored => BackupPhase::CompletedWithWarnings,
        };
        Summary {
            phase,
            counts: self.counts,
            warnings: self.warnings.into_list(),
        }
    }
}

fn with(text: String, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{text}: {message}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::sample::name;

    fn cut(claim: &Name, outcome: CutOutcome, consistency: Option<Consistency>) -> Cut<'_> {
        Cut {
            claim,
            outcome,
            consistency,
            hooks: true,
            message: None,
        }
    }

    fn command(pod: &Name, outcome: ExecOutcome) -> Ran<'_> {
        Ran {
            pod,
            hook: "ops/freeze/db",
            stage: Stage::Pre,
            outcome,
            at_large: false,
            message: Some("exit code 3"),
        }
    }

    const HELD: Option<Consistency> = Some(Consistency::ApplicationConsistent);
    const CRASH: Option<Consistency> = Some(Consistency::CrashConsistent);

    fn claims(tally: &mut Tally, fates: &[Result<(CutOutcome, Option<Consistency>), SkipReason>]) {
        let claim = name("shop/data");
        for fate in fates {
            match *fate {
                Ok((outcome, consistency)) => tally.cut(cut(&claim, outcome, consistency)),
                Err(reason) => tally.skip(&claim, reason),
            }
        }
    }

    #[test]
    fn the_phase_says_whether_there_is_something_to_restore_and_whether_all_of_it() {
        use BackupPhase::{Completed, CompletedWithWarnings, Failed};
        let taken = Ok((CutOutcome::Taken, HELD));
        let (excluded, unfit) = (Err(SkipReason::Excluded), Err(SkipReason::NotCsi));
        for (fates, expected) in [
            (&[][..], Completed),
            (&[taken], Completed),
            (&[taken, excluded], Completed),
            (&[excluded], Completed),
            (&[taken, unfit], CompletedWithWarnings),
            (&[taken, Ok((CutOutcome::Failed, None))], CompletedWithWarnings),
            (&[Ok((CutOutcome::Taken, CRASH))], CompletedWithWarnings),
            (&[unfit], Failed),
            (&[unfit, excluded], Failed),
            (&[Ok((CutOutcome::Failed, None))], Failed),
            (&[Ok((CutOutcome::NotBegun, None))], Failed),
        ] {
            let mut tally = Tally::default();
            claims(&mut tally, fates);
            assert_eq!(tally.end(End::Done).phase, expected, "{fates:?}");
        }
    }

    #[test]
    fn stored_objects_are_something_to_restore_from_and_a_point_that_is_missing_is_not() {
        for (fate, end, expected) in [
            (
                Err(SkipReason::NotCsi),
                End::Stored,
                BackupPhase::CompletedWithWarnings,
            ),
            (Ok((CutOutcome::Taken, HELD)), End::Stored, BackupPhase::Completed),
            (Ok((CutOutcome::Taken, HELD)), End::NotStored, BackupPhase::Failed),
        ] {
            let mut tally = Tally::default();
            claims(&mut tally, &[fate]);
            assert_eq!(tally.end(end).phase, expected, "{fate:?} {end:?}");
        }
    }

    #[test]
    fn a_crash_consistent_cut_is_no_warning_where_there_are_no_hooks() {
        let data = name("shop/data");
        let mut tally = Tally::default();
        tally.cut(Cut {
            hooks: false,
            ..cut(&data, CutOutcome::Taken, CRASH)
        });
        assert_eq!(tally.end(End::Done).phase, BackupPhase::Completed);
    }

    #[test]
    fn a_failed_hook_a_broken_barrier_and_a_person_change_the_phase() {
        let pod = name("shop/db");
        for (outcome, end, expected) in [
            (ExecOutcome::Succeeded, End::Done, BackupPhase::Completed),
            (ExecOutcome::Failed, End::Done, BackupPhase::CompletedWithWarnings),
            (ExecOutcome::Succeeded, End::BrokenBarrier, BackupPhase::Failed),
            (ExecOutcome::Succeeded, End::Cancelled, BackupPhase::Cancelled),
        ] {
            let mut tally = Tally::default();
            claims(&mut tally, &[Ok((CutOutcome::Taken, HELD))]);
            tally.command(command(&pod, outcome));
            assert_eq!(tally.end(end).phase, expected, "{outcome:?} {end:?}");
        }
    }

    #[test]
    fn a_hook_that_may_still_run_is_among_the_gravest_warnings() {
        let pod = name("shop/db");
        let mut tally = Tally::default();
        tally.command(Ran {
            at_large: true,
            message: None,
            ..command(&pod, ExecOutcome::TimedOut)
        });
        let warnings = tally.end(End::Done).warnings;
        assert_eq!(
            warnings,
            [
                "HookMayStillRun: pre hook ops/freeze/db of pod shop/db could not be ended for certain",
                "pre hook ops/freeze/db of pod shop/db took longer than it may",
            ]
        );
    }

    #[test]
    fn every_pod_command_and_claim_is_counted_once() {
        let (data, pod) = (name("shop/data"), name("shop/db"));
        let mut tally = Tally::default();
        tally.pod(&pod, Thaw::Done, 2);
        tally.pod(&pod, Thaw::Pending, 1);
        tally.command(command(&pod, ExecOutcome::Succeeded));
        tally.command(command(&pod, ExecOutcome::TimedOut));
        tally.command(command(&pod, ExecOutcome::Running));
        tally.cut(cut(&data, CutOutcome::Taken, HELD));
        tally.cut(cut(&data, CutOutcome::Failed, None));
        tally.skip(&pod, SkipReason::TooLarge);
        let expected = Counts {
            pods: 2,
            thawed: 1,
            hooks: 3,
            hooks_succeeded: 1,
            hooks_failed: 1,
            claims: 3,
            taken: 1,
            skipped: 1,
            failed: 1,
        };
        assert_eq!(tally.end(End::Done).counts, expected);
    }

    #[test]
    fn a_warning_names_the_object_and_what_went_wrong() {
        let (data, pod) = (name("shop/data"), name("shop/db"));
        let mut tally = Tally::default();
        tally.command(command(&pod, ExecOutcome::Failed));
        tally.pod(&pod, Thaw::ByWatchdog, 0);
        tally.cut(Cut {
            message: Some("quota"),
            ..cut(&data, CutOutcome::Failed, None)
        });
        tally.skip(&name("shop/nfs"), SkipReason::NotCsi);
        let expected = [
            "pod shop/db was thawed by the watchdog, since the agent had died or was late",
            "pre hook ops/freeze/db of pod shop/db failed: exit code 3",
            "claim shop/data could not be cut: quota",
            "claim shop/nfs was not cut: its volume is not from a CSI driver",
        ];
        assert_eq!(tally.end(End::Done).warnings, expected);
    }
}
