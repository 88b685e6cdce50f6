//! The CSI project's programs that stand between the API server and the driver.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::Cluster;
use crate::process::Process;
use crate::tools::CsiTools;

/// They run with every right: what they may do is not ours to test.
pub(super) struct Sidecars {
    pub(super) provisioner: Process,
    pub(super) snapshotter: Process,
    pub(super) snapshot_controller: Process,
}

impl Sidecars {
    pub(super) fn start(tools: &CsiTools, cluster: &Cluster, socket: &Path) -> Result<Self> {
        let start = |name: &str, mut command: Command, own: &[&str]| {
            command
                // The provisioner would rather believe it than its flag.
                .env_remove("KUBECONFIG")
                .arg("--kubeconfig")
                .arg(cluster.admin_kubeconfig())
                .args(["--kube-api-qps=100", "--kube-api-burst=200"])
                // The pauses between looks at whether a snapshot is ready would grow to minutes.
                .args(["--retry-interval-start=100ms", "--retry-interval-max=500ms"])
                .args(own);
            Process::start(cluster.warden(), cluster.logs_dir(), name, command)
        };
        let groups = "--feature-gates=CSIVolumeGroupSnapshot=true";
        let address = format!("--csi-address={}", socket.display());
        Ok(Self {
            provisioner: start(
                "csi-provisioner",
                Command::new(&tools.provisioner),
                &[&address, "--extra-create-metadata"],
            )?,
            snapshotter: start(
                "csi-snapshotter",
                Command::new(&tools.snapshotter),
                &[&address, "--extra-create-metadata", groups],
            )?,
            snapshot_controller: start(
                "snapshot-controller",
                Command::new(&tools.snapshot_controller),
                &[groups],
            )?,
        })
    }
}
