//! What reports and logs say of a command, a thaw and a span of time: the same words in both.

use std::time::Duration;

use clusterbackup_api::backup::ObjectCounts;
use clusterbackup_api::node_task::{ExecOutcome, ExecReport, Killed, PodReport, Stage, Thaw};

use crate::words::{size, span};

/// `pre hook shop/hooks/freeze in shop/db-0 (postgres) failed with exit code 3 after 35ms`.
pub(super) fn command(pod: &PodReport, exec: &ExecReport) -> String {
    let stage = match exec.stage {
        Stage::Pre => "pre",
        Stage::Post => "post",
        Stage::Restore => "restore",
    };
    let tries = match exec.attempts {
        0 | 1 => String::new(),
        tries => format!(", try {tries}"),
    };
    let output = exec.output.as_deref().map_or_else(String::new, |output| {
        let lines = output.lines().map(|line| format!("\n    | {}", printable(line)));
        lines.collect()
    });
    format!(
        "{stage} hook {} in {}/{} ({}) {}{tries}{}{output}",
        exec.hook,
        pod.namespace,
        pod.name,
        exec.container,
        outcome(exec),
        behind(exec.message.as_deref()),
    )
}

fn outcome(exec: &ExecReport) -> String {
    let took = millis(exec.millis);
    let said = match exec.outcome {
        ExecOutcome::Running => return "runs".to_owned(),
        ExecOutcome::Succeeded => format!("succeeded after {took}"),
        ExecOutcome::Failed => match exec.exit_code {
            Some(code) => format!("failed with exit code {code} after {took}"),
            None => format!("failed after {took}"),
        },
        ExecOutcome::TimedOut => format!("took longer than it may: ended after {took}"),
        ExecOutcome::OutputTooLarge => format!("wrote too much, {} bytes", exec.output_bytes),
        ExecOutcome::NotStarted => "could not be started".to_owned(),
        ExecOutcome::Lost => "was lost sight of; it may have run".to_owned(),
    };
    let rest = match exec.killed {
        None => "",
        Some(Killed::KilledAll) => ", with all that it had started",
        Some(Killed::Escaped) => ", and some of what it had started lives on",
        Some(Killed::NotKillable) => ", and what it had started may still run",
    };
    said + rest
}

/// Whether a pod runs freely again.
pub(super) const fn thaw(thaw: Thaw) -> &'static str {
    match thaw {
        Thaw::NotNeeded => "not needed",
        Thaw::Pending => "PENDING",
        Thaw::Done => "done",
        Thaw::ByWatchdog => "by the watchdog",
        Thaw::ByReplay => "after a restart of the agent",
        Thaw::PodGone => "the pod is gone",
        Thaw::Acknowledged => "taken over by a person",
    }
}

/// `1s204ms`.
pub(super) fn millis(millis: u64) -> String {
    span(Duration::from_millis(millis))
}

/// `3420 objects, 12.4 MiB`.
pub(super) fn stored(objects: &ObjectCounts) -> String {
    format!("{} objects, {}", objects.stored, size(objects.bytes))
}

/// `: why`, or nothing.
pub(super) fn behind(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(": {message}"))
}

/// What applications write may hold what changes a terminal.
fn printable(line: &str) -> String {
    line.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}
