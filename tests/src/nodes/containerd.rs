//! The container runtime of a node: its configuration, and what it does to every container.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::eventually;
use crate::process::Process;

const LIMIT: Duration = Duration::from_mins(1);

/// A container has a `/proc` of its own, which shows the boot of the machine and not that of the node. Run in the root of
/// each container before it is entered, with the node's mounts still in sight.
const SHOW_BOOT: &str = "mount --bind /proc/sys/kernel/random/boot_id proc/sys/kernel/random/boot_id";

/// Writes the configuration of the node with that number.
pub(super) fn config(folder: &Path, number: u8) -> Result<PathBuf> {
    // Without the right to lower a process' oom_score_adj, which root in a container lacks, runc would fail.
    let config = format!(
        r#"version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/library/pause:1"
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "{}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{}"
"#,
        container(folder)?.display(),
        networks(folder, number)?.display(),
    );
    let file = folder.join("containerd.toml");
    fs::write(&file, config)?;
    Ok(file)
}

/// Waits until it answers.
pub(super) async fn until_serving(containerd: &Process, folder: &Path) -> Result<()> {
    let socket = folder.join("run/containerd/containerd.sock");
    let serving = eventually("containerd serves", LIMIT, || async {
        tokio::net::UnixStream::connect(&socket).await?;
        Ok(())
    });
    containerd.while_running(serving).await
}

/// What a container is before it is said what it should be: the usual, and the node's boot.
fn container(folder: &Path) -> Result<PathBuf> {
    let usual = Command::new("ctr")
        .args(["oci", "spec"])
        .output()
        .context("failed to run ctr")?;
    ensure!(
        usual.status.success(),
        "ctr oci spec ended with {}: {}",
        usual.status,
        String::from_utf8_lossy(&usual.stderr).trim()
    );
    let mut spec: Value = serde_json::from_slice(&usual.stdout)?;
    spec["hooks"] = json!({
        "createContainer": [{
            "path": "/bin/sh",
            "args": ["sh", "-c", SHOW_BOOT],
            "env": ["PATH=/usr/bin:/bin"],
        }],
    });
    let file = folder.join("container.json");
    fs::write(&file, spec.to_string())?;
    Ok(file)
}

fn networks(folder: &Path, number: u8) -> Result<PathBuf> {
    let networks = folder.join("networks");
    fs::create_dir(&networks)?;
    let bridge = json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": format!("pods-{number}"),
            "isGateway": true,
            "ipMasq": false,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{ "subnet": format!("10.88.{number}.0/24") }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    });
    fs::write(networks.join("pods.conflist"), bridge.to_string())?;
    Ok(networks)
}
