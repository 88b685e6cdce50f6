//! Commands through the API server (`pods/exec`), where the runtime's socket may not be mounted.
//!
//! Nobody can end a command that was started this way: closing the connection leaves it running. So one that takes
//! too long is reported as not killable, and whoever reads that must expect it to go on.

use std::time::Duration;

use clusterbackup_api::node_task::{ExecOutcome, Killed};
use clusterbackup_core::duration::Span;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Client;
use kube::api::{Api as Objects, AttachParams};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::tail::Ending;
use super::{Call, Finished, Presence, RuntimeError, Target};

/// How the API server is called in messages.
const SERVER: &str = "the API server";
const LIMIT: Duration = Duration::from_secs(10);
/// What is read of a stream at once.
const CHUNK: usize = 4 << 10;

/// The API server, as a way into containers.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// The API server that `client` talks to.
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// See [`super::Runtime::exec_until`].
    pub(super) async fn exec(&self, call: Call<'_>, stop: impl Future<Output = ()>) -> Finished {
        let Call {
            target,
            command,
            limit,
        } = call;
        match self.presence(target).await {
            Ok(Presence::Running) => {}
            Ok(Presence::NotRunning) => {
                return not_started(format!("the container {} does not run", target.container));
            }
            Ok(Presence::PodGone) => return not_started(format!("the pod {} is gone", target.pod)),
            Err(error) => return not_started(error.to_string()),
        }
        tokio::select! {
            finished = self.run(target, command) => finished,
            () = tokio::time::sleep(limit) => goes_on(&format!("it took longer than {}", Span::from(limit))),
            () = stop => goes_on("it was to end early"),
        }
    }

    /// See [`super::Runtime::end_leftovers`]: nobody knows, and nobody can.
    pub(super) async fn end_leftovers(&self, target: &Target) -> Option<Killed> {
        match self.presence(target).await {
            Ok(Presence::NotRunning | Presence::PodGone) => None,
            Ok(Presence::Running) | Err(_) => Some(Killed::NotKillable),
        }
    }

    /// See [`super::Runtime::presence`].
    pub(super) async fn presence(&self, target: &Target) -> Result<Presence, RuntimeError> {
        Ok(presence_of(self.pod(target).await?.as_ref(), target))
    }

    /// See [`super::Runtime::incarnation`].
    pub(super) async fn incarnation(&self, target: &Target) -> Result<Option<String>, RuntimeError> {
        let pod = self.pod(target).await?;
        let container = pod.as_ref().and_then(|pod| running(pod, target));
        Ok(container.and_then(|container| container.container_id.clone()))
    }

    async fn pod(&self, target: &Target) -> Result<Option<Pod>, RuntimeError> {
        let pods: Objects<Pod> = Objects::namespaced(self.client.clone(), &target.namespace);
        timeout(LIMIT, pods.get_opt(&target.pod))
            .await
            .map_err(|_| RuntimeError::Silent(SERVER, LIMIT))?
            .map_err(|error| match error {
                kube::Error::Api(status) => RuntimeError::Refused(SERVER, status.message),
                other => RuntimeError::Unreachable(SERVER, other.to_string()),
            })
    }

    async fn run(&self, target: &Target, command: &[String]) -> Finished {
        let pods: Objects<Pod> = Objects::namespaced(self.client.clone(), &target.namespace);
        let how = AttachParams::default()
            .container(&target.container)
            .stdin(false)
            .stdout(true)
            .stderr(true);
        let mut process = match pods.exec(&target.pod, command, &how).await {
            Ok(process) => process,
            Err(kube::Error::Api(status)) => return not_started(status.message),
            Err(kube::Error::UpgradeConnection(error)) => return not_started(error.to_string()),
            Err(error) => return lost(error.to_string()),
        };
        let status = process.take_status();
        let (stdout, stderr) = tokio::join!(drained(process.stdout()), drained(process.stderr()));
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        finished(status).writing(&stdout, &stderr)
    }
}

/// Reads to the end and keeps the end.
async fn drained(stream: Option<impl AsyncRead + Unpin>) -> Ending {
    let mut ending = Ending::default();
    let mut chunk = [0; CHUNK];
    if let Some(mut stream) = stream {
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            ending.push(&chunk[..read]);
        }
    }
    ending
}

fn presence_of(pod: Option<&Pod>, target: &Target) -> Presence {
    match pod.filter(|pod| pod.metadata.uid.as_ref() == Some(&target.uid)) {
        None => Presence::PodGone,
        Some(pod) if running(pod, target).is_some() => Presence::Running,
        Some(_) => Presence::NotRunning,
    }
}

/// The container, if it runs.
fn running<'a>(pod: &'a Pod, target: &Target) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let sidecars = status.init_container_statuses.iter();
    let mut containers = sidecars.chain(&status.container_statuses).flatten();
    containers.find(|container| {
        let state = container.state.as_ref();
        container.name == target.container && state.is_some_and(|state| state.running.is_some())
    })
}

/// What kubelet says of a command at its end.
fn finished(status: Option<Status>) -> Finished {
    let Some(status) = status else {
        return lost("the connection to the API server broke, so what came of it is not known".to_owned());
    };
    if status.status.as_deref() == Some("Success") {
        return Finished::with_exit(0);
    }
    let causes = status
        .details
        .and_then(|details| details.causes)
        .unwrap_or_default();
    let exit_code = causes
        .into_iter()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .and_then(|cause| cause.message?.parse().ok());
    match exit_code {
        Some(code) => Finished::with_exit(code),
        None => not_started(status.message.unwrap_or_default()),
    }
}

fn not_started(why: String) -> Finished {
    Finished::without_exit(ExecOutcome::NotStarted, why)
}

fn goes_on(why: &str) -> Finished {
    at_large(
        ExecOutcome::TimedOut,
        format!("{why}, and goes on: a command through the API server can't be ended"),
    )
}

/// It may have begun, and may go on.
fn lost(why: String) -> Finished {
    at_large(ExecOutcome::Lost, why)
}

fn at_large(outcome: ExecOutcome, message: String) -> Finished {
    Finished {
        killed: Some(Killed::NotKillable),
        ..Finished::without_exit(outcome, message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target() -> Target {
        Target {
            namespace: "shop".to_owned(),
            pod: "db-0".to_owned(),
            uid: "u1".to_owned(),
            container: "db".to_owned(),
        }
    }

    #[test]
    fn a_container_is_there_if_it_runs_in_the_pod_with_that_uid() {
        let running = json!([{ "name": "db", "state": { "running": {} } }]);
        let waiting = json!([{ "name": "db", "state": { "waiting": {} } }]);
        for (uid, kind, statuses, presence) in [
            ("u1", "containerStatuses", &running, Presence::Running),
            ("u1", "initContainerStatuses", &running, Presence::Running),
            ("u1", "containerStatuses", &waiting, Presence::NotRunning),
            ("u1", "containerStatuses", &json!([]), Presence::NotRunning),
            ("u2", "containerStatuses", &running, Presence::PodGone),
        ] {
            let statuses: Vec<serde_json::Value> = statuses
                .as_array()
                .unwrap()
                .iter()
                .map(|status| {
                    let mut whole = json!({ "image": "", "imageID": "", "ready": true, "restartCount": 0 });
                    whole
                        .as_object_mut()
                        .unwrap()
                        .extend(status.as_object().unwrap().clone());
                    whole
                })
                .collect();
            let pod = json!({ "metadata": { "uid": uid }, "status": { kind: statuses } });
            let pod = serde_json::from_value(pod).unwrap();
            assert_eq!(presence_of(Some(&pod), &target()), presence, "{uid} {kind}");
        }
        assert_eq!(presence_of(None, &target()), Presence::PodGone);
    }

    #[test]
    fn the_end_is_what_kubelet_says() {
        let exit = json!({ "status": "Failure", "reason": "NonZeroExitCode",
            "details": { "causes": [{ "reason": "ExitCode", "message": "7" }] } });
        let missing = json!({ "status": "Failure", "reason": "InternalError", "message": "no such file" });
        for (status, outcome, exit_code, killed) in [
            (
                Some(json!({ "status": "Success" })),
                ExecOutcome::Succeeded,
                Some(0),
                None,
            ),
            (Some(exit), ExecOutcome::Failed, Some(7), None),
            (Some(missing), ExecOutcome::NotStarted, None, None),
            (None, ExecOutcome::Lost, None, Some(Killed::NotKillable)),
        ] {
            let end = finished(status.map(|status| serde_json::from_value(status).unwrap()));
            assert_eq!(
                (end.outcome, end.exit_code, end.killed),
                (outcome, exit_code, killed)
            );
        }
    }

    #[tokio::test]
    async fn of_a_long_stream_only_the_end_is_kept() {
        let stream = tokio::io::repeat(b'x').take(100 << 20);
        let ending = drained(Some(stream)).await;
        assert_eq!(ending.total(), 100 << 20);
    }
}
