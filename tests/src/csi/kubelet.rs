//! The kubelets that the driver serves: its sockets lie in their folders, and it mounts in their namespaces.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use k8s_openapi::api::storage::v1::CSINode;
use kube::{Api, Client};
use serde::Serialize;

use super::classes::DRIVER;
use crate::nodes::Node;

const FOLDER: &str = "/var/lib/kubelet";

/// What the driver is told of a kubelet (`config.go`).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kubelet {
    name: String,
    socket: PathBuf,
    endpoint: String,
    registration: PathBuf,
    mount_namespace: PathBuf,
}

impl Kubelet {
    pub(super) fn of(node: &Node) -> Self {
        let endpoint = format!("{FOLDER}/plugins/{DRIVER}/csi.sock");
        Self {
            name: node.name().to_owned(),
            socket: node.path(&endpoint),
            endpoint,
            registration: node.path(&format!("{FOLDER}/plugins_registry/{DRIVER}-reg.sock")),
            mount_namespace: node.mount_namespace(),
        }
    }
}

/// Fails as long as there is a node whose kubelet doesn't know the driver.
pub(super) async fn all_know(admin: &Client, nodes: &[Node]) -> Result<()> {
    for node in nodes {
        let known = Api::<CSINode>::all(admin.clone()).get(node.name()).await?;
        let drivers = known.spec.drivers;
        ensure!(
            drivers.iter().any(|driver| driver.name == DRIVER),
            "that of {} knows {drivers:?}",
            node.name()
        );
    }
    Ok(())
}
