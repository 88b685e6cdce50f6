//! When the commands of a restore hook run: in new pods only, one after the other in each pod, every wait bounded.

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
    /// Its container did not come up in time: it did not run.
    Expired,
}

/// What is to be done now in a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<'a> {
    /// Run this.
    Run(&'a RestoreCommand),
    /// The container of the next command is not up: look again by then.
    Wait(Duration),
    /// The container of this command did not come up in time: it has failed and does not run, whatever `onError` says.
    Expired(&'a RestoreCommand),
    /// Nothing more: all have ended, a failed one ends the sequence, or the pod is over.
    Finished,
}

impl RestoreExec {
    /// How long a container may take to come up where nothing is declared.
    pub const WAIT: Span = Span::seconds(300);
    /// What a failure means that isn't declared: of restore hooks, as the samples of AKS Backup state it.
    pub const ON_ERROR: OnError = OnError::Continue;
}

/// The commands of all hooks that are for a new pod, in the order of the hooks.
pub fn resolve(hooks: &[RestoreHook], pod: &Pod) -> Result<Vec<RestoreCommand>, HookProblem> {
    let hooks = hooks.iter().filter(|hook| hook.pods.include(pod));
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

/// What is to be done in a pod, where `ended` says what became of its first commands, `up` whether a container runs,
/// and `waited` how long the next command has had its turn: the run time of earlier ones doesn't count.
pub fn next<'a>(
    commands: &'a [RestoreCommand],
    ended: &[Ended],
    up: impl Fn(&str) -> bool,
    waited: Duration,
) -> Turn<'a> {
    let mut pairs = commands.iter().zip(ended);
    let stopped =
        pairs.any(|(command, ended)| *ended != Ended::Succeeded && command.command.on_error == OnError::Fail);
    let Some(next) = commands.get(ended.len()).filter(|_| !stopped) else {
        return Turn::Finished;
    };
    if up(&next.command.container) {
        return Turn::Run(next);
    }
    match next.wait.duration().checked_sub(waited) {
        Some(left) if !left.is_zero() => Turn::Wait(left),
        _ => Turn::Expired(next),
    }
}
