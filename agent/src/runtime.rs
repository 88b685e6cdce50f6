//! Commands in the containers of this node: started, bounded in time and output, and ended with all they started.
//!
//! Two ways lead into a container. The runtime's own socket ([`cri`]) needs nothing but this node, and what is run
//! through it can be ended. The API server ([`api`]) is for nodes where the socket may not be mounted; a command that
//! takes too long lives on there, and the result says so.

pub mod api;
pub mod cri;
mod processes;
mod tail;

use std::path::Path;
use std::time::Duration;

use clusterbackup_api::node_task::{ExecOutcome, Killed};
use tokio::time::Instant;

use self::tail::Ending;
pub use self::tail::Tail;

/// The container that a command runs in: the one that now has this name in the pod with this uid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid: a pod of the same name that came later is another pod.
    pub uid: String,
    /// The container's name.
    pub container: String,
}

/// What came of a command. It is over when this is there, unless `outcome` or `killed` says otherwise.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What came of it; never `Running`.
    pub outcome: ExecOutcome,
    /// The exit code, where there is one; of a signal 128 + its number.
    pub exit_code: Option<i32>,
    /// What became of its processes, where they had to be ended.
    pub killed: Option<Killed>,
    /// From the request to the end, the killing included.
    pub took: Duration,
    /// Bytes that it wrote, as far as they came here.
    pub output_bytes: u64,
    /// The end of what it wrote.
    pub tail: Tail,
    /// What went wrong, for a person; never the output.
    pub message: Option<String>,
}

impl Finished {
    /// Of a command whose exit code is not known.
    fn without_exit(outcome: ExecOutcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            exit_code: None,
            killed: None,
            took: Duration::ZERO,
            output_bytes: 0,
            tail: Tail::default(),
            message: Some(message.into()),
        }
    }

    /// Of a command that ended by itself.
    fn with_exit(exit_code: i32) -> Self {
        let (outcome, message) = match exit_code {
            0 => (ExecOutcome::Succeeded, None),
            code => (
                ExecOutcome::Failed,
                Some(format!("it ended with exit code {code}")),
            ),
        };
        Self {
            exit_code: Some(exit_code),
            message,
            ..Self::without_exit(outcome, "")
        }
    }

    /// With its output.
    fn writing(self, stdout: &Ending, stderr: &Ending) -> Self {
        Self {
            output_bytes: stdout.total() + stderr.total(),
            tail: Tail::of(stdout, stderr),
            ..self
        }
    }

    /// With the time since `began`.
    fn since(self, began: Instant) -> Self {
        Self {
            took: began.elapsed(),
            ..self
        }
    }
}

/// A command that is to run: where, and for how long at most.
#[derive(Clone, Copy)]
struct Call<'a> {
    target: &'a Target,
    command: &'a [String],
    limit: Duration,
}

/// Whether a command can be run in a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The container runs.
    Running,
    /// The pod is there, the container doesn't run: not yet, not any more, or between two starts.
    NotRunning,
    /// Nothing is left of the pod.
    PodGone,
}

/// Why the way into the containers could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nobody listens, or the connection broke.
    #[error("can't talk to {0}: {1}; check that it runs and that its socket is mounted into the agent's pod")]
    Unreachable(&'static str, String),
    /// It took too long.
    #[error("{0} did not answer within {1:?}")]
    Silent(&'static str, Duration),
    /// It answered with an error.
    #[error("{0} refused: {1}")]
    Refused(&'static str, String),
    /// It answered what makes no sense.
    #[error("{0} gave an answer that can't be read: {1}")]
    Unreadable(&'static str, String),
}

/// The way into the containers.
#[derive(Clone, Debug)]
pub enum Runtime {
    /// The container runtime's socket.
    Cri(cri::Cri),
    /// The API server.
    Api(api::Api),
}

impl Runtime {
    /// The container runtime that listens at `socket`. Connects at the first use, and again when it was restarted.
    pub fn cri(socket: &Path) -> Result<Self, RuntimeError> {
        Ok(Self::Cri(cri::Cri::at(socket)?))
    }

    /// The API server.
    pub fn api(client: kube::Client) -> Self {
        Self::Api(api::Api::new(client))
    }

    /// Runs `command` (program and arguments, no shell) and waits until it is over: at most `timeout`, and then the
    /// moment that ending its processes takes.
    pub async fn exec(&self, target: &Target, command: &[String], timeout: Duration) -> Finished {
        self.exec_until(target, command, timeout, std::future::pending())
            .await
    }

    /// The same, and ends the command as after its time-out once `stop` is there.
    pub async fn exec_until(
        &self,
        target: &Target,
        command: &[String],
        timeout: Duration,
        stop: impl Future<Output = ()>,
    ) -> Finished {
        let began = Instant::now();
        let call = Call {
            target,
            command,
            limit: timeout,
        };
        let finished = match self {
            Self::Cri(cri) => cri.exec(call, stop).await,
            Self::Api(api) => api.exec(call, stop).await,
        };
        finished.since(began)
    }

    /// Whether a command can be run in `target` now.
    pub async fn presence(&self, target: &Target) -> Result<Presence, RuntimeError> {
        match self {
            Self::Cri(cri) => cri.presence(target).await,
            Self::Api(api) => api.presence(target).await,
        }
    }

    /// Which of the containers of that name runs now, one after the other: none where none does.
    pub async fn incarnation(&self, target: &Target) -> Result<Option<String>, RuntimeError> {
        match self {
            Self::Cri(cri) => cri.incarnation(target).await,
            Self::Api(api) => api.incarnation(target).await,
        }
    }

    /// Ends what runs of `command`, begun at `since` (CLOCK_BOOTTIME) or later by an agent that has died. None:
    /// nothing of the kind runs.
    pub async fn end_leftovers(
        &self,
        target: &Target,
        command: &[String],
        since: Duration,
    ) -> Option<Killed> {
        match self {
            Self::Cri(cri) => cri.end_leftovers(target, command, since).await,
            Self::Api(api) => api.end_leftovers(target).await,
        }
    }
}
