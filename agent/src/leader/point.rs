//! A recovery point of a backup: one attempt at it, and its commit.

use std::collections::BTreeSet;

use clusterbackup_api::Backup;
use clusterbackup_api::backup::{BackupPhase, ObjectCounts, VolumeReport};
use clusterbackup_core::retention::Period;
use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{
    Attempt, BackupName, Begin, LogLevel, LogLine, Manifest, PointId, PointPhase, PointResult, PointVolume,
    PointWriter, Snapshot,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;

use super::error::{Doing as _, DriveError};
use super::objects::{self, Stored, Task};
use super::point_failure::PointFailure;
use super::vault::OpenVault;

/// A point whose objects are stored, and that is not committed.
pub(super) struct Draft {
    begun: Begin,
    stored: Stored,
}

/// Begins a point and stores all objects in it.
pub(super) async fn draft(
    vault: &OpenVault,
    backup: &Backup,
    task: &Task<'_>,
    epoch: i64,
    progress: watch::Sender<ObjectCounts>,
) -> Result<Draft, PointFailure> {
    let begun = begin(backup, task.client, epoch).await?;
    let writer = PointWriter::begin(vault.store().clone(), begun.clone(), vault.seal.clone()).await?;
    let stored = objects::store(task, writer, progress).await?;
    Ok(Draft { begun, stored })
}

/// The point of the backup, if it was committed.
pub(super) async fn find(vault: &OpenVault, backup: &Backup) -> Result<Option<Manifest>, PointFailure> {
    Ok(catalogue::find(vault.store(), &id(backup)?).await?)
}

impl Draft {
    /// What is not in it that should be.
    pub(super) fn warnings(&self) -> Vec<String> {
        let stored = &self.stored;
        let unread = stored.unread.iter().map(|(kind, reasons)| {
            let reasons: Vec<_> = reasons.iter().map(String::as_str).collect();
            unread(kind, &reasons.join("; "))
        });
        let inconsistent = stored.inconsistent.iter().map(|kind| inconsistent(kind));
        unread
            .chain(inconsistent)
            .chain(stored.remarks.iter().cloned())
            .collect()
    }

    /// What was counted.
    pub(super) fn counts(&self) -> ObjectCounts {
        self.stored.counts
    }

    /// How it began.
    pub(super) const fn begun(&self) -> &Begin {
        &self.begun
    }

    /// Makes a point of it.
    pub(super) async fn commit(
        self,
        phase: BackupPhase,
        volumes: &[VolumeReport],
        warnings: &[String],
        first_of: BTreeSet<Period>,
    ) -> Result<Manifest, PointFailure> {
        let Stored {
            mut writer,
            unread,
            inconsistent,
            ..
        } = self.stored;
        let now = Timestamp::now();
        for warning in warnings {
            writer.log(&LogLine {
                time: now,
                level: LogLevel::Warning,
                message: warning.clone(),
            })?;
        }
        let result = PointResult {
            finished: now,
            phase: if phase == BackupPhase::Completed {
                PointPhase::Completed
            } else {
                PointPhase::CompletedWithWarnings
            },
            unread: unread.into_keys().collect(),
            inconsistent,
            volumes: volumes.iter().map(volume).collect(),
            first_of,
        };
        Ok(writer.commit(result).await?)
    }
}

/// What is said of a point that somebody else committed for this backup.
pub(super) fn warnings(manifest: &Manifest) -> Vec<String> {
    let unread = manifest
        .unread
        .iter()
        .map(|kind| unread(kind, "the log of the point says why"));
    unread
        .chain(manifest.inconsistent.iter().map(|kind| inconsistent(kind)))
        .collect()
}

/// What was counted in a point that is committed.
pub(super) fn counts(manifest: &Manifest) -> ObjectCounts {
    let count = |kinds: usize| u32::try_from(kinds).unwrap_or(u32::MAX);
    ObjectCounts {
        stored: manifest.objects(),
        bytes: manifest.object_bytes,
        kinds: count(manifest.counts.len()),
        kinds_total: count(manifest.counts.len()),
        kinds_unread: count(manifest.unread.len()),
    }
}

fn unread(kind: &str, why: &str) -> String {
    format!("objects of the kind {kind} are missing in the recovery point: {why}")
}

fn inconsistent(kind: &str) -> String {
    format!("the objects of the kind {kind} are of several moments: their list expired while it was read")
}

async fn begin(backup: &Backup, client: &Client, epoch: i64) -> Result<Begin, PointFailure> {
    let now = Timestamp::now();
    let started = backup
        .status
        .as_ref()
        .and_then(|status| status.started_at.as_ref());
    // Of two attempts under one epoch there are none at one moment.
    let attempt = Attempt::new(format!("{epoch}-{}", now.as_nanosecond()));
    Ok(Begin {
        id: id(backup)?,
        attempt: attempt.map_err(|error| PointFailure::Final(error.to_string()))?,
        cluster: cluster(client).await?,
        backup: BackupName {
            namespace: backup.namespace().unwrap_or_default(),
            name: backup.name_any(),
        },
        instance: backup.spec.instance.clone(),
        started: started.map_or(now, |started| started.0),
    })
}

fn id(backup: &Backup) -> Result<PointId, PointFailure> {
    PointId::new(backup.uid().unwrap_or_default()).map_err(|error| PointFailure::Final(error.to_string()))
}

/// What tells this cluster from others: the uid of a namespace that nobody can delete.
pub(super) async fn cluster(client: &Client) -> Result<String, DriveError> {
    let system = ListParams::default().fields("metadata.name=kube-system");
    let found = Api::<Namespace>::all(client.clone()).list(&system).await;
    let found = found.doing("read the namespace kube-system")?;
    Ok(found
        .items
        .first()
        .and_then(|namespace| namespace.metadata.uid.clone())
        .unwrap_or_default())
}

fn volume(report: &VolumeReport) -> PointVolume {
    let handle = report.driver.clone().zip(report.handle.clone());
    PointVolume {
        namespace: report.namespace.clone(),
        claim: report.claim.clone(),
        snapshot: handle.map(|(driver, handle)| Snapshot {
            driver,
            handle,
            size_bytes: None,
        }),
        storage_class: None,
        consistency: report.consistency,
        skipped: report.skipped,
        frozen_millis: None,
    }
}
