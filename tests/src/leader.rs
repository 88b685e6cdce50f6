//! Candidates for the leader as processes of this machine, under the shipped ServiceAccount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::process::Warden;
use crate::{Cluster, Daemon, agent, eventually, manifests, ports, program, webhook};

/// The name of the Deployment, of the ServiceAccount and of the Lease.
pub const NAME: &str = "clusterbackup-leader";

const LIMIT: Duration = Duration::from_secs(30);

/// What candidates need in a cluster.
pub struct Leaders {
    kubeconfig: PathBuf,
    logs: PathBuf,
    vaults: PathBuf,
    warden: Arc<Warden>,
    started: AtomicU32,
}

impl Leaders {
    /// Applies the shipped manifests that a leader needs: the kinds, namespaces and rights. None runs afterwards.
    pub async fn install(cluster: &Cluster) -> Result<Self> {
        let own: Namespace = serde_json::from_value(json!({ "metadata": { "name": webhook::NAMESPACE } }))?;
        let namespaces = Api::<Namespace>::all(cluster.admin());
        // A webhook may have been installed before.
        if namespaces.get_opt(webhook::NAMESPACE).await?.is_none() {
            namespaces.create(&PostParams::default(), &own).await?;
        }
        manifests::apply(cluster, "crds", &["hook-kinds"]).await?;
        agent::install(cluster).await?;
        manifests::apply(cluster, "base/leader", &[]).await?;
        let vaults = cluster.folder().join("vaults");
        fs::create_dir_all(&vaults)?;
        Ok(Self {
            vaults,
            kubeconfig: cluster.kubeconfig_for(webhook::NAMESPACE, NAME).await?,
            logs: cluster.logs_dir().to_owned(),
            warden: Arc::clone(cluster.warden()),
            started: AtomicU32::new(0),
        })
    }

    /// The folder below which they have vaults.
    pub fn vaults(&self) -> &Path {
        &self.vaults
    }

    /// Starts a candidate, and waits until it has seen the Lease.
    pub async fn start(&self) -> Result<Daemon> {
        self.start_with(&[]).await
    }

    /// The same, with these variables in its environment.
    pub async fn start_with(&self, environment: &[(&str, &str)]) -> Result<Daemon> {
        let program = program::AGENT.built().await?;
        let admin = ports::free()?;
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let name = format!("leader-{number}");
        let scratch = self.vaults.with_file_name(format!("{name}-scratch"));
        fs::create_dir_all(&scratch)?;
        let mut command = Command::new(program);
        command
            .arg("leader")
            .arg(format!("--admin-listen={admin}"))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("FILE_VAULTS", &self.vaults)
            .env("SCRATCH", &scratch)
            .env("POD_NAME", &name)
            .env("POD_UID", format!("{name}-uid"))
            .envs(environment.iter().copied());
        let daemon = Daemon::start(&self.warden, &self.logs, &name, command, admin)?;
        daemon.until_ready(LIMIT).await?;
        Ok(daemon)
    }
}

/// Waits until a candidate leads.
pub async fn leads(candidate: &Daemon) -> Result<()> {
    eventually("the candidate leads", LIMIT, || async {
        let counts = candidate.counts().await?;
        ensure!(counts.get("clusterbackup_leader_leading") == 1, "it follows");
        Ok(())
    })
    .await
}

/// Waits until one that was leading notices that it doesn't any more.
pub async fn loses(candidate: &Daemon) -> Result<()> {
    eventually(
        "the candidate notices that it leads no more",
        2 * LIMIT,
        || async {
            let counts = candidate.counts().await?;
            let lost = counts.get("clusterbackup_leader_transitions_total{kind=\"lost\"}");
            ensure!(lost == 1, "{counts:?}");
            Ok(())
        },
    )
    .await
}
