//! One running webhook process.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Result;

use super::relay::{Endpoint, Relay};
use crate::process::Warden;
use crate::{Daemon, ports};

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
    daemon: Daemon,
    address: SocketAddr,
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
            .env("POD_NAME", name)
            .envs(options.environment);
        Ok(Self {
            daemon: Daemon::start(warden, logs, name, command, admin)?,
            address,
            _endpoint: relay.add(address, admin),
        })
    }

    /// Where it serves reviews over HTTPS, without the relay.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Deref for Replica {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
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
