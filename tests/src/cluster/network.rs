//! A network namespace for a cluster with nodes: bridges, addresses, rules of iptables and listeners are in it, not on
//! this machine, and go with its last process.

use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::eventually;
use crate::process::{Process, Warden};

const LIMIT: Duration = Duration::from_secs(10);

/// How many there may be at a time: each takes four addresses of 203.0.113.0/24.
const NETWORKS: u8 = 64;

/// The namespace, held by a process that does nothing, with one link to this machine.
pub(crate) struct Network {
    holder: Process,
    number: u8,
    address: Ipv4Addr,
}

impl Network {
    pub(super) async fn start(warden: &Arc<Warden>, logs: &Path) -> Result<Self> {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "sleep", "infinity"]);
        let holder = Process::start(warden, logs, "network", holder)?;
        let ours = fs::read_link("/proc/self/ns/net")?;
        let entered = eventually("the network namespace is there", LIMIT, || async {
            ensure!(fs::read_link(file(&holder))? != ours, "not yet");
            Ok(())
        });
        holder.while_running(entered).await?;
        let number = link(&holder)?;
        let network = Self {
            address: address(number, 2),
            number,
            holder,
        };
        run(Command::new("ip")
            .args(["address", "add", &format!("{}/30", address(number, 1)), "dev"])
            .arg(interface(number)))?;
        run(Command::new("ip").args(["link", "set", &interface(number), "up"]))?;
        network.ip(&["link", "set", "lo", "up"])?;
        network.ip(&[
            "address",
            "add",
            &format!("{}/30", network.address),
            "dev",
            UPLINK,
        ])?;
        network.ip(&["link", "set", UPLINK, "up"])?;
        // Whoever calls a Service needs some way to its address, before kube-proxy's rules give him another.
        network.ip(&["route", "add", SERVICES, "dev", UPLINK])?;
        // Pods of one node reach those of the other.
        run(network
            .command("sysctl")
            .args(["--quiet", "--write", "net.ipv4.ip_forward=1"]))?;
        Ok(network)
    }

    /// The address inside, by which this machine reaches it.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// This machine's end of the link.
    pub(crate) fn interface(&self) -> String {
        interface(self.number)
    }

    /// A command that runs in the namespace.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", file(&self.holder)))
            .arg("--")
            .arg(program);
        command
    }

    /// Carries a command of `ip` out inside.
    pub(crate) fn ip(&self, arguments: &[&str]) -> Result<()> {
        run(self.command("ip").args(arguments))
    }
}

/// The addresses of Services.
pub(super) const SERVICES: &str = "10.0.0.0/24";

const UPLINK: &str = "uplink";

fn file(holder: &Process) -> String {
    format!("/proc/{}/ns/net", holder.id())
}

fn interface(number: u8) -> String {
    format!("clusterbackup{number}")
}

/// This machine has the first address of each four, the namespace the second.
const fn address(number: u8, place: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, number * 4 + place)
}

/// Makes the pair of interfaces. Its number is one that no other cluster has: the kernel gives a name to one only.
fn link(holder: &Process) -> Result<u8> {
    let mut last = String::new();
    for number in 0..NETWORKS {
        let output = Command::new("ip")
            .args([
                "link",
                "add",
                &interface(number),
                "type",
                "veth",
                "peer",
                "name",
                UPLINK,
            ])
            .args(["netns", &holder.id().to_string()])
            .output()
            .context("failed to run ip")?;
        if output.status.success() {
            return Ok(number);
        }
        last = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    bail!("failed to make a pair of network interfaces: {}", last.trim())
}

/// Runs a command to its end; what it complains about is the error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let output = command
        .output()
        .with_context(|| format!("failed to run {}", program.display()))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
