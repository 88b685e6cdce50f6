//! What the cluster tells of its instances and their runs, in the words by which core decides.

use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::recovery_point::PointState;
use clusterbackup_api::{Backup, BackupInstance, RecoveryPoint};
use clusterbackup_core::coverage::{Protection, Run};
use clusterbackup_core::selection::Name;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

/// Each instance that makes sense, with its newest run. Where it has a vault, what the vault has counts; else its Backups.
pub(super) fn of(
    instances: &[BackupInstance],
    backups: &[Backup],
    points: &[RecoveryPoint],
    now: Timestamp,
) -> Vec<Protection> {
    let protection = |instance: &BackupInstance| {
        // One that makes no sense is run by nobody.
        let filter = instance.spec.filter().ok()?;
        let vault = instance.spec.vault.is_some();
        let newest = if vault {
            newest_point(instance, points).map(|point| of_point(point, backups, now))
        } else {
            newest_backup(instance, backups).map(|(finished, status)| run(finished, status, now))
        };
        Some(Protection {
            filter,
            vault,
            volumes: instance.spec.snapshot_volumes,
            newest,
        })
    };
    instances.iter().filter_map(protection).collect()
}

fn newest_point<'p>(instance: &BackupInstance, points: &'p [RecoveryPoint]) -> Option<&'p RecoveryPoint> {
    let own = points.iter().filter(|point| {
        point.namespace() == instance.namespace() && point.spec.instance == instance.name_any()
    });
    own.filter(|point| !is_deleted(point))
        .max_by_key(|point| point.spec.finished_at.0)
}

/// Whether it is to go.
fn is_deleted(point: &RecoveryPoint) -> bool {
    let state = point.status.as_ref().and_then(|status| status.state);
    matches!(state, Some(PointState::Deleted | PointState::Purging))
}

/// What its Backup says, or, where that is gone, what the point says.
fn of_point(point: &RecoveryPoint, backups: &[Backup], now: Timestamp) -> Run {
    let finished = point.spec.finished_at.0;
    let backup = backups
        .iter()
        .find(|backup| backup.uid().is_some_and(|uid| uid == point.name_any()));
    match backup.and_then(|backup| backup.status.as_ref()) {
        Some(status) => run(finished, status, now),
        None => Run {
            age: age(finished, now),
            complete: point.spec.phase == BackupPhase::Completed,
            ..Run::default()
        },
    }
}

fn newest_backup<'b>(
    instance: &BackupInstance,
    backups: &'b [Backup],
) -> Option<(Timestamp, &'b BackupStatus)> {
    let own = backups.iter().filter(|backup| {
        backup.namespace() == instance.namespace() && backup.spec.instance == instance.name_any()
    });
    own.filter_map(|backup| {
        let status = backup.status.as_ref()?;
        let left_something = matches!(
            status.phase,
            Some(BackupPhase::Completed | BackupPhase::CompletedWithWarnings)
        );
        let finished = status.finished_at.as_ref().filter(|_| left_something)?;
        Some((finished.0, status))
    })
    .max_by_key(|(finished, _)| *finished)
}

fn run(finished: Timestamp, status: &BackupStatus, now: Timestamp) -> Run {
    let cuts = status.volumes.iter().filter(|volume| volume.snapshot.is_some());
    let cuts = cuts.filter_map(|volume| {
        let name = Name::new(&volume.namespace, &volume.claim);
        Some((name, volume.consistency?))
    });
    Run {
        age: age(finished, now),
        complete: status.phase == Some(BackupPhase::Completed),
        cuts: cuts.collect(),
    }
}

/// In seconds; nothing where the clocks disagree.
fn age(finished: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - finished.as_second()).unwrap_or_default()
}
