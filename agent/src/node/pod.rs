//! One pod's way through its unit: pre hooks, then frozen until the signal, then the undo.

use std::time::Duration;

use clusterbackup_api::node_task::{
    Command, ExecOutcome, ExecReport, Killed, PodOrder, PodReport, Stage, Thaw,
};
use clusterbackup_core::freeze::thaw::Ending;
use clusterbackup_core::hook::OnError;
use tokio::sync::oneshot;
use tracing::{error, info};

use super::signal::{Cause, ThawSignal};
use super::status;
use super::work::Work;
use crate::command;
use crate::journal::{Closed, Opened};
use crate::undo::Undo;

/// How the pre hooks of a pod ended; the error says what that means for the unit.
pub(super) type Frozen = Result<(), OnError>;

/// One pod of a unit.
pub(super) struct Pod<'a> {
    pub(super) work: &'a Work,
    pub(super) unit: &'a str,
    pub(super) order: &'a PodOrder,
    pub(super) max_freeze: Duration,
}

impl Pod<'_> {
    /// Freezes the pod, says so, and thaws it at the signal. `entry` is what is to be undone; without one there is
    /// nothing to undo.
    pub(super) async fn run(&self, entry: Option<Opened>, thaw: &ThawSignal, said: oneshot::Sender<Frozen>) {
        let began = self.work.means.clock.uptime();
        let (frozen, dead) = self.freeze(thaw).await;
        // The unit may have ended meanwhile.
        let _ = said.send(frozen);
        thaw.given().await;
        match entry {
            Some(entry) => self.undo(entry, began, dead).await,
            None if self.order.pre.is_empty() => self.after().await,
            None => self.report(|report| report.frozen_millis = Some(self.millis_since(began))),
        }
    }

    /// Runs the pre hooks in order. Says also whether all of them are proven dead.
    async fn freeze(&self, thaw: &ThawSignal) -> (Frozen, bool) {
        let mut frozen = Ok(());
        for command in &self.order.pre {
            if thaw.is_given() {
                return (Err(OnError::Fail), true);
            }
            let report = self.freeze_by(command, thaw).await;
            let dead = !matches!(report.killed, Some(Killed::Escaped | Killed::NotKillable))
                && report.outcome != ExecOutcome::Lost;
            if report.outcome == ExecOutcome::Succeeded {
                continue;
            }
            frozen = Err(command.on_error);
            if command.on_error == OnError::Fail {
                thaw.give(Cause::Hook(self.problem(command, &report)));
            }
            if command.on_error == OnError::Fail || !dead {
                return (frozen, dead);
            }
        }
        (frozen, true)
    }

    async fn freeze_by(&self, command: &Command, thaw: &ThawSignal) -> ExecReport {
        let mut report = command::begun(Stage::Pre, command);
        self.report(|of| of.execs.push(report.clone()));
        let means = &self.work.means;
        // Once the undo is due, it waits for the end of this.
        let (runtime, metrics) = (&means.runtime, &means.metrics);
        let target = command::target(self.order, command);
        let run = command::run_until(runtime, metrics, Stage::Pre, &target, command, thaw.given());
        let finished = run.await;
        command::ended(&mut report, &finished, self.work.keep_output);
        self.report(|of| {
            if let Some(last) = of.execs.last_mut() {
                last.clone_from(&report);
            }
        });
        report
    }

    async fn undo(&self, entry: Opened, began: Duration, dead: bool) {
        let means = &self.work.means;
        if let Err(error) = entry.note_undoing(means.clock.uptime()) {
            error!(%error, "the journal can't be written");
        }
        let undo = Undo {
            means,
            entry: &entry,
            keep_output: self.work.keep_output,
            repeat_until: (!dead).then(|| means.clock.uptime() + self.max_freeze),
        };
        let ending = undo.run(|report| self.record(report)).await;
        let thaw = self.close(entry, ending);
        let millis = self.millis_since(began);
        self.work.node_metrics.frozen(Duration::from_millis(millis));
        let PodOrder { namespace, name, .. } = self.order;
        info!(namespace, pod = name, ?thaw, frozen_millis = millis, "thawed");
        self.work.reporter.announce(|status| {
            if let Some(report) = status::pod(status, self.unit, &self.order.uid) {
                report.thaw = thaw;
                report.frozen_millis = Some(millis);
            }
        });
    }

    /// Puts the record of a try of the undo where it belongs: later tries replace earlier ones.
    fn record(&self, report: &ExecReport) {
        self.report(|of| {
            let same = |exec: &&mut ExecReport| {
                exec.stage == Stage::Post && exec.hook == report.hook && exec.started_at == report.started_at
            };
            match of.execs.iter_mut().find(same) {
                Some(exec) => exec.clone_from(report),
                None => of.execs.push(report.clone()),
            }
        });
    }

    fn close(&self, entry: Opened, ending: Ending) -> Thaw {
        let own = match ending {
            Ending::Undone => Thaw::Done,
            Ending::PodGone => Thaw::PodGone,
            Ending::Acknowledged => Thaw::Acknowledged,
        };
        let frozen = entry.entry().clone();
        match entry.close() {
            Ok(Closed::Before(outcome)) => {
                self.work.tell(&frozen, outcome.thaw);
                return outcome.thaw;
            }
            Ok(Closed::Here) => {}
            Err(error) => {
                self.work.means.metrics.journal_failures.inc();
                error!(%error, "an entry could not be closed; its undo will be repeated");
            }
        }
        self.work.means.metrics.thaw(own);
        own
    }

    /// Commands of a pod that nothing has frozen: each runs once.
    async fn after(&self) {
        let means = &self.work.means;
        for command in &self.order.post {
            let mut report = command::begun(Stage::Post, command);
            let target = command::target(self.order, command);
            let finished = command::run(&means.runtime, &means.metrics, Stage::Post, &target, command).await;
            command::ended(&mut report, &finished, self.work.keep_output);
            self.report(|of| of.execs.push(report.clone()));
        }
    }

    fn problem(&self, command: &Command, report: &ExecReport) -> String {
        let PodOrder { namespace, name, .. } = self.order;
        let said = report.message.as_deref().unwrap_or("it failed");
        format!(
            "the pre hook {} of the pod {namespace}/{name}: {said}",
            command.hook
        )
    }

    fn report(&self, change: impl FnOnce(&mut PodReport)) {
        self.work.reporter.note(|status| {
            if let Some(report) = status::pod(status, self.unit, &self.order.uid) {
                change(report);
            }
        });
    }

    fn millis_since(&self, began: Duration) -> u64 {
        let frozen = self.work.means.clock.uptime().saturating_sub(began);
        u64::try_from(frozen.as_millis()).unwrap_or(u64::MAX)
    }
}
