//! One try of a hook's command, and its record.

use clusterbackup_api::node_task::{Command, ExecOutcome, ExecReport, PodOrder, Stage};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::metrics::Metrics;
use crate::runtime::{Finished, Runtime, Target};

/// The container that a command of a pod runs in.
pub fn target(pod: &PodOrder, command: &Command) -> Target {
    Target {
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        container: command.container.clone(),
    }
}

/// Runs a command once, and counts it.
pub async fn run(
    runtime: &Runtime,
    metrics: &Metrics,
    stage: Stage,
    target: &Target,
    command: &Command,
) -> Finished {
    run_until(runtime, metrics, stage, target, command, std::future::pending()).await
}

/// The same, and ends it when `stop` is there.
pub async fn run_until(
    runtime: &Runtime,
    metrics: &Metrics,
    stage: Stage,
    target: &Target,
    command: &Command,
    stop: impl Future<Output = ()>,
) -> Finished {
    let limit = command.timeout.duration();
    let finished = runtime.exec_until(target, &command.command, limit, stop).await;
    metrics.hook(stage, &finished);
    finished
}

/// The record of a command that begins now.
pub fn begun(stage: Stage, command: &Command) -> ExecReport {
    ExecReport {
        hook: command.hook.clone(),
        stage,
        container: command.container.clone(),
        outcome: ExecOutcome::Running,
        exit_code: None,
        killed: None,
        started_at: MicroTime(Timestamp::now()),
        millis: 0,
        attempts: 1,
        output_bytes: 0,
        message: None,
        output: None,
    }
}

/// Writes into the record how a try ended.
pub fn ended(report: &mut ExecReport, finished: &Finished, keep_output: bool) {
    report.outcome = finished.outcome;
    report.exit_code = finished.exit_code;
    report.killed = finished.killed;
    report.millis = u64::try_from(finished.took.as_millis()).unwrap_or(u64::MAX);
    report.output_bytes = finished.output_bytes;
    report.message.clone_from(&finished.message);
    let kept = keep_output && finished.outcome != ExecOutcome::Succeeded && !finished.tail.is_empty();
    report.output = kept.then(|| finished.tail.as_str().to_owned());
}
