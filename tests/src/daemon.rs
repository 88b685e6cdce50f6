//! A program of ours that runs: a process, and the address where it serves `/live`, `/ready` and `/metrics`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use crate::metrics::Counts;
use crate::process::{Process, Warden};
use crate::{eventually, probe};

/// Webhook, agent, watchdog or a candidate for the leader; dropping it kills it.
pub struct Daemon {
    process: Process,
    admin: SocketAddr,
}

impl Daemon {
    /// Starts it by a command that names `admin` as its address; what it says stands in `<logs>/<name>.log`.
    pub(crate) fn start(
        warden: &Arc<Warden>,
        logs: &Path,
        name: &str,
        command: Command,
        admin: SocketAddr,
    ) -> Result<Self> {
        Ok(Self {
            process: Process::start(warden, logs, name, command)?,
            admin,
        })
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
        let ready = eventually("it is ready", limit, || async {
            let (status, body) = probe::get(self.admin, "/ready").await?;
            ensure!(status == 200, "/ready answers {status}: {}", body.trim());
            Ok(())
        });
        self.process.while_running(ready).await
    }

    /// Its counts.
    pub async fn counts(&self) -> Result<Counts> {
        Counts::parse(&self.metrics().await?)
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

    /// Has it go on after [`Daemon::pause`].
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
