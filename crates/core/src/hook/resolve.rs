//! Which commands run in a pod, in which container, in which order.

use std::fmt;

use super::{Exec, Hook, OnError};
use crate::duration::Span;
use crate::selection::{Name, Pod};

/// A command with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The hook that it comes from.
    pub hook: String,
    /// The container.
    pub container: String,
    /// Program and arguments; no shell.
    pub command: Vec<String>,
    /// What its failure means.
    pub on_error: OnError,
    /// After this it is ended and has failed.
    pub timeout: Span,
}

/// What runs in one pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// Before the cut, in this order.
    pub pre: Vec<Command>,
    /// After it, in this order.
    pub post: Vec<Command>,
}

/// Why a pod's commands can't run: known before anything is frozen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hook {hook}: pod {pod} has no container `{container}`; it has {}", list(.containers))]
pub struct HookProblem {
    /// The hook.
    pub hook: String,
    /// The pod.
    pub pod: Name,
    /// The container that the hook names.
    pub container: String,
    /// The containers that the pod has, sidecars included.
    pub containers: Vec<String>,
    /// What the command's failure means: with `Fail` the volumes of the pod are not cut.
    pub on_error: OnError,
}

/// What a person should look at in a hook that can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    /// It freezes and never thaws.
    #[error("hook {0} has preHooks without postHooks: nothing undoes what they do")]
    NoUndo(String),
    /// It does nothing.
    #[error("hook {0} has no commands")]
    NoCommands(String),
}

impl Commands {
    /// Whether nothing runs.
    pub fn is_empty(&self) -> bool {
        self.pre.is_empty() && self.post.is_empty()
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.pre.len() + self.post.len()
    }

    /// The longest time that the pre hooks may take.
    pub fn longest_pre(&self) -> Span {
        let timeouts = self.pre.iter().map(|command| command.timeout.duration());
        Span::from(timeouts.fold(std::time::Duration::ZERO, |sum, timeout| {
            sum.saturating_add(timeout)
        }))
    }
}

/// The commands of all hooks that are for a pod, in the order of the hooks. None for a pod that doesn't run or is
/// being deleted.
pub fn resolve(hooks: &[Hook], pod: &Pod) -> Result<Commands, HookProblem> {
    let mut commands = Commands::default();
    if pod.runs_on().is_none() {
        return Ok(commands);
    }
    for hook in hooks.iter().filter(|hook| hook.pods.include(pod)) {
        for exec in &hook.pre {
            commands.pre.push(place(&hook.name, exec, pod)?);
        }
        for exec in &hook.post {
            commands.post.push(place(&hook.name, exec, pod)?);
        }
    }
    Ok(commands)
}

/// What a person should look at in these hooks.
pub fn remarks(hooks: &[Hook]) -> Vec<Remark> {
    let remark = |hook: &Hook| match (hook.pre.is_empty(), hook.post.is_empty()) {
        (true, true) => Some(Remark::NoCommands(hook.name.clone())),
        (false, true) => Some(Remark::NoUndo(hook.name.clone())),
        _ => None,
    };
    hooks.iter().filter_map(remark).collect()
}

/// A command in its container: the one that it names, else the pod's first.
pub(super) fn place(hook: &str, exec: &Exec, pod: &Pod) -> Result<Command, HookProblem> {
    let all = || pod.containers.iter().chain(&pod.sidecars);
    let container = match &exec.container {
        Some(named) => all().find(|container| *container == named),
        None => pod.containers.first(),
    };
    let container = container.ok_or_else(|| HookProblem {
        hook: hook.to_owned(),
        pod: pod.name.clone(),
        container: exec.container.clone().unwrap_or_default(),
        containers: all().cloned().collect(),
        on_error: exec.on_error,
    })?;
    Ok(Command {
        hook: hook.to_owned(),
        container: container.clone(),
        command: exec.command.clone(),
        on_error: exec.on_error,
        timeout: exec.timeout,
    })
}

fn list(containers: &[String]) -> impl fmt::Display {
    containers.join(", ")
}
