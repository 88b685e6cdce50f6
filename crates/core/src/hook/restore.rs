//! When the commands of a restore hook run: in new pods only, one after the other in each pod, every wait bounded.
//! Nothing here is about two pods: what becomes of one is no other's business.

use std::collections::BTreeSet;
use std::time::Duration;

use super::resolve::place;
use super::{Command, Exec, HookProblem, OnError, Pods};
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
}

/// A command with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreCommand {
    /// The command.
    pub command: Command,
    /// How long its container may take to come up.
    pub wait: Span,
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
    Up,
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

/// The commands of all hooks that are for a pod, in the order of the hooks; none for a pod that was there before the
/// restore, by its uid. Pods that controllers make are new as well.
pub fn resolve(
    hooks: &[RestoreHook],
    pod: &Pod,
    before: &BTreeSet<String>,
) -> Result<Vec<RestoreCommand>, HookProblem> {
    let is_new = !before.contains(&pod.uid);
    let hooks = hooks.iter().filter(|hook| is_new && hook.pods.include(pod));
    let execs = hooks.flat_map(|hook| hook.post.iter().map(|exec| (&hook.name, exec)));
    execs
        .map(|(hook, restore)| {
            Ok(RestoreCommand {
                command: place(hook, &restore.exec, pod)?,
                wait: restore.wait,
            })
        })
        .collect()
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
        Container::Up => Turn::Run(next),
        Container::Awaited if !left.is_zero() => Turn::Wait(left),
        Container::Awaited | Container::Over => Turn::Skip(next),
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
        });
        RestoreHook {
            name: "ops/load/h".to_owned(),
            pods: Pods::default(),
            post: post.collect(),
        }
    }

    fn commands(on_error: OnError) -> Vec<RestoreCommand> {
        let hooks = [hook(&[("one", on_error), ("two", on_error)])];
        resolve(&hooks, &pod("shop/db", &[]), &BTreeSet::new()).unwrap()
    }

    #[test]
    fn hooks_run_in_pods_that_were_not_there_before_the_restore() {
        let hooks = [hook(&[("load", OnError::Continue)])];
        let (old, new) = (pod("shop/old", &[]), pod("shop/new", &[]));
        let before = BTreeSet::from([old.uid.clone()]);
        assert!(resolve(&hooks, &old, &before).unwrap().is_empty());
        assert_eq!(resolve(&hooks, &new, &before).unwrap().len(), 1);
    }

    #[test]
    fn a_container_that_is_not_there_is_an_error_at_once() {
        let mut hook = hook(&[]);
        hook.post.push(RestoreExec {
            exec: exec_in("mysql", "load"),
            wait: RestoreExec::WAIT,
        });
        assert!(resolve(&[hook], &pod("shop/db", &[]), &BTreeSet::new()).is_err());
    }

    #[test]
    fn commands_run_one_after_the_other_when_their_container_is_up() {
        use Container::{Awaited, Over, Up};
        use Ended::{Failed, NotRun, Succeeded};
        let minutes = Duration::from_mins;
        for (on_error, ended, container, waited, expected) in [
            (OnError::Continue, &[][..], Up, 0, "run one"),
            (OnError::Continue, &[], Awaited, 2, "wait 180 s"),
            (OnError::Continue, &[], Awaited, 5, "skip one"),
            (OnError::Fail, &[], Awaited, 5, "skip one"),
            (OnError::Continue, &[], Over, 0, "skip one"),
            (OnError::Continue, &[Succeeded], Up, 0, "run two"),
            (OnError::Continue, &[Succeeded], Awaited, 0, "wait 300 s"),
            (OnError::Continue, &[Failed], Up, 0, "run two"),
            (OnError::Continue, &[NotRun], Up, 0, "run two"),
            (OnError::Fail, &[Failed], Up, 0, "finished"),
            (OnError::Fail, &[NotRun], Up, 0, "finished"),
            (OnError::Fail, &[Succeeded, Failed], Up, 0, "finished"),
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
