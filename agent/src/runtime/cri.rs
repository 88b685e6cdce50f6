//! Commands through the container runtime's socket (CRI, ExecSync).
//!
//! The runtime's own time-out kills the command's first process only, and its answer waits for everybody who holds
//! the output. So a command is watched from here while it runs, and after its time-out all of its processes are
//! killed one by one, proven dead, and reported.

mod answer;
mod client;
mod end;
pub mod messages;
mod report;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::node_task::{ExecOutcome, Killed};
use clusterbackup_core::duration::Span;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Code, Status};

use self::client::{Client, NoAnswer};
use self::end::{Ended, end};
use self::messages::{
    CONTAINER, Container, ContainerFilter, ContainerState, ContainerStateValue, ContainerStatusRequest,
    ExecSyncRequest, ListContainersRequest, ListPodSandboxRequest, PodSandboxFilter, UID,
};
use super::processes::{Beginning, Looks, Request, Watch};
use super::{Call, Finished, Presence, RuntimeError, Target};

/// The runtime's own time-out comes so much later: for the case that the agent is stuck.
const LAST_RESORT: Duration = Duration::from_secs(30);
/// The answer comes at once when nobody holds the output any more.
const GRACE: Duration = Duration::from_secs(2);
/// Looks at a command: soon, as most take milliseconds, and then as often as a daemon needs to leave its parent.
const FIRST_LOOKS: [Duration; 3] = [
    Duration::from_millis(15),
    Duration::from_millis(40),
    Duration::from_millis(100),
];
const LOOK_EVERY: Duration = Duration::from_millis(250);
const TOO_LARGE: &str =
    "it wrote more than the 16 MiB that the runtime keeps, so its exit code is lost: let it write less";

/// The container runtime of this node.
#[derive(Clone, Debug)]
pub struct Cri {
    client: Client,
    looks: Arc<Looks>,
}

const SILENT: &str = "the container runtime did not answer in the command's time";

/// The id of a container, and the watch over the command in it.
type Prepared = (String, Option<Watch>);

impl Cri {
    /// The runtime that listens at `socket`.
    pub(super) fn at(socket: &Path) -> Result<Self, RuntimeError> {
        Ok(Self {
            client: Client::at(socket)?,
            looks: Arc::default(),
        })
    }

    /// See [`super::Runtime::exec_until`].
    pub(super) async fn exec(&self, call: Call<'_>, stop: impl Future<Output = ()>) -> Finished {
        match timeout(call.limit, self.prepared(call)).await {
            Ok(Ok(Some((container, watch)))) => self.exec_in(container, watch, call, stop).await,
            Ok(Ok(None)) => Finished::without_exit(
                ExecOutcome::NotStarted,
                format!("the container {} does not run", call.target.container),
            ),
            Ok(Err(error)) => Finished::without_exit(ExecOutcome::NotStarted, error.to_string()),
            Err(_) => Finished::without_exit(ExecOutcome::NotStarted, SILENT),
        }
    }

    /// The container, and a watch over it if its processes will be seen from here.
    async fn prepared(&self, call: Call<'_>) -> Result<Option<Prepared>, RuntimeError> {
        let Call { target, command, .. } = call;
        let Some(container) = self.running(target).await? else {
            return Ok(None);
        };
        let (init, look) = tokio::join!(self.first_process(&container.id), self.looks.look());
        let watch = init.zip(look.ok()).and_then(|(init, look)| {
            let beginning = Beginning::now(look);
            Watch::begin(self.looks.proc_fs(), beginning, (&container.id, init), command)
        });
        Ok(Some((container.id, watch)))
    }

    async fn exec_in(
        &self,
        container: String,
        mut watch: Option<Watch>,
        Call { command, limit, .. }: Call<'_>,
        stop: impl Future<Output = ()>,
    ) -> Finished {
        let request = ExecSyncRequest {
            container_id: container,
            cmd: command.to_vec(),
            timeout: i64::try_from((limit + LAST_RESORT).as_secs()).unwrap_or(i64::MAX),
        };
        let mut call = std::pin::pin!(self.client.exec_sync(&request));
        let answer = tokio::select! {
            answer = &mut call => Ok(answer),
            never = self.follow(watch.as_mut()) => match never {},
            () = tokio::time::sleep(limit) => Err(format!("it took longer than {}", Span::from(limit))),
            () = stop => Err("it was ended early".to_owned()),
        };
        match answer {
            Ok(Ok(answer)) => report::answered(&answer),
            Ok(Err(NoAnswer::Refused(status))) => self.refused(&status, watch.as_mut()).await,
            Ok(Err(NoAnswer::Lost(why))) => self.lost(&why, watch.as_mut()).await,
            Err(due) => {
                let ended = self.end(watch.as_mut(), Request::Unanswered).await;
                let grace = if ended.may_be_over() {
                    GRACE
                } else {
                    Duration::ZERO
                };
                let answer = timeout(grace, call).await;
                report::due(due, &ended, answer.ok().and_then(Result::ok).as_ref())
            }
        }
    }

    /// See [`super::Runtime::end_leftovers`].
    pub(super) async fn end_leftovers(
        &self,
        target: &Target,
        command: &[String],
        since: Duration,
    ) -> Option<Killed> {
        let container = match self.running(target).await {
            Ok(Some(container)) => container.id,
            Ok(None) => return None,
            Err(_) => return Some(Killed::NotKillable),
        };
        let mut watch = self.first_process(&container).await.and_then(|init| {
            let beginning = Beginning::at(since);
            Watch::begin(self.looks.proc_fs(), beginning, (&container, init), command)
        });
        let ended = self.end(watch.as_mut(), Request::Abandoned).await;
        ended.lived.then_some(ended.killed)
    }

    /// See [`super::Runtime::presence`].
    pub(super) async fn presence(&self, target: &Target) -> Result<Presence, RuntimeError> {
        if self.running(target).await?.is_some() {
            return Ok(Presence::Running);
        }
        let sandboxes = self.client.call(ListPodSandboxRequest {
            filter: Some(PodSandboxFilter {
                label_selector: [(UID.to_owned(), target.uid.clone())].into(),
            }),
        });
        // A sandbox that has ended counts: after a restart of the node it is all there is of a pod, for a while.
        Ok(if sandboxes.await?.items.is_empty() {
            Presence::PodGone
        } else {
            Presence::NotRunning
        })
    }

    /// See [`super::Runtime::incarnation`].
    pub(super) async fn incarnation(&self, target: &Target) -> Result<Option<String>, RuntimeError> {
        Ok(self.running(target).await?.map(|container| container.id))
    }

    async fn running(&self, target: &Target) -> Result<Option<Container>, RuntimeError> {
        let labels = [(UID, &target.uid), (CONTAINER, &target.container)];
        let list = self.client.call(ListContainersRequest {
            filter: Some(ContainerFilter {
                state: Some(ContainerStateValue {
                    state: ContainerState::Running.into(),
                }),
                label_selector: labels.map(|(key, value)| (key.to_owned(), value.clone())).into(),
            }),
        });
        let containers = list.await?.containers;
        Ok(containers
            .into_iter()
            .filter(|container| container.state() == ContainerState::Running)
            .max_by_key(|container| container.created_at))
    }

    async fn first_process(&self, container: &str) -> Option<i32> {
        let status = self.client.call(ContainerStatusRequest {
            container_id: container.to_owned(),
            verbose: true,
        });
        let info: serde_json::Value = serde_json::from_str(status.await.ok()?.info.get("info")?).ok()?;
        i32::try_from(info.get("pid")?.as_i64()?).ok()
    }

    /// Watches for ever.
    async fn follow(&self, watch: Option<&mut Watch>) -> Infallible {
        let Some(watch) = watch else {
            return std::future::pending().await;
        };
        let began = Instant::now();
        let mut pauses = FIRST_LOOKS.into_iter();
        let mut next = began;
        loop {
            next = pauses.next().map_or(next + LOOK_EVERY, |after| began + after);
            sleep_until(next).await;
            if let Ok(look) = self.looks.look().await {
                watch.see(&look);
            }
            next = next.max(Instant::now());
        }
    }

    async fn end(&self, watch: Option<&mut Watch>, request: Request) -> Ended {
        match watch {
            Some(watch) => end(&self.looks, watch, request).await,
            None => Ended::not_killable("the container's processes can't be seen from the agent"),
        }
    }

    /// The runtime answered with an error, which mostly means that nothing was started.
    async fn refused(&self, status: &Status, watch: Option<&mut Watch>) -> Finished {
        match status.code() {
            Code::ResourceExhausted => Finished::without_exit(ExecOutcome::OutputTooLarge, TOO_LARGE),
            Code::Unavailable | Code::Cancelled | Code::Internal | Code::DeadlineExceeded => {
                self.lost(status.message(), watch).await
            }
            _ => report::not_started(status.message(), &self.end(watch, Request::Over).await),
        }
    }

    /// Nobody will say how the command ended. What runs of it would go on unseen.
    async fn lost(&self, why: &str, watch: Option<&mut Watch>) -> Finished {
        report::lost(why, &self.end(watch, Request::Over).await)
    }
}
