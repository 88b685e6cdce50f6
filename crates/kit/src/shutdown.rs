//! Signals, and who stops when. Stopping has two moments: at `stopping` the drain begins (readiness goes, the server
//! still serves); at `stopped` nobody calls any more, and what the server leaned on (watches, certificates, the admin
//! port) ends too.

use std::{
    fmt,
    future::Future,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

/// The exit status of a process that a second signal ended: what a shell reports for SIGINT.
const ABORTED: i32 = 130;

/// The end of a process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stopping: CancellationToken,
    stopped: CancellationToken,
    tasks: TaskTracker,
    failed: Arc<OnceLock<&'static str>>,
}

/// How a process ended badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// A task that lives as long as the process ended early; the log has the reason.
    #[error("the task `{0}` ended, and the process with it")]
    Task(&'static str),
    /// Tasks didn't end in time.
    #[error("{0} task(s) didn't stop in time")]
    Hanging(usize),
}

impl Shutdown {
    /// Begins to stop at SIGTERM or SIGINT; a second signal ends the process at once.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let begin = shutdown.clone();
        tokio::spawn(async move {
            let first = next(&mut term, &mut int).await;
            info!(signal = first, "stopping");
            begin.begin();
            let second = next(&mut term, &mut int).await;
            warn!(signal = second, "second signal: not waiting for anything");
            std::process::exit(ABORTED);
        });
        Ok(shutdown)
    }

    /// Cancelled when the drain begins.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Cancelled when nothing is served any more.
    pub fn stopped(&self) -> CancellationToken {
        self.stopped.clone()
    }

    /// Tasks that [`Shutdown::finish`] waits for.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Begins to stop, as a signal does.
    pub fn begin(&self) {
        self.stopping.cancel();
    }

    /// Runs a task that lives until `stopped`. If it fails, panics or just ends before, the whole process stops: half
    /// a process that looks alive is worse than none.
    pub fn spawn<T, E>(&self, name: &'static str, task: T)
    where
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let shutdown = self.clone();
        let running = tokio::spawn(task);
        self.tasks.spawn(async move {
            let reason = match running.await {
                Ok(Ok(())) if shutdown.stopped.is_cancelled() => return,
                Ok(Ok(())) => "it ended".to_owned(),
                Ok(Err(error)) => format!("{error:#}"),
                Err(panic) => panic.to_string(),
            };
            error!(task = name, reason, "a task failed; stopping");
            // The first failure is the cause, later ones follow from it.
            shutdown.failed.get_or_init(|| name);
            shutdown.begin();
        });
    }

    /// The last line of a process: says that nothing is served any more and waits for the tasks.
    pub async fn finish(self, deadline: Duration) -> Result<(), ShutdownError> {
        self.stopping.cancel();
        self.stopped.cancel();
        self.tasks.close();
        let hanging = timeout(deadline, self.tasks.wait()).await.is_err();
        match self.failed.get() {
            Some(task) => Err(ShutdownError::Task(task)),
            None if hanging => Err(ShutdownError::Hanging(self.tasks.len())),
            None => Ok(()),
        }
    }
}

async fn next(term: &mut Signal, int: &mut Signal) -> &'static str {
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_task_that_fails_stops_the_process_and_is_named() {
        let shutdown = Shutdown::default();
        shutdown.spawn("watch", async { Err::<(), _>("connection refused") });
        timeout(SOON, shutdown.stopping().cancelled()).await.unwrap();
        assert!(matches!(
            shutdown.finish(SOON).await,
            Err(ShutdownError::Task("watch"))
        ));
    }

    #[tokio::test]
    async fn a_task_that_just_ends_stops_the_process_too() {
        let shutdown = Shutdown::default();
        shutdown.spawn("watch", async { Ok::<(), String>(()) });
        timeout(SOON, shutdown.stopping().cancelled()).await.unwrap();
    }

    #[tokio::test]
    async fn tasks_live_through_the_drain() {
        let shutdown = Shutdown::default();
        let stopped = shutdown.stopped();
        shutdown.spawn("watch", async move {
            stopped.cancelled().await;
            Ok::<(), String>(())
        });
        shutdown.begin();
        assert!(!shutdown.stopped().is_cancelled());
        shutdown.finish(SOON).await.unwrap();
    }

    #[tokio::test]
    async fn what_hangs_is_counted_not_awaited() {
        let shutdown = Shutdown::default();
        shutdown.spawn("stuck", std::future::pending::<Result<(), String>>());
        assert!(matches!(
            shutdown.finish(Duration::from_millis(10)).await,
            Err(ShutdownError::Hanging(1))
        ));
    }
}
