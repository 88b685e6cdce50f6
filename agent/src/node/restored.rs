//! A new pod of a restore: its hooks, one after the other, each once its container is up, and each once. What is about to
//! run is reported before: so an agent that takes over knows what may have run, and doesn't run it again.

use std::time::Duration;

use clusterbackup_api::node_task::{Command, ExecOutcome, ExecReport, RestoredPod, Stage};
use clusterbackup_core::hook::restore::{Container, Ended, RestoreCommand, Turn, next};
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use super::Node;
use super::containers::Containers;
use super::orders::Orders;
use super::signal::Cause;
use super::status::Reporter;
use crate::command;
use crate::runtime::Target;

/// After SIGTERM a command may go on for so long: longer than most may take, and less than the agent itself has.
const LAST_COMMAND: Duration = Duration::from_mins(1);
/// A clock may be set a little between the beginning of a command and the end of what it left.
const SLACK: Duration = Duration::from_secs(1);

const CANCELLED: &str = "the restore was stopped before";
const RESTARTED: &str = "the node's agent was restarted while it ran: whether it did all its work is not known, and it is not \
                         run again";

/// How the work on a pod ends here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// There is nothing left to do.
    Ended,
    /// The next agent goes on with it.
    Left,
}

/// The pod, as its hooks are run.
pub(super) struct Restored<'a> {
    pub(super) node: &'a Node,
    pub(super) reporter: &'a Reporter,
    pub(super) orders: &'a Orders,
    pub(super) pod: &'a RestoredPod,
}

impl Restored<'_> {
    /// Runs what has not run yet.
    pub(super) async fn run(&self) -> Way {
        self.end_leftovers().await;
        let commands: Vec<_> = self.pod.commands.iter().cloned().map(Into::into).collect();
        let mut containers = Containers::watch(self.node.client.clone(), self.pod);
        let mut turn = Instant::now();
        loop {
            let ended = self.ended();
            let left = match next(&commands, &ended, |name| containers.state(name), turn.elapsed()) {
                Turn::Finished => return Way::Ended,
                Turn::Wait(left) => left,
                Turn::Skip(restore) => {
                    self.skip(restore, containers.state(&restore.command.container));
                    turn = Instant::now();
                    continue;
                }
                Turn::Run(restore) => {
                    if let Some(way) = self.exec(&restore.command.clone().into(), &containers).await {
                        return way;
                    }
                    turn = Instant::now();
                    continue;
                }
            };
            tokio::select! {
                () = containers.changed() => {}
                () = sleep(left) => {}
                cause = self.orders.ended() => return way(&cause),
            }
        }
    }

    /// Runs a command, once the report says so. How the work ends, if it is to end before that.
    async fn exec(&self, command: &Command, containers: &Containers) -> Option<Way> {
        if self.orders.stopping.is_cancelled() {
            return Some(Way::Left);
        }
        let mut report = command::begun(Stage::Restore, command);
        self.reporter.announce(|status| status.execs.push(report.clone()));
        tokio::select! {
            biased;
            cause = self.orders.cancelled() => return Some(self.withdraw(report, &cause)),
            written = self.reporter.written() => if written.is_err() {
                return Some(Way::Ended);
            },
        }
        let means = &self.node.means;
        let stop = async {
            tokio::select! {
                () = containers.going() => {}
                () = self.stopped() => {}
            }
        };
        let (runtime, metrics, target) = (&means.runtime, &means.metrics, self.target(&command.container));
        let finished = command::run_until(runtime, metrics, Stage::Restore, &target, command, stop).await;
        // Nobody asked to keep what a command prints: it may be the application's data.
        command::ended(&mut report, &finished, false);
        let RestoredPod { namespace, name, .. } = self.pod;
        let (hook, outcome) = (&command.hook, report.outcome);
        info!(namespace, pod = name, hook, ?outcome, "a restore hook has run");
        self.replace_last(report);
        None
    }

    /// Reports a command that was about to run, and is not run.
    fn withdraw(&self, report: ExecReport, cause: &Cause) -> Way {
        self.replace_last(ExecReport {
            outcome: ExecOutcome::NotStarted,
            message: Some(CANCELLED.to_owned()),
            ..report
        });
        way(cause)
    }

    /// Waits until a command that runs has to end: at once when the restore is stopped, and a while after SIGTERM.
    async fn stopped(&self) {
        if self.orders.ended().await == Cause::Stopping {
            _ = timeout(LAST_COMMAND, self.orders.cancelled()).await;
        }
    }

    /// Reports a command that isn't run, since its container is not up.
    fn skip(&self, restore: &RestoreCommand, state: Container) {
        let command = Command::from(restore.command.clone());
        let container = &command.container;
        let message = match state {
            Container::Over => format!("container {container} has ended, or its pod is gone or about to go"),
            Container::Running => format!("container {container} was not ready within {}", restore.wait),
            _ => format!("container {container} did not come up within {}", restore.wait),
        };
        let report = ExecReport {
            outcome: ExecOutcome::NotStarted,
            attempts: 0,
            message: Some(message),
            ..command::begun(Stage::Restore, &command)
        };
        self.reporter.announce(|status| status.execs.push(report));
    }

    /// Ends what an earlier agent has left running.
    async fn end_leftovers(&self) {
        let begun = self.reporter.status().execs;
        let running = begun
            .into_iter()
            .zip(&self.pod.commands)
            .find(|(report, _)| report.outcome == ExecOutcome::Running);
        let Some((mut report, restore)) = running else {
            return;
        };
        let age = Timestamp::now().duration_since(report.started_at.0);
        let age = Duration::try_from(age).unwrap_or_default();
        // Nothing outlives a boot.
        if let Some(since) = self.node.means.clock.uptime().checked_sub(age + SLACK) {
            let (target, command) = (self.target(&report.container), &restore.exec.command);
            let runtime = &self.node.means.runtime;
            report.killed = runtime.end_leftovers(&target, command, since).await;
        }
        report.outcome = ExecOutcome::Lost;
        report.message = Some(RESTARTED.to_owned());
        self.replace_last(report);
    }

    fn replace_last(&self, report: ExecReport) {
        self.reporter.announce(|status| {
            if let Some(last) = status.execs.last_mut() {
                *last = report;
            }
        });
    }

    /// What became of the commands that have had their turn.
    fn ended(&self) -> Vec<Ended> {
        let execs = self.reporter.status().execs;
        let ended = execs.iter().map(|exec| match exec.outcome {
            ExecOutcome::Succeeded => Ended::Succeeded,
            ExecOutcome::NotStarted => Ended::NotRun,
            _ => Ended::Failed,
        });
        ended.collect()
    }

    fn target(&self, container: &str) -> Target {
        Target {
            namespace: self.pod.namespace.clone(),
            pod: self.pod.name.clone(),
            uid: self.pod.uid.clone(),
            container: container.to_owned(),
        }
    }
}

fn way(cause: &Cause) -> Way {
    match cause {
        Cause::Stopping => Way::Left,
        _ => Way::Ended,
    }
}
