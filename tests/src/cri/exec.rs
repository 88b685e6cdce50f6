//! ExecSync as containerd 1.6 does it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use clusterbackup_agent::runtime::cri::messages::{ExecSyncRequest, ExecSyncResponse};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::time::timeout;
use tonic::Status;

use super::Node;

/// What is kept of a stream, and the largest answer.
const LARGEST: usize = 16 << 20;

/// Runs a command. Dropped before its end, it kills the command's first process.
pub(super) async fn run(node: &Node, request: ExecSyncRequest) -> Result<ExecSyncResponse, Status> {
    let (mut child, _leader) = start(node, &request)?;
    let streams = (child.stdout.take(), child.stderr.take());
    let limit = u64::try_from(request.timeout)
        .ok()
        .filter(|seconds| *seconds > 0)
        .map_or(Duration::MAX, Duration::from_secs);
    let (ended, stdout, stderr) = tokio::join!(ended(&mut child, limit), kept(streams.0), kept(streams.1));
    let status = ended?;
    let size = stdout.len() + stderr.len();
    if size >= LARGEST {
        return Err(Status::resource_exhausted(format!(
            "grpc: trying to send message larger than max ({size} vs. {LARGEST})"
        )));
    }
    Ok(ExecSyncResponse {
        stdout,
        stderr,
        exit_code: exit_code(status),
    })
}

fn start(node: &Node, request: &ExecSyncRequest) -> Result<(Child, impl Drop + use<>), Status> {
    let mut containers = node.containers();
    let container = containers
        .iter_mut()
        .find(|container| container.id == request.container_id)
        .ok_or_else(|| Status::not_found("an error occurred when try to find container: not found"))?;
    if !container.runs() {
        return Err(Status::unknown("container is in CONTAINER_EXITED state"));
    }
    let program = request.cmd.first().map_or("", String::as_str);
    if !container.has_program(program) {
        return Err(Status::unknown(format!(
            "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to \
             start container process: exec: \"{program}\": executable file not found in $PATH: unknown"
        )));
    }
    let mut command = container.command(&request.cmd);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = child.id().ok_or_else(|| Status::internal("it has ended"))?;
    let leader = container.processes.started(pid);
    Ok((
        child,
        leader.map_err(|error| Status::internal(error.to_string()))?,
    ))
}

/// The end of the first process. Its children are nobody's concern.
async fn ended(child: &mut Child, limit: Duration) -> Result<ExitStatus, Status> {
    if let Ok(status) = timeout(limit, child.wait()).await {
        return Ok(status?);
    }
    child.kill().await?;
    Err(Status::deadline_exceeded(format!(
        "failed to exec in container: timeout {limit:?} exceeded: context deadline exceeded"
    )))
}

/// Reads until nobody holds the stream any more, and keeps the beginning.
async fn kept(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    if let Some(mut stream) = stream {
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            let room = (LARGEST - kept.len()).min(read);
            kept.extend_from_slice(&chunk[..room]);
        }
    }
    kept
}

fn exit_code(status: ExitStatus) -> i32 {
    let by_signal = status.signal().map(|signal| 128 + signal);
    status.code().or(by_signal).unwrap_or_default()
}
