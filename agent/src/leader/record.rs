//! The Backup that is driven: its status is written at most once a second, changes of the phase at once, and only
//! as long as nobody else writes it.

use std::time::Duration;

use clusterbackup_api::{Backup, BackupStatus};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::Instant;

use super::error::{Doing as _, DriveError, OrGone as _};

/// Between two writes that change no phase.
const PAUSE: Duration = Duration::from_secs(1);
/// Someone else changes spec or metadata meanwhile now and then, never without end.
const ATTEMPTS: u32 = 10;

/// A backup, and when its status was written.
pub(super) struct Record {
    api: Api<Backup>,
    backup: Backup,
    written: Option<Instant>,
}

impl Record {
    /// The backup as it stands in the cluster; none if it is gone, or another one has its name.
    pub(super) async fn read(
        client: Client,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<Option<Self>, DriveError> {
        let api = Api::<Backup>::namespaced(client, namespace);
        let backup = api.get_opt(name).await.doing("read the Backup")?;
        Ok(backup
            .filter(|backup| backup.uid().as_deref() == Some(uid))
            .map(|backup| Self {
                api,
                backup,
                written: None,
            }))
    }

    /// The backup as last read or written.
    pub(super) fn backup(&self) -> &Backup {
        &self.backup
    }

    /// Its status.
    pub(super) fn status(&self) -> BackupStatus {
        self.backup.status.clone().unwrap_or_default()
    }

    /// When `status` may be written, `now` at the earliest: `None` when there is nothing to write.
    pub(super) fn due(&self, status: &BackupStatus, now: Instant) -> Option<Instant> {
        let current = self.backup.status.as_ref();
        if current == Some(status) {
            return None;
        }
        let same_phase = current.and_then(|current| current.phase) == status.phase;
        Some(match self.written {
            Some(written) if same_phase => now.max(written + PAUSE),
            _ => now,
        })
    }

    /// Writes the status.
    pub(super) async fn write(&mut self, status: BackupStatus) -> Result<(), DriveError> {
        let name = self.backup.name_any();
        for _ in 0..ATTEMPTS {
            let mut wanted = self.backup.clone();
            wanted.status = Some(status.clone());
            match self
                .api
                .replace_status(&name, &PostParams::default(), &wanted)
                .await
            {
                Ok(backup) => {
                    self.backup = backup;
                    self.written = Some(Instant::now());
                    return Ok(());
                }
                Err(kube::Error::Api(answer)) if answer.code == 409 => self.read_again().await?,
                Err(error) => return Err(error).doing("write the status of the Backup"),
            }
        }
        Err(DriveError::Superseded)
    }

    /// Reads what changed: spec and metadata are other people's, the status is ours alone.
    async fn read_again(&mut self) -> Result<(), DriveError> {
        let name = self.backup.name_any();
        let current = self.api.get(&name).await.doing("read the Backup")?;
        if current.uid() != self.backup.uid() || current.status != self.backup.status {
            return Err(DriveError::Superseded);
        }
        self.backup = current;
        Ok(())
    }

    /// Puts the finalizer on, or takes it off.
    pub(super) async fn set_finalizer(&mut self, finalizer: &str, wanted: bool) -> Result<(), DriveError> {
        for _ in 0..ATTEMPTS {
            let present = self.backup.finalizers().iter().any(|known| known == finalizer);
            if present == wanted {
                return Ok(());
            }
            let mut finalizers = self.backup.finalizers().to_vec();
            finalizers.retain(|known| known != finalizer);
            if wanted {
                finalizers.push(finalizer.to_owned());
            }
            let metadata =
                json!({ "resourceVersion": self.backup.resource_version(), "finalizers": finalizers });
            let patch = Patch::Merge(json!({ "metadata": metadata }));
            let name = self.backup.name_any();
            match self
                .api
                .patch(&name, &PatchParams::default(), &patch)
                .await
                .or_gone()
            {
                Ok(Some(backup)) => self.backup = backup,
                Ok(None) => return Ok(()),
                Err(kube::Error::Api(answer)) if answer.code == 409 => self.read_again().await?,
                Err(error) => return Err(error).doing("set the finalizer of the Backup"),
            }
        }
        Err(DriveError::Superseded)
    }
}
