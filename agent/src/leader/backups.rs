//! The backups that are driven, and what is cleared behind them.

use std::sync::Arc;

use clusterbackup_api::Backup;
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::labels::{BACKUP_UID, NODE_TASKS};
use clusterbackup_core::cut::Group;
use kube::ResourceExt as _;
use tokio::sync::watch;
use tracing::warn;

use super::drive::drive;
use super::error::DriveError;
use super::fleet::{Crew, Driven, Fleet, Key, Orders};
use super::groups;
use super::tasks;
use super::world::World;

impl Driven for Backup {
    type Status = BackupStatus;
    type Phase = BackupPhase;

    fn status(&self) -> Option<&BackupStatus> {
        self.status.as_ref()
    }

    fn status_mut(&mut self) -> &mut Option<BackupStatus> {
        &mut self.status
    }

    fn phase(status: &BackupStatus) -> Option<BackupPhase> {
        status.phase
    }

    fn is_end(phase: BackupPhase) -> bool {
        phase.is_end()
    }

    fn is_under_way(phase: BackupPhase) -> bool {
        phase == BackupPhase::Running
    }

    fn is_cancelled(&self) -> bool {
        self.spec.cancel
    }

    fn is_held(&self) -> bool {
        let mut finalizers = self.finalizers().iter();
        finalizers.any(|finalizer| finalizer == NODE_TASKS)
    }
}

/// Drives them for as long as it is polled.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    let client = world.client.clone();
    Fleet::run(client, Backups(Arc::new(world))).await
}

struct Backups(Arc<World>);

impl Crew for Backups {
    type Object = Backup;
    /// They mostly wait for nodes.
    const AT_ONCE: usize = 32;

    fn drive(
        &self,
        key: Key,
        orders: watch::Receiver<Orders>,
    ) -> impl Future<Output = Result<(), DriveError>> + Send + 'static {
        drive(self.0.clone(), key, orders)
    }

    /// Clears what belongs to no backup: its leader died, or somebody removed it by force, before it was cleared.
    async fn sweep(&self, listed: &[Key], known: &[Key]) {
        let unneeded = |value: &str| !known.iter().any(|key| Group::is_temporary_of(value, &key.uid));
        let orphaned = |uid: &str| listed.iter().all(|key| key.uid != uid);
        self.clear(unneeded, orphaned).await;
    }

    async fn lost(&self, key: &Key) {
        let of_it = |value: &str| Group::is_temporary_of(value, &key.uid);
        self.clear(of_it, |uid| uid == key.uid).await;
    }

    fn count(&self, phases: &[Option<BackupPhase>]) {
        let count = |phase| {
            let of_it = phases.iter().filter(|known| **known == Some(phase));
            i64::try_from(of_it.count()).unwrap_or(i64::MAX)
        };
        let (planning, running) = (count(BackupPhase::Planning), count(BackupPhase::Running));
        self.0.metrics.under_way(planning, running);
    }
}

impl Backups {
    /// Takes such labels off, and removes the tasks of such backups; an agent thaws what it has frozen for one.
    async fn clear(&self, unneeded: impl Fn(&str) -> bool, orphaned: impl Fn(&str) -> bool) {
        if let Err(error) = groups::take_off(&self.0.client, unneeded).await {
            warn!(%error, "sweeping temporary labels");
        }
        if let Err(error) = tasks::remove_of(&self.0.tasks(), BACKUP_UID, orphaned).await {
            warn!(%error, "sweeping NodeTasks");
        }
    }
}
