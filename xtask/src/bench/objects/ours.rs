//! Our side: a leader that backs an instance up.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::{Backup, BackupInstance, BackupSpec, BackupVault, RecoveryPoint};
use clusterbackup_tests::leader::{Leaders, leads};
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::{Cluster, TestNamespace, eventually};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

const LIMIT: Duration = Duration::from_mins(10);
/// The name of everything there is one of.
const NAME: &str = "bench";

/// A cluster with an instance that names a vault in a folder.
pub(super) struct Ground {
    leaders: Leaders,
    /// Where the objects are.
    pub(super) namespace: TestNamespace,
    home: TestNamespace,
    pub(super) cluster: Cluster,
}

/// One backup.
pub(super) struct Measured {
    /// From the first sight of it to its end.
    pub(super) took: Duration,
    pub(super) objects: u64,
    /// The objects' JSON.
    pub(super) bytes: f64,
    /// What of that lies in the vault.
    pub(super) stored: f64,
    /// The most that the leader had in memory, in MB.
    pub(super) memory: f64,
}

impl Ground {
    pub(super) async fn set_up(cluster: Cluster) -> Result<Self> {
        let ground = Self {
            leaders: Leaders::install(&cluster).await?,
            namespace: cluster.namespace("bench").await?,
            home: cluster.namespace("home").await?,
            cluster,
        };
        let folder = ground.leaders.vaults().join(NAME);
        fs::create_dir_all(&folder)?;
        let vault: BackupVault = serde_json::from_value(json!({
            "metadata": { "name": NAME },
            "spec": { "operational": { "fileSystem": { "path": folder } } },
        }))?;
        let instance: BackupInstance = serde_json::from_value(json!({
            "metadata": { "name": NAME },
            "spec": {
                "includedNamespaces": [ground.namespace.name()],
                "vault": NAME,
                "snapshotVolumes": false,
                "requester": { "username": "admin", "groups": ["system:masters"] },
            },
        }))?;
        let create = PostParams::default();
        ground.home.api().create(&create, &vault).await?;
        ground.home.api().create(&create, &instance).await?;
        Ok(ground)
    }

    /// Has a new leader make a backup, and removes what came of it.
    pub(super) async fn back_up(&self) -> Result<Measured> {
        let leader = self.leaders.start().await?;
        leads(&leader).await?;
        let backups = self.home.api::<Backup>();
        let spec = BackupSpec {
            instance: NAME.to_owned(),
            cancel: false,
        };
        backups
            .create(&PostParams::default(), &Backup::new(NAME, spec))
            .await?;
        let status = eventually("the backup is complete", LIMIT, || async {
            let status = backups.get(NAME).await?.status.unwrap_or_default();
            ensure!(status.finished_at.is_some(), "{status:#?}");
            Ok(status)
        })
        .await?;
        ensure!(status.phase == Some(BackupPhase::Completed), "{status:#?}");
        let memory = Memory::of(leader.process_id())?.most;
        let name = status
            .recovery_point
            .clone()
            .context("there is no recovery point")?;
        let point = self.home.api::<RecoveryPoint>().get(&name).await?;
        let measured = Measured {
            took: took(&status)?,
            objects: point.spec.objects,
            bytes: megabytes(point.spec.bytes),
            stored: megabytes(point.spec.stored_bytes),
            memory,
        };
        self.clear(&name).await?;
        leader.terminate(LIMIT).await?;
        Ok(measured)
    }

    async fn clear(&self, point: &str) -> Result<()> {
        let vault = self.leaders.vaults().join(NAME);
        fs::remove_dir_all(vault.join("data").join(point))?;
        fs::remove_file(vault.join("catalogue").join(format!("{point}.json")))?;
        let backups = self.home.api::<Backup>();
        backups.delete(NAME, &DeleteParams::default()).await?;
        eventually("the backup is gone", LIMIT, || async {
            ensure!(backups.get_opt(NAME).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }
}

/// From its first sight to its end.
fn took(status: &BackupStatus) -> Result<Duration> {
    let (Some(began), Some(ended)) = (&status.started_at, &status.finished_at) else {
        bail!("it has not ended");
    };
    Ok(ended.0.duration_since(began.0).try_into()?)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
