//! The undo of one pod's freeze, the same for everybody who thaws. It goes on until it has worked, the pod is gone, or
//! somebody else has closed the entry; what is tried when is decided by `core::freeze::thaw`.

use std::time::Duration;

use clusterbackup_api::node_task::{Command, ExecOutcome, ExecReport, Killed, PodOrder, Stage};
use clusterbackup_core::duration::Span;
use clusterbackup_core::freeze::thaw::{self, Ending, LONGEST_TRY, Next, PodState, Tries};
use prometheus::IntGauge;
use tokio::time::sleep;
use tracing::warn;

use crate::clock::Clock;
use crate::command;
use crate::journal::{Entry, Opened};
use crate::metrics::Metrics;
use crate::people::{News, People};
use crate::runtime::{Presence, Runtime};

/// A pod that can't be thawed is looked at again this often.
const LOOK: Duration = Duration::from_secs(2);

/// What a process thaws with.
#[derive(Debug, Clone)]
pub struct Means {
    /// The way into the containers.
    pub runtime: Runtime,
    /// The node's clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: std::sync::Arc<Metrics>,
    /// Who is told, and heard; the watchdog asks no API server.
    pub people: Option<People>,
}

/// One pod's undo.
#[derive(Debug)]
pub struct Undo<'a> {
    /// With what.
    pub means: &'a Means,
    /// The open entry.
    pub entry: &'a Opened,
    /// Whether the output of failed commands is kept in the records.
    pub keep_output: bool,
    /// Something of the freeze may still run until then: the undo is repeated as long.
    pub repeat_until: Option<Duration>,
}

impl Undo<'_> {
    /// Undoes. `record` is told of every try.
    pub async fn run(&self, mut record: impl FnMut(&ExecReport) + Send) -> Ending {
        let pod = &self.entry.entry().pod;
        let mut reports: Vec<_> = pod.post.iter().map(|_| None::<ExecReport>).collect();
        loop {
            let ending = self.once(pod, &mut reports, &mut record).await;
            let again = self
                .repeat_until
                .filter(|until| self.means.clock.uptime() < *until);
            match (ending, again) {
                (Ending::Undone, Some(_)) if self.entry.is_open() => sleep(LOOK).await,
                _ => return ending,
            }
        }
    }

    async fn once(
        &self,
        pod: &PodOrder,
        reports: &mut [Option<ExecReport>],
        record: &mut (impl FnMut(&ExecReport) + Send),
    ) -> Ending {
        let mut tries = vec![Tries::default(); pod.post.len()];
        let mut state = PodState::Exists;
        let mut pending = None;
        loop {
            match thaw::next(&tries, state, self.means.clock.uptime()) {
                Next::Finished(ending) => return ending,
                Next::Wait(pause) => {
                    sleep(pause.min(LOOK)).await;
                    if !self.entry.is_open() {
                        return Ending::Undone;
                    }
                    state = self.look(&self.entry.entry().pod).await;
                }
                Next::Try(number) => {
                    let (Some(command), Some(of)) = (pod.post.get(number), tries.get_mut(number)) else {
                        return Ending::Undone;
                    };
                    let report = self.attempt(pod, command, reports.get_mut(number)).await;
                    record(&report);
                    of.count += 1;
                    of.ended = self.means.clock.uptime();
                    of.succeeded = report.outcome == ExecOutcome::Succeeded;
                    if !of.succeeded {
                        pending.get_or_insert_with(|| self.pending());
                        state = self.look(pod).await;
                    }
                }
            }
        }
    }

    async fn attempt(
        &self,
        pod: &PodOrder,
        command: &Command,
        report: Option<&mut Option<ExecReport>>,
    ) -> ExecReport {
        let bounded = Command {
            timeout: command.timeout.min(Span::from(LONGEST_TRY)),
            ..command.clone()
        };
        let (runtime, metrics) = (&self.means.runtime, &self.means.metrics);
        let mut now = command::begun(Stage::Post, command);
        let finished = command::run(
            runtime,
            metrics,
            Stage::Post,
            &command::target(pod, command),
            &bounded,
        )
        .await;
        command::ended(&mut now, &finished, self.keep_output);
        if let Some(before) = report {
            if let Some(before) = before {
                now.attempts = before.attempts.saturating_add(1);
                now.started_at = before.started_at.clone();
            }
            *before = Some(now.clone());
        }
        if finished.outcome != ExecOutcome::Succeeded {
            let message = finished.message.as_deref().unwrap_or_default();
            let (namespace, pod) = (&pod.namespace, &pod.name);
            let (hook, outcome) = (&command.hook, finished.outcome);
            warn!(
                namespace,
                pod,
                hook,
                ?outcome,
                attempt = now.attempts,
                message,
                "an undo failed, trying again"
            );
        }
        now
    }

    /// Counts an undo that has failed, and tells of it.
    fn pending(&self) -> Pending<'_> {
        if let Some(people) = &self.means.people {
            people.tell(self.entry.entry(), News::ThawPending);
        }
        Pending::new(&self.means.metrics.undo_pending)
    }

    async fn look(&self, pod: &PodOrder) -> PodState {
        if is_gone(&self.means.runtime, pod).await {
            return PodState::Gone;
        }
        let acknowledged = match &self.means.people {
            Some(people) => people.acknowledged(self.entry.entry()).await,
            None => false,
        };
        if acknowledged {
            PodState::Acknowledged
        } else {
            PodState::Exists
        }
    }
}

/// Whether nothing is left of a pod on this node. Who can't be asked is no witness.
async fn is_gone(runtime: &Runtime, pod: &PodOrder) -> bool {
    let Some(command) = pod.post.first() else {
        return false;
    };
    matches!(
        runtime.presence(&command::target(pod, command)).await,
        Ok(Presence::PodGone)
    )
}

/// Ends what a freeze has left running, after whoever began it died. Whether something may run on all the same: not after
/// a boot, whatever is as new as the freeze would be on this boot's clock.
pub async fn end_leftovers(means: &Means, entry: &Entry) -> bool {
    if entry.frozen_for(&means.clock).is_none() {
        return false;
    }
    let since = Duration::from_millis(entry.frozen_at_millis);
    let mut left = false;
    for command in &entry.pod.pre {
        let target = command::target(&entry.pod, command);
        let killed = means
            .runtime
            .end_leftovers(&target, &command.command, since)
            .await;
        left |= matches!(killed, Some(Killed::Escaped | Killed::NotKillable));
    }
    left
}

/// Counts an undo that has failed for as long as it is tried again.
struct Pending<'a>(&'a IntGauge);

impl<'a> Pending<'a> {
    fn new(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
