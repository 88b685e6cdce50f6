//! One node: containerd and a kubelet, in process and mount namespaces of their own. Paths are the usual ones, such as
//! `/run/containerd`: what lies there is the node's.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{cgroup, containerd};
use crate::image::Image;
use crate::process::Process;
use crate::{Cluster, cluster, eventually};

const LIMIT: Duration = Duration::from_mins(1);

/// In a node's folder: the link to the namespaces of its first process, and what that one makes when they are as they
/// should be.
const NAMESPACES: &str = "namespaces";
const READY: &str = "ready";

/// The addresses of all pods; each node has a part of them.
pub(super) const PODS: &str = "10.88.0.0/16";

/// The first process of the namespaces. What ends without a parent becomes its child, hence `wait`.
///
/// A kubelet changes settings of the kernel, for the whole machine, unless they are as it wants: here they seem so. And a
/// boot has an id of its own, as on a machine of its own.
const FIRST: &str = r#"
set -e
cd "$1"
for place in run var/lib var/log; do mount --bind "$place" "/$place"; done
while read -r setting value; do
  echo "$value" > kernel/${setting##*/}
  mount --bind kernel/${setting##*/} "/proc/sys/$setting"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
kernel/random/boot_id $(cat /proc/sys/kernel/random/uuid)
END
mount --make-rshared /
touch ready
sleep infinity & wait
"#;

/// A running node. Dropped in this order; with the namespaces everything ends that still runs in them.
pub struct Node {
    name: String,
    folder: PathBuf,
    /// The name of its control group.
    pub(super) group: String,
    pub(super) kubelet: Process,
    pub(super) containerd: Process,
    namespaces: Process,
}

impl Node {
    pub(super) async fn start(cluster: &Cluster, kubelet: &Path, number: u8) -> Result<Self> {
        let name = format!("node-{number}");
        let folder = cluster.folder().join(&name);
        let id = cluster.folder().file_name().context("the folder has no name")?;
        let group = format!("{}-{name}", id.display());
        cgroup::create(cluster.warden(), &group)?;
        let start = |what: &str, command| {
            let log = format!("{name}-{what}");
            Process::start(cluster.warden(), cluster.logs_dir(), &log, command)
        };
        let namespaces = start("namespaces", namespaces(cluster, &folder)?)?;
        until_entered(&namespaces, &folder).await?;

        let mut runtime = inside(&folder, "containerd");
        runtime.arg("--config").arg(containerd::config(&folder, number)?);
        let containerd = start("containerd", runtime)?;
        containerd::until_serving(&containerd, &folder).await?;

        let kubelet = inside(&folder, kubelet);
        let kubelet = start(
            "kubelet",
            kubelet_command(cluster, kubelet, &folder, &group, number)?,
        )?;
        Ok(Self {
            name,
            folder,
            group,
            kubelet,
            containerd,
            namespaces,
        })
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A process in whose mount namespace the node is. Its child is the first process of the node's process namespace.
    pub fn process_id(&self) -> u32 {
        self.namespaces.id()
    }

    /// The file of its mount namespace, also after the next boot.
    pub(crate) fn mount_namespace(&self) -> PathBuf {
        self.folder.join(NAMESPACES).join("mnt")
    }

    /// Takes its power: everything that runs on it is gone at once. What it has on its disk stays.
    pub fn lose_power(&self) -> Result<()> {
        self.namespaces.end()?;
        self.containerd.end()?;
        self.kubelet.end()
    }

    /// Starts it again after it has lost its power.
    pub async fn boot(&mut self) -> Result<()> {
        cgroup::clear(&self.group).await?;
        fs::remove_file(self.folder.join(READY))?;
        let run = self.folder.join("run");
        fs::remove_dir_all(&run)?;
        fs::create_dir(&run)?;
        self.namespaces.start_again()?;
        until_entered(&self.namespaces, &self.folder).await?;
        self.containerd.start_again()?;
        containerd::until_serving(&self.containerd, &self.folder).await?;
        self.kubelet.start_again()
    }

    /// Where on this machine that is which the node knows by a path in `/run`, `/var/lib` or `/var/log`.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside.trim_start_matches('/'))
    }

    /// A command that runs on the node. Its working folder is `/`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        inside(&self.folder, program)
    }

    /// Runs a command on the node to its end; its standard output.
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(program);
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(
            output.status.success(),
            "{program} on {} ended with {}: {}",
            self.name,
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Puts an image onto it.
    pub async fn load(&self, image: &Image) -> Result<()> {
        let mut command = self.command("ctr");
        command.args(["--namespace", "k8s.io", "images", "import", "-"]);
        command.stdin(fs::File::open(image.file())?);
        tokio::task::spawn_blocking(move || cluster::run(&mut command))
            .await?
            .with_context(|| format!("failed to load {} onto {}", image.tag(), self.name))
    }

    /// The kubelet, to kill it and to start it again.
    pub fn kubelet(&mut self) -> &mut Process {
        &mut self.kubelet
    }

    /// containerd, to kill it and to start it again; its containers go on.
    pub fn containerd(&mut self) -> &mut Process {
        &mut self.containerd
    }
}

fn namespaces(cluster: &Cluster, folder: &Path) -> Result<Command> {
    for part in ["run", "var/lib", "var/log", "kernel"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let mut command = cluster.network()?.command("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", FIRST, "clusterbackup-node"])
        .arg(folder);
    Ok(command)
}

/// Waits until they are as they should be, and has the link name them.
async fn until_entered(namespaces: &Process, folder: &Path) -> Result<()> {
    let entered = eventually("the namespaces are there", LIMIT, || async {
        ensure!(folder.join(READY).exists(), "not yet");
        Ok(())
    });
    namespaces.while_running(entered).await?;
    let link = folder.join(NAMESPACES);
    if link.is_symlink() {
        fs::remove_file(&link)?;
    }
    std::os::unix::fs::symlink(format!("/proc/{}/ns", namespaces.id()), link)?;
    Ok(())
}

/// Named by the link, so that the same command starts it again after a boot.
fn inside(folder: &Path, program: impl AsRef<OsStr>) -> Command {
    let namespace = |option: &str, name: &str| {
        let mut argument = OsString::from(format!("--{option}="));
        argument.push(folder.join(NAMESPACES).join(name));
        argument
    };
    let mut command = Command::new("nsenter");
    command
        .arg(namespace("net", "net"))
        .arg(namespace("mount", "mnt"))
        .arg(namespace("pid", "pid_for_children"))
        .arg("--")
        .arg(program);
    command
}

fn kubelet_command(
    cluster: &Cluster,
    mut command: Command,
    folder: &Path,
    group: &str,
    number: u8,
) -> Result<Command> {
    let name = format!("node-{number}");
    let address = format!("198.51.100.{number}");
    // The kernel may have no dummy interfaces; every one has a loopback, and a node's address may not be of 127/8.
    cluster
        .network()?
        .ip(&["address", "add", &format!("{address}/32"), "dev", "lo"])?;
    let user = format!("system:node:{name}");
    let identity = cluster
        .pki()
        .serving(&user, Some("system:nodes"), vec![name.clone(), address.clone()])?;
    cluster.pki().write_identity(&name, &identity)?;
    let kubeconfig = cluster.kubeconfig_of(&user, Some("system:nodes"))?;
    let config = folder.join("kubelet.json");
    fs::write(
        &config,
        kubelet_config(cluster, &name, &address, group).to_string(),
    )?;
    command
        .arg(format!("--config={}", config.display()))
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--hostname-override={name}"))
        .arg(format!("--node-ip={address}"));
    Ok(command)
}

fn kubelet_config(cluster: &Cluster, name: &str, address: &str, group: &str) -> Value {
    let file = |name: &str| cluster.pki().file(name);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "healthzPort": 0,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": file("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": file(&format!("{name}.crt")),
        "tlsPrivateKeyFile": file(&format!("{name}.key")),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{group}"),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": [],
        "makeIPTablesUtilChains": false,
        // The machine is somebody else's: neither its load nor a full disk is a reason to remove pods.
        "evictionHard": { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "2s",
    })
}
