//! When the commands of a restore hook run: one after the other in each pod, every wait bounded. Nothing here is about two
//! pods: what becomes of one is no other's business. Which pods are new is decided by `lineage`.

use std::time::Duration;

use super::resolve::place;
use super::{Command, Exec, Fault, HookProblem, MAX_COMMANDS, OnError, Pods};
use crate::duration::Span;
use crate::selection::Pod;

/// A restore hook.
#[derive(Debug, Clone)]
pub struct RestoreHook {
    /// `<namespace>/<RestoreHook>/<name of the hook>`.
    pub name: String,
    /// The restored pods that it is for.
    pub pods: Pods,
    /// Its commands, in this order.
    pub post: Vec<RestoreExec>,
}

/// A command as a restore hook declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreExec {
    /// The command.
    pub exec: Exec,
    /// How long its container may take to come up.
    pub wait: Span,
    /// Whether a container that runs has to be ready as well.
    pub ready: bool,
}

/// A command with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreCommand {
    /// The command.
    pub command: Command,
    /// How long its container may take to come up.
    pub wait: Span,
    /// Whether a container that runs has to be ready as well.
    pub ready: bool,
}

/// What became of a command whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Exit code 0.
    Succeeded,
    /// It ran and failed.
    Failed,
    /// It did not run, which is a failure too.
    NotRun,
}

/// How a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// It has not come up yet.
    Awaited,
    /// It runs.
    Running,
    /// It runs, and its readiness probe, if it has one, says that it is ready.
    Ready,
    /// It will not come up again: its pod has ended, is gone or is being deleted.
    Over,
}

/// What is to be done now in a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<'a> {
    /// Run this.
    Run(&'a RestoreCommand),
    /// The container of the next command is not up: look again by then.
    Wait(Duration),
    /// The container of this command did not come up in time, or never will: it is not run, whatever `onError` says.
    Skip(&'a RestoreCommand),
    /// Nothing more: all have ended, or one failed that may not.
    Finished,
}

impl RestoreExec {
    /// How long a container may take to come up where nothing is declared.
    pub const WAIT: Span = Span::seconds(300);
    /// What the failure of a restore hook's command means that doesn't say so.
    pub const ON_ERROR: OnError = OnError::Continue;
}

impl RestoreCommand {
    /// The longest time from its turn to its end.
    pub fn longest(&self) -> Duration {
        self.wait.duration() + self.command.timeout.duration()
    }
}

/// The commands of all hooks that are for a pod, in the order of the hooks.
pub fn resolve(hooks: &[RestoreHook], pod: &Pod) -> Result<Vec<RestoreCommand>, HookProblem> {
    let mut commands = Vec::new();
    for hook in hooks.iter().filter(|hook| hook.pods.include(pod)) {
        for exec in &hook.post {
            commands.push(RestoreCommand {
                command: place(&hook.name, &exec.exec, pod)?,
                wait: exec.wait,
                ready: exec.ready,
            });
        }
        if commands.len() > MAX_COMMANDS {
            return Err(HookProblem {
                hook: hook.name.clone(),
                pod: pod.name.to_string(),
                fault: Fault::TooManyCommands,
                on_error: OnError::Fail,
            });
        }
    }
    Ok(commands)
}

/// What is to be done in a pod, where `ended` says what became of its first commands, and `waited` how long the next
/// one has had its turn: the run time of earlier ones doesn't count.
pub fn next<'a>(
    commands: &'a [RestoreCommand],
    ended: &[Ended],
    container: impl Fn(&str) -> Container,
    waited: Duration,
) -> Turn<'a> {
    let stopped = commands
        .iter()
        .zip(ended)
        .any(|(restore, ended)| *ended != Ended::Succeeded && restore.command.on_error.stops());
    let Some(next) = commands.get(ended.len()).filter(|_| !stopped) else {
        return Turn::Finished;
    };
    let left = next.wait.duration().saturating_sub(waited);
    match container(&next.command.container) {
        Container::Ready => Turn::Run(next),
        Container::Running if !next.ready => Turn::Run(next),
        Container::Awaited | Container::Running if !left.is_zero() => Turn::Wait(left),
        Container::Awaited | Container::Running | Container::Over => Turn::Skip(next),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{exec, exec_in};
    use super::*;
    use crate::selection::sample::pod;

    fn hook(commands: &[(&str, OnError)]) -> RestoreHook {
        let post = commands.iter().map(|(program, on_error)| RestoreExec {
            exec: Exec {
                on_error: *on_error,
                ..exec(program)
            },
            wait: Span::seconds(300),
            ready: false,
        });
        RestoreHook {
            name: "ops/load/h".to_owned(),
            pods: Pods::default(),
            post: post.collect(),
        }
    }

    fn commands(on_error: OnError) -> Vec<RestoreCommand> {
        let hooks = [hook(&[("one", on_error), ("two", on_error)])];
        resolve(&hooks, &pod("shop/db", &[])).unwrap()
    }

    #[test]
    fn more_commands_than_a_report_holds_are_an_error() {
        let hooks = [hook(&[("load", OnError::Continue); MAX_COMMANDS + 1])];
        let problem = resolve(&hooks, &pod("shop/db", &[])).unwrap_err();
        assert_eq!(problem.fault, Fault::TooManyCommands);
    }

    #[test]
    fn a_command_that_waits_for_a_ready_container_does_not_run_in_one_that_only_runs() {
        for (ready, container, waited, runs) in [
            (false, Container::Running, 0, "run"),
            (false, Container::Ready, 0, "run"),
            (true, Container::Running, 0, "wait"),
            (true, Container::Ready, 0, "run"),
            (true, Container::Running, 5, "skip"),
        ] {
            let mut commands = commands(OnError::Continue);
            commands[0].ready = ready;
            let turn = match next(&commands, &[], |_| container, Duration::from_mins(waited)) {
                Turn::Run(_) => "run",
                Turn::Wait(_) => "wait",
                Turn::Skip(_) => "skip",
                Turn::Finished => "finished",
            };
            assert_eq!(turn, runs, "{ready} {container:?} {waited}");
        }
    }

    #[test]
    fn a_container_that_is_not_there_is_an_error_at_once() {
        let mut hook = hook(&[]);
        hook.post.push(RestoreExec {
            exec: exec_in("mysql", "load"),
            wait: RestoreExec::WAIT,
            ready: false,
        });
        assert!(resolve(&[hook], &pod("shop/db", &[])).is_err());
    }

    #[test]
    fn commands_run_one_after_the_other_when_their_container_is_up() {
        use Container::{Awaited, Over, Running};
        use Ended::{Failed, NotRun, Succeeded};
        let minutes = Duration::from_mins;
        for (on_error, ended, container, waited, expected) in [
            (OnError::Continue, &[][..], Running, 0, "run one"),
            (OnError::Continue, &[], Awaited, 2, "wait 180 s"),
            (OnError::Continue, &[], Awaited, 5, "skip one"),
            (OnError::Fail, &[], Awaited, 5, "skip one"),
            (OnError::Continue, &[], Over, 0, "skip one"),
            (OnError::Continue, &[Succeeded], Running, 0, "run two"),
            (OnError::Continue, &[Succeeded], Awaited, 0, "wait 300 s"),
            (OnError::Continue, &[Failed], Running, 0, "run two"),
            (OnError::Continue, &[NotRun], Running, 0, "run two"),
            (OnError::Fail, &[Failed], Running, 0, "finished"),
            (OnError::Fail, &[NotRun], Running, 0, "finished"),
            (OnError::Fail, &[Succeeded, Failed], Running, 0, "finished"),
        ] {
            let commands = commands(on_error);
            let turn = match next(&commands, ended, |_| container, minutes(waited)) {
                Turn::Run(next) => format!("run {}", next.command.command[0]),
                Turn::Skip(next) => format!("skip {}", next.command.command[0]),
                Turn::Wait(left) => format!("wait {} s", left.as_secs()),
                Turn::Finished => "finished".to_owned(),
            };
            assert_eq!(
                turn, expected,
                "{on_error:?} {ended:?} {container:?} after {waited} min"
            );
        }
    }
}
