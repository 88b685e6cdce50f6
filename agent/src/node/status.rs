//! The report of a task: kept here, written to its status at most once a second, changes of phase at once. An API
//! server that is away delays nothing but the report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clusterbackup_api::node_task::{CutReport, ExecReport, NodeTask, NodeTaskStatus, PodReport, UnitReport};
use clusterbackup_api::schema::bounded;
use kube::api::{Patch, PatchParams};
use kube::{Api, Error};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, warn};

/// Between two writes of progress.
const PACE: Duration = Duration::from_secs(1);
/// Between two writes at all: many units change their phases in the same moment.
const URGENT_PACE: Duration = Duration::from_millis(20);
/// One write.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A report that nobody takes for this long is given up; the leader has given the task up long before.
const GIVEN_UP: Duration = Duration::from_mins(15);

/// The most bytes of a status.
const LARGEST: usize = 256 * 1024;

/// A task's report. Clones are the same.
#[derive(Clone)]
pub(super) struct Reporter {
    shared: Arc<Shared>,
}

struct Shared {
    status: Mutex<NodeTaskStatus>,
    wanted: watch::Sender<Wanted>,
    written: watch::Sender<Written>,
}

/// Versions of the report that are to be written.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    newest: u64,
    /// The newest one that is not to wait.
    urgent: u64,
    /// Nothing comes after this.
    finished: bool,
}

#[derive(Debug, Clone, Copy)]
enum Written {
    UpTo(u64),
    Never,
}

/// The report can't be written.
#[derive(Debug, thiserror::Error)]
#[error("the API server doesn't take the report of the task")]
pub(super) struct NotWritten;

impl Reporter {
    /// Begins with what stands in the status, and writes from now on.
    pub(super) fn start(api: Api<NodeTask>, task: &NodeTask) -> Self {
        let shared = Arc::new(Shared {
            status: Mutex::new(task.status.clone().unwrap_or_default()),
            wanted: watch::Sender::default(),
            written: watch::Sender::new(Written::UpTo(0)),
        });
        let name = task.metadata.name.clone().unwrap_or_default();
        let writer = Writer {
            api,
            name,
            uid: task.metadata.uid.clone(),
            shared: Arc::clone(&shared),
        };
        tokio::spawn(writer.run());
        Self { shared }
    }

    /// Changes the report; it is written within a second or so.
    pub(super) fn note<T>(&self, change: impl FnOnce(&mut NodeTaskStatus) -> T) -> T {
        let changed = change(&mut self.shared.status.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wanted.send_modify(|wanted| wanted.newest += 1);
        changed
    }

    /// Changes the report, which is written at once.
    pub(super) fn announce<T>(&self, change: impl FnOnce(&mut NodeTaskStatus) -> T) -> T {
        let changed = change(&mut self.shared.status.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wanted.send_modify(|wanted| {
            wanted.newest += 1;
            wanted.urgent = wanted.newest;
        });
        changed
    }

    /// The report as it is.
    pub(super) fn status(&self) -> NodeTaskStatus {
        self.shared
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until everything so far is written.
    pub(super) async fn written(&self) -> Result<(), NotWritten> {
        let newest = self.shared.wanted.borrow().newest;
        let mut written = self.shared.written.subscribe();
        let done = written.wait_for(|written| match written {
            Written::UpTo(version) => *version >= newest,
            Written::Never => true,
        });
        match done.await.as_deref() {
            Ok(Written::UpTo(_)) => Ok(()),
            Ok(Written::Never) | Err(_) => Err(NotWritten),
        }
    }

    /// Writes what is left, and nothing more after that.
    pub(super) async fn finish(self) -> Result<(), NotWritten> {
        self.shared.wanted.send_modify(|wanted| {
            wanted.urgent = wanted.newest;
            wanted.finished = true;
        });
        self.written().await
    }
}

/// A unit's part of the report.
pub(super) fn unit<'a>(status: &'a mut NodeTaskStatus, name: &str) -> Option<&'a mut UnitReport> {
    status.units.iter_mut().find(|unit| unit.name == name)
}

/// A pod's part of it.
pub(super) fn pod<'a>(status: &'a mut NodeTaskStatus, unit: &str, uid: &str) -> Option<&'a mut PodReport> {
    let unit = self::unit(status, unit)?;
    unit.pods.iter_mut().find(|pod| pod.uid == uid)
}

/// A claim's part of it.
pub(super) fn cut<'a>(
    status: &'a mut NodeTaskStatus,
    unit: &str,
    namespace: &str,
    claim: &str,
) -> Option<&'a mut CutReport> {
    let unit = self::unit(status, unit)?;
    unit.cuts
        .iter_mut()
        .find(|cut| cut.namespace == namespace && cut.claim == claim)
}

struct Writer {
    api: Api<NodeTask>,
    name: String,
    uid: Option<String>,
    shared: Arc<Shared>,
}

impl Writer {
    async fn run(self) {
        let mut wanted = self.shared.wanted.subscribe();
        let (mut written, mut last) = (0, None::<Instant>);
        loop {
            let Ok(now) = wanted
                .wait_for(|wanted| wanted.newest > written || wanted.finished)
                .await
                .map(|now| *now)
            else {
                return;
            };
            if now.newest == written {
                return;
            }
            if let Some(last) = last {
                sleep_until(last + URGENT_PACE).await;
                let urgent = wanted.wait_for(|wanted| wanted.urgent > written || wanted.finished);
                // Whichever comes first.
                let _ = tokio::time::timeout_at(last + PACE, urgent).await;
            }
            last = Some(Instant::now());
            written = wanted.borrow_and_update().newest;
            if self.write().await.is_err() {
                self.shared.written.send_replace(Written::Never);
                return;
            }
            self.shared.written.send_replace(Written::UpTo(written));
        }
    }

    /// Writes the report as it is, until that has worked.
    async fn write(&self) -> Result<(), NotWritten> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let status = fit(self.status());
            // With the uid, a task of the same name that came later is never written to.
            let patch = json!({ "metadata": { "uid": self.uid }, "status": status });
            let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
            let patched = self.api.patch_status(&self.name, &params, &patch);
            let problem = match timeout(WRITE_LIMIT, patched).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(Error::Api(status))) if matches!(status.code, 404 | 409) => {
                    warn!(task = self.name, "the task is gone, and its report with it");
                    return Err(NotWritten);
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {WRITE_LIMIT:?}"),
            };
            if began.elapsed() > GIVEN_UP {
                error!(task = self.name, problem, "the report of the task is given up");
                return Err(NotWritten);
            }
            warn!(
                task = self.name,
                problem, "the report of the task can't be written, trying again"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn status(&self) -> NodeTaskStatus {
        self.shared
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Makes a report fit: messages as long as the schema admits, then no outputs, then no messages of commands.
fn fit(mut status: NodeTaskStatus) -> NodeTaskStatus {
    bound(&mut status.message);
    for unit in &mut status.units {
        bound(&mut unit.message);
        unit.cuts.iter_mut().for_each(|cut| bound(&mut cut.message));
        let execs = unit.pods.iter_mut().flat_map(|pod| &mut pod.execs);
        execs.for_each(|exec| bound(&mut exec.message));
    }
    let too_large =
        |status: &NodeTaskStatus| serde_json::to_vec(status).is_ok_and(|bytes| bytes.len() > LARGEST);
    let shorter: [fn(&mut ExecReport); 2] = [|exec| exec.output = None, |exec| exec.message = None];
    for shorten in shorter {
        if too_large(&status) {
            let pods = status.units.iter_mut().flat_map(|unit| &mut unit.pods);
            pods.flat_map(|pod| &mut pod.execs).for_each(shorten);
        }
    }
    status
}

fn bound(message: &mut Option<String>) {
    if let Some(text) = message {
        *text = bounded(text).into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of so many commands, each with an output and a message so long.
    fn report(commands: usize, output: usize, message: usize) -> NodeTaskStatus {
        let exec = json!({
            "hook": "h", "stage": "Pre", "container": "c", "outcome": "Failed",
            "startedAt": "2026-01-01T00:00:00.000000Z", "millis": 1, "attempts": 1, "outputBytes": 7,
            "output": "o".repeat(output), "message": "m".repeat(message),
        });
        let pod = json!({
            "namespace": "shop", "name": "db", "uid": "1", "thaw": "Done", "execs": vec![exec; commands],
        });
        let unit = json!({ "name": "u0", "phase": "Thawed", "message": "u", "pods": [pod] });
        serde_json::from_value(json!({ "message": "t", "units": [unit] })).unwrap()
    }

    #[test]
    fn a_report_that_is_too_large_loses_outputs_first_and_messages_then() {
        for (commands, output, message, kept) in [
            (0, 0, 0, (true, true)),
            (200, 10, 10, (true, true)),
            (200, 1024, 100, (true, true)),
            (200, 1024, 900, (false, true)),
            (250, 10, 1024, (false, false)),
        ] {
            let told = format!("{commands} {output} {message}");
            let fitted = fit(report(commands, output, message));
            let bytes = serde_json::to_vec(&fitted).unwrap().len();
            assert!(bytes <= LARGEST, "{told}: {bytes} bytes");
            let pods = fitted.units.iter().flat_map(|unit| &unit.pods);
            let execs: Vec<_> = pods.flat_map(|pod| &pod.execs).collect();
            assert_eq!(execs.len(), commands, "{told}");
            let outputs = execs.iter().all(|exec| exec.output.is_some());
            let messages = execs.iter().all(|exec| exec.message.is_some());
            assert_eq!((outputs, messages), kept, "{told}");
            // What the leader decides by stays.
            assert!(execs.iter().all(|exec| exec.output_bytes == 7), "{told}");
            assert_eq!(fitted.units[0].message.as_deref(), Some("u"), "{told}");
        }
    }

    #[test]
    fn messages_are_no_longer_than_the_schema_admits() {
        let long = || Some("m".repeat(5000));
        let mut status = report(1, 0, 5000);
        status.message = long();
        let unit = &mut status.units[0];
        unit.message = long();
        let cut = json!({ "namespace": "shop", "claim": "data", "outcome": "Failed", "message": long() });
        unit.cuts.push(serde_json::from_value(cut).unwrap());
        let fitted = fit(status);
        let unit = &fitted.units[0];
        let messages = [
            &fitted.message,
            &unit.message,
            &unit.cuts[0].message,
            &unit.pods[0].execs[0].message,
        ];
        for message in messages {
            let text = message.as_deref().unwrap();
            assert!(
                text.chars().count() <= 1024 && text.starts_with('m'),
                "{}",
                text.len()
            );
        }
    }
}
