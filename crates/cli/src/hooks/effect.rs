//! What hooks come to: the commands as they will run, with defaults filled in, and what a person should look at.

use std::fmt;
use std::time::Duration;

use clusterbackup_api::backup_instance::Freeze;
use clusterbackup_core::duration::Span;
use clusterbackup_core::hook::restore::RestoreHook;
use clusterbackup_core::hook::{Exec, Hook, OnError, remarks};
use serde::Serialize;

/// A hook as it will run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Effect {
    /// `namespace/object/hook`.
    hook: String,
    pre: Vec<Step>,
    post: Vec<Step>,
}

/// A command as it will run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    /// None: the first of the pod.
    container: Option<String>,
    command: Vec<String>,
    on_error: OnError,
    timeout: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_timeout: Option<Span>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wait_for_ready: bool,
}

/// What backup hooks come to, and what to warn of.
pub(super) fn of_backup(hooks: &[Hook]) -> (Vec<Effect>, Vec<String>) {
    let steps = |execs: &[Exec]| execs.iter().map(Step::of).collect();
    let effects = hooks.iter().map(|hook| Effect {
        hook: hook.name.clone(),
        pre: steps(&hook.pre),
        post: steps(&hook.post),
    });
    let mut warnings: Vec<_> = remarks(hooks).iter().map(ToString::to_string).collect();
    warnings.extend(hooks.iter().filter_map(too_long));
    (effects.collect(), warnings)
}

/// What restore hooks come to.
pub(super) fn of_restore(hooks: &[RestoreHook]) -> (Vec<Effect>, Vec<String>) {
    let effects = hooks.iter().map(|hook| {
        let steps = hook.post.iter().map(|post| Step {
            wait_timeout: Some(post.wait),
            wait_for_ready: post.ready,
            ..Step::of(&post.exec)
        });
        Effect {
            hook: hook.name.clone(),
            pre: Vec::new(),
            post: steps.collect(),
        }
    });
    (effects.collect(), Vec::new())
}

/// A backup refuses a pod whose pre hooks may take longer than there is.
fn too_long(hook: &Hook) -> Option<String> {
    let Freeze {
        max_freeze,
        cut_limit,
        ..
    } = Freeze::default();
    let longest: Duration = hook.pre.iter().map(|exec| exec.timeout.duration()).sum();
    let needed = Span::from(longest.saturating_add(cut_limit.duration()));
    (needed >= max_freeze).then(|| {
        format!(
            "hook {}: its pre hooks may take {}; with the {cut_limit} that the cuts may take, the default maxFreeze \
             {max_freeze} is too little: lower the time-outs, or give the instance a spec.freeze.maxFreeze above {needed}",
            hook.name,
            Span::from(longest)
        )
    })
}

impl Step {
    fn of(exec: &Exec) -> Self {
        Self {
            container: exec.container.clone(),
            command: exec.command.clone(),
            on_error: exec.on_error,
            timeout: exec.timeout,
            wait_timeout: None,
            wait_for_ready: false,
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}: valid", self.hook.trim_start_matches('/'))?;
        let stages = [("pre", &self.pre), ("post", &self.post)];
        for (stage, step) in stages
            .iter()
            .flat_map(|(stage, steps)| steps.iter().map(move |step| (stage, step)))
        {
            writeln!(formatter, "  {stage:4}  {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let container = self.container.as_deref().unwrap_or("the first container");
        write!(
            formatter,
            "in {container}: {:?}, onError {:?}, {}",
            self.command, self.on_error, self.timeout
        )?;
        match self.wait_timeout {
            Some(wait) if self.wait_for_ready => write!(formatter, ", waits {wait} until it is ready"),
            Some(wait) => write!(formatter, ", waits {wait}"),
            None => Ok(()),
        }
    }
}
