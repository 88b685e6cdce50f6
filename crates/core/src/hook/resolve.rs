//! Which commands run in a pod, in which container, in which order.

use super::{Exec, Hook, OnError};
use crate::duration::Span;
use crate::selection::Pod;

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

/// The most commands of one pod: the report of all of them has to fit into the status of one object.
pub const MAX_COMMANDS: usize = 200;

/// Why a pod's commands can't run: known before anything is frozen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hook {hook}: pod {pod} {fault}")]
pub struct HookProblem {
    /// The hook.
    pub hook: String,
    /// The pod, as `namespace/name`.
    pub pod: String,
    /// What is wrong.
    pub fault: Fault,
    /// What the command's failure means: with `Fail` the volumes of the pod are not cut.
    pub on_error: OnError,
}

/// What is wrong between a hook and a pod.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The hook names a container that isn't there.
    #[error("has no container `{container}`; it has {}", .containers.join(", "))]
    NoContainer {
        /// The container that the hook names.
        container: String,
        /// The containers that the pod has, sidecars included.
        containers: Vec<String>,
    },
    /// The hooks up to this one have more commands for the pod than one report holds.
    #[error("would have more than {MAX_COMMANDS} commands to run; put several into one script")]
    TooManyCommands,
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
        pod: pod.name.to_string(),
        fault: Fault::NoContainer {
            container: exec.container.clone().unwrap_or_default(),
            containers: all().cloned().collect(),
        },
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

#[cfg(test)]
mod tests {
    use super::super::sample::{exec, exec_in, hook};
    use super::*;
    use crate::selection::sample::pod;
    use crate::selection::{Namespaces, PodPhase};
    use crate::selector::{LabelSelector, Operator, Requirement};

    fn programs(commands: &[Command]) -> Vec<String> {
        commands
            .iter()
            .map(|command| format!("{} {}", command.container, command.command.join(" ")))
            .collect()
    }

    #[test]
    fn commands_run_in_the_order_of_the_hooks_in_the_first_container() {
        let mut pod = pod("shop/db", &[]);
        pod.containers = vec!["db".to_owned(), "exporter".to_owned()];
        let mut first = hook("first");
        first.pre.push(exec_in("exporter", "second-command"));
        let commands = resolve(&[first, hook("second")], &pod).unwrap();
        assert_eq!(
            programs(&commands.pre),
            ["db first-freeze", "exporter second-command", "db second-freeze"]
        );
        assert_eq!(programs(&commands.post), ["db first-thaw", "db second-thaw"]);
        assert_eq!(commands.pre[2].hook, "second");
        assert_eq!(commands.len(), 5);
        assert_eq!(commands.longest_pre(), Span::seconds(90));
    }

    #[test]
    fn a_hook_is_for_the_pods_of_its_namespaces_and_labels() {
        let namespaces = |included: &[&str], excluded: &[&str]| {
            let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
            Namespaces::parse(&texts(included), &texts(excluded)).unwrap()
        };
        let app = |value: &str| {
            let operator = Operator::In(vec![value.to_owned()]);
            LabelSelector::new(vec![Requirement::new("app".to_owned(), operator).unwrap()])
        };
        let mut pod = pod("shop/db", &[]);
        pod.labels = crate::selection::sample::labels(&[("app", "db")]);
        for (namespaces, labels, runs) in [
            (namespaces(&[], &[]), LabelSelector::default(), true),
            (namespaces(&["shop"], &[]), app("db"), true),
            (namespaces(&["sh*"], &[]), app("db"), true),
            (namespaces(&["shop"], &["shop"]), app("db"), false),
            (namespaces(&["other"], &[]), LabelSelector::default(), false),
            (namespaces(&[], &[]), app("web"), false),
        ] {
            let mut hook = hook("h");
            hook.pods.namespaces = namespaces;
            hook.pods.labels = labels;
            let commands = resolve(std::slice::from_ref(&hook), &pod).unwrap();
            assert_eq!(!commands.is_empty(), runs, "{:?}", hook.pods);
        }
    }

    #[test]
    fn a_hook_never_runs_in_a_protected_namespace() {
        let commands = resolve(&[hook("h")], &pod("kube-system/etcd", &[])).unwrap();
        assert!(commands.is_empty());
    }

    #[test]
    fn a_pod_that_does_not_run_gets_no_commands() {
        for (phase, deleting, runs) in [
            (PodPhase::Running, false, true),
            (PodPhase::Running, true, false),
            (PodPhase::Pending, false, false),
            (PodPhase::Succeeded, false, false),
            (PodPhase::Failed, false, false),
            (PodPhase::Unknown, false, false),
        ] {
            let pod = Pod {
                phase,
                deleting,
                ..pod("shop/db", &[])
            };
            let commands = resolve(&[hook("h")], &pod).unwrap();
            assert_eq!(!commands.is_empty(), runs, "{phase:?}, being deleted: {deleting}");
        }
    }

    #[test]
    fn a_named_container_may_be_a_sidecar() {
        let mut pod = pod("shop/db", &[]);
        pod.sidecars = vec!["proxy".to_owned()];
        let mut hook = hook("h");
        hook.pre = vec![exec_in("proxy", "pause")];
        let commands = resolve(&[hook], &pod).unwrap();
        assert_eq!(programs(&commands.pre), ["proxy pause"]);
    }

    #[test]
    fn a_container_that_is_not_there_is_an_error_that_names_those_that_are() {
        let mut pod = pod("shop/db", &[]);
        pod.sidecars = vec!["proxy".to_owned()];
        let mut hook = hook("ops/freeze/mysql");
        hook.post = vec![exec("fine"), exec_in("mysql", "unlock")];
        let problem = resolve(&[hook], &pod).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "hook ops/freeze/mysql: pod shop/db has no container `mysql`; it has main, proxy"
        );
    }

    #[test]
    fn more_commands_than_a_report_holds_are_an_error() {
        let mut hook = hook("ops/freeze/mysql");
        hook.post = vec![exec("one"); MAX_COMMANDS];
        let problem = resolve(&[hook], &pod("shop/db", &[])).unwrap_err();
        assert_eq!(problem.fault, Fault::TooManyCommands);
    }

    #[test]
    fn a_hook_without_an_undo_or_without_commands_gets_a_remark() {
        let mut frozen = hook("frozen");
        frozen.post.clear();
        let mut notice = hook("notice");
        notice.pre.clear();
        let mut empty = hook("empty");
        empty.pre.clear();
        empty.post.clear();
        let expected = [
            Remark::NoUndo("frozen".to_owned()),
            Remark::NoCommands("empty".to_owned()),
        ];
        assert_eq!(remarks(&[hook("fine"), frozen, notice, empty]), expected);
    }
}
