//! What came of the commands in one pod.

use clusterbackup_api::node_task::{ExecOutcome, ExecReport, TaskPhase};
use clusterbackup_api::restore::HookCounts;
use clusterbackup_core::hook::OnError;
use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_core::selection::Name;

use crate::leader::tasks::Known;

/// Why commands that were to run were not, where the node's agent says nothing.
const SILENT: &str = "the agent of its node did not report in time: whether they ran is not known";
/// Why, where it says that it has nothing left to do.
const STOPPED: &str = "one before them failed, or the restore was stopped";
const GONE: &str = "its NodeTask was deleted: whether they ran is not known";

/// What came of the commands in one pod.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PodOutcome {
    pub(super) counts: HookCounts,
    /// What went wrong, a line for each.
    pub(super) problems: Vec<String>,
    /// The first of them whose `onError` is Fail.
    pub(super) fatal: Option<String>,
}

impl PodOutcome {
    /// Of commands that were never handed over.
    pub(super) fn not_run(commands: u64, problem: String, on_error: OnError) -> Self {
        Self {
            counts: HookCounts {
                total: commands,
                not_run: commands,
                ..HookCounts::default()
            },
            fatal: on_error.stops().then(|| problem.clone()),
            problems: vec![problem],
        }
    }

    /// Of a task that is not to be seen.
    pub(super) fn unknown() -> Self {
        Self {
            problems: vec![format!("its restore hooks: {GONE}")],
            ..Self::default()
        }
    }

    /// Of what a node reports; `over` when nothing more will come.
    pub(super) fn of(known: &Known, over: bool) -> Self {
        let commands = known.task.spec.restored.iter().flat_map(|pod| &pod.commands);
        let execs = known.task.status.iter().flat_map(|status| &status.execs);
        let mut outcome = Self::default();
        outcome.counts.total = commands.clone().count() as u64;
        let mut turned = 0;
        for (exec, command) in execs.zip(commands.clone()) {
            turned += 1;
            outcome.add(exec, command.exec.on_error, over);
        }
        if over {
            let rest = commands.skip(turned);
            outcome.leave(rest.clone().count() as u64, known);
        }
        outcome
    }

    fn add(&mut self, exec: &ExecReport, on_error: OnError, over: bool) {
        match exec.outcome {
            ExecOutcome::Running if !over => return,
            ExecOutcome::Succeeded => return self.counts.succeeded += 1,
            ExecOutcome::NotStarted if exec.attempts == 0 => self.counts.not_run += 1,
            _ => self.counts.failed += 1,
        }
        let message = exec
            .message
            .as_deref()
            .unwrap_or("it is not known what became of it");
        let problem = format!(
            "restore hook {} in container {}: {message}",
            exec.hook, exec.container
        );
        if on_error.stops() {
            self.fatal.get_or_insert_with(|| problem.clone());
        }
        self.problems.push(problem);
    }

    /// So many commands have not had their turn, and won't have it.
    fn leave(&mut self, rest: u64, known: &Known) {
        self.counts.not_run += rest;
        if rest == 0 {
            return;
        }
        let why = match known.phase() {
            Some(TaskPhase::Done | TaskPhase::Refused) => STOPPED,
            _ if known.is_lost() => GONE,
            _ => SILENT,
        };
        self.problems
            .push(format!("{rest} commands of restore hooks did not run: {why}"));
    }

    /// Both together, without their problems.
    pub(super) fn sum(counts: HookCounts, more: HookCounts) -> HookCounts {
        HookCounts {
            total: counts.total + more.total,
            succeeded: counts.succeeded + more.succeeded,
            failed: counts.failed + more.failed,
            not_run: counts.not_run + more.not_run,
        }
    }
}

/// A pod, as restores name objects.
pub(super) fn object(pod: &Name) -> ObjectId {
    ObjectId {
        kind: GroupResource::new("", "pods"),
        namespace: Some(pod.namespace.clone()),
        name: pod.name.clone(),
    }
}
