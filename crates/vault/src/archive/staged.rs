//! A backup of Velero's as a recovery point: read once and to its end, into a folder that goes with whoever reads the point.
//! Restores, previews and whatever else reads points read backups in that way, and find a forged archive before they do anything.
//!
//! It is encrypted with a key that is nowhere but in memory: what a process that was killed leaves on a disk says nothing.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use uuid::Uuid;

use super::{Archive, ArchiveError};
use crate::point::{Attempt, BackupName, Begin, PointError, PointId, PointReader, PointResult, PointWriter};
use crate::seal::{Identity, Seal};
use crate::store::{FileStore, Store};

/// What stands for the cluster that a backup is of, which it doesn't say. No cluster is called so.
pub const CLUSTER: &str = "unknown";

/// The most that is unpacked, in bytes of JSON: several times what the largest clusters have.
const LARGEST: u64 = 8 << 30;

/// Why a backup couldn't be made a point.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// It can't be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It didn't end well.
    #[error(
        "the backup {name:?} ended as {phase:?}, and nothing is restored from such a one: use another backup"
    )]
    Unfinished {
        /// Its name.
        name: String,
        /// What it says.
        phase: String,
    },
    /// It would fill the disk.
    #[error("the backup {name:?} has objects of more than {limit} GiB, and no more are unpacked", limit = LARGEST >> 30)]
    TooLarge {
        /// Its name.
        name: String,
    },
    /// There is no place for it.
    #[error(
        "the backup can't be unpacked: {0}; it takes about twice the room of its archive in the folder for temporary files"
    )]
    Scratch(String),
}

/// Reads the whole archive, and says nothing of it where it is damaged or forged. `instance` is what the point says that it is of;
/// `scratch` is where there is room.
pub async fn stage(archive: &Archive, instance: &str, scratch: &Path) -> Result<PointReader, StageError> {
    let backup = archive.backup();
    let outcome = backup.outcome().ok_or_else(|| StageError::Unfinished {
        name: backup.name.clone(),
        phase: backup.phase.clone(),
    })?;
    let folder = FileStore::temporary(scratch).map_err(|error| unstored(&error))?;
    let store: Store = Arc::new(folder);
    let identity = Identity::generate();
    let begin = Begin {
        id: PointId::new(Uuid::new_v4().to_string()).map_err(|error| unstored(&error))?,
        attempt: Attempt::new("staged").map_err(|error| unstored(&error))?,
        cluster: CLUSTER.to_owned(),
        backup: BackupName {
            namespace: backup.namespace.clone(),
            name: backup.name.clone(),
        },
        instance: instance.to_owned(),
        started: outcome.started,
    };
    let id = begin.id.clone();
    let seal = Seal::to(vec![identity.recipient()]);
    let mut writer = PointWriter::begin(Arc::clone(&store), begin, seal).await?;
    let (mut objects, mut bytes) = (archive.objects(), 0);
    while let Some(entry) = objects.try_next().await? {
        bytes += entry.json.len() as u64;
        if bytes > LARGEST {
            let name = backup.name.clone();
            return Err(StageError::TooLarge { name });
        }
        writer.add(entry).await?;
    }
    let result = PointResult {
        finished: outcome.finished,
        phase: outcome.phase,
        unread: [].into(),
        inconsistent: [].into(),
        volumes: Vec::new(),
        first_of: [].into(),
    };
    writer.commit(result).await?;
    Ok(PointReader::open(store, &id, Some(identity)).await?)
}

impl StageError {
    /// Whether trying again may help without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Archive(error) if error.is_transient())
    }
}

impl From<PointError> for StageError {
    fn from(error: PointError) -> Self {
        unstored(&error)
    }
}

fn unstored(error: &impl ToString) -> StageError {
    StageError::Scratch(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::archive::error::Refusal;
    use crate::archive::sample;

    #[tokio::test]
    async fn a_backup_becomes_a_point_that_goes_with_its_reader() {
        let store = sample::store();
        sample::write(&store, "nightly", &sample::files()).await;
        let archive = Archive::open(store, "nightly").await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let point = stage(&archive, "old", scratch.path()).await.unwrap();
        let begin = &point.manifest().begin;
        assert_eq!((&*begin.cluster, &*begin.instance), (CLUSTER, "old"));
        assert_eq!(
            (&*begin.backup.namespace, &*begin.backup.name),
            ("velero", "nightly")
        );
        let staged: Vec<_> = point.objects(|_| true).try_collect().await.unwrap();
        let read: Vec<_> = archive.objects().try_collect().await.unwrap();
        assert!(!staged.is_empty() && staged == read, "{staged:?}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
        drop(point);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn of_a_forged_archive_and_of_one_that_failed_nothing_is_left() {
        let store = sample::store();
        let twice = [sample::files(), sample::files()].concat();
        sample::write(&store, "nightly", &twice).await;
        let archive = Archive::open(store, "nightly").await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let refused = stage(&archive, "old", scratch.path()).await;
        assert!(
            matches!(
                &refused,
                Err(StageError::Archive(ArchiveError::Refused {
                    refusal: Refusal::Twice,
                    ..
                }))
            ),
            "{refused:?}"
        );
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        let away = scratch.path().join("away");
        let refused = stage(&archive, "old", &away).await.unwrap_err();
        assert!(matches!(refused, StageError::Scratch(_)), "{refused:?}");
    }
}
