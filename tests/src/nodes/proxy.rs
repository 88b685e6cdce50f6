//! kube-proxy: one for all nodes, since they share a network namespace.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::node::PODS;
use crate::Cluster;
use crate::process::Process;

pub(super) fn start(cluster: &Cluster, program: &Path) -> Result<Process> {
    let kubeconfig = cluster.kubeconfig_of("system:kube-proxy", None)?;
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": { "kubeconfig": kubeconfig },
        "clusterCIDR": PODS,
        "detectLocalMode": "ClusterCIDR",
        // A pod behind the same bridge would answer its neighbour directly, past the translation.
        "iptables": { "masqueradeAll": true, "minSyncPeriod": "0s" },
        // What counts for the whole machine is left as it is.
        "conntrack": { "maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    });
    let file = cluster.folder().join("kube-proxy.json");
    fs::write(&file, config.to_string())?;
    let mut command = cluster.network()?.command(program);
    command
        .arg(format!("--config={}", file.display()))
        .arg("--hostname-override=node-1");
    Process::start(cluster.warden(), cluster.logs_dir(), "kube-proxy", command)
}
