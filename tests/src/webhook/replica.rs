//! One running webhook process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use super::relay::{Endpoint, Relay};
use crate::process::{Process, Warden};
use crate::{eventually, ports, probe};

/// How a replica is started.
#[derive(Clone, Debug, Default)]
pub struct ReplicaOptions {
    /// Arguments beside those of the addresses.
    pub arguments: Vec<String>,
    /// Environment beside `KUBECONFIG`.
    pub environment: Vec<(String, String)>,
    /// The most bytes of data it may have; when the kernel gives it no more, it ends. None is for no limit.
    pub memory: Option<u64>,
}

/// A webhook process; dropping it kills it.
pub struct Replica {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
    _endpoint: Endpoint,
}

impl Replica {
    pub(super) fn launch(
        program: &Path,
        name: &str,
        options: ReplicaOptions,
        kubeconfig: &PathBuf,
        logs: &Path,
        warden: &Arc<Warden>,
        relay: &Relay,
    ) -> Result<Self> {
        let (address, admin) = (ports::free()?, ports::free()?);
        let mut command = limited(program, options.memory);
        command
            .arg(format!("--listen={address}"))
            .arg(format!("--admin-listen={admin}"))
            .args(options.arguments)
            .env("KUBECONFIG", kubeconfig)
            .envs(options.environment);
        let process = Process::start(warden, logs, name, command)?;
        Ok(Self {
            process,
            address,
            admin,
            _endpoint: relay.add(address, admin),
        })
    }

    /// Where it serves reviews over HTTPS, without the relay.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves `/live`, `/ready` and `/metrics`.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it says that it is ready.
    pub async fn until_ready(&self, limit: Duration) -> Result<()> {
        let ready = eventually("the webhook is ready", limit, || async {
            let (status, body) = probe::get(self.admin, "/ready").await?;
            ensure!(status == 200, "/ready answers {status}: {}", body.trim());
            Ok(())
        });
        self.process.while_running(ready).await
    }

    /// Its metrics in Prometheus' text format.
    pub async fn metrics(&self) -> Result<String> {
        let (status, body) = probe::get(self.admin, "/metrics").await?;
        ensure!(status == 200, "/metrics answers {status}");
        Ok(body)
    }

    /// What it has logged.
    pub fn log(&self) -> Result<String> {
        let file = self.process.log();
        std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))
    }

    /// Asks it to end by SIGTERM, and waits until it has.
    pub async fn terminate(&self, limit: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::TERM)?;
        self.process.ended(limit).await
    }

    /// Kills it outright, as a node that dies does.
    pub async fn kill(&self) -> Result<ExitStatus> {
        self.process.signal(Signal::KILL)?;
        self.process.ended(Duration::from_secs(10)).await
    }

    /// Stops it by SIGSTOP: it keeps its connections and answers nobody.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Has it go on after [`Replica::pause`].
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&self, limit: Duration) -> Result<ExitStatus> {
        self.process.ended(limit).await
    }

    /// Carries `work` out, unless the process ends meanwhile: that is the error then, with the end of its log.
    pub async fn while_running<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.process.while_running(work).await
    }
}

/// The program under a limit of its data segment (its private writable memory), set by the shell that becomes it.
fn limited(program: &Path, memory: Option<u64>) -> Command {
    let Some(bytes) = memory else {
        return Command::new(program);
    };
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"ulimit -d "$0" && exec "$@""#])
        .arg((bytes >> 10).to_string())
        .arg(program);
    shell
}
