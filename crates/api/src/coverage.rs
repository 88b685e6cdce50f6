//! What the cluster tells of its instances and their runs, in the words by which [`clusterbackup_core::coverage`] decides.

use std::collections::BTreeMap;

use clusterbackup_core::coverage::{Protection, Run};
use clusterbackup_core::cut::Consistency;
use clusterbackup_core::report::BackupPhase;
use clusterbackup_core::selection::{Claim, ClaimPhase, Name, Namespace, PROTECTED};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::recovery_point::PointState;
use crate::{Backup, BackupInstance, RecoveryPoint};

/// What counts of a Backup: a large one isn't kept.
#[derive(Debug, Clone)]
pub struct Seen {
    uid: Option<String>,
    namespace: Option<String>,
    instance: String,
    phase: Option<BackupPhase>,
    finished: Option<Timestamp>,
    cuts: BTreeMap<Name, Consistency>,
}

impl Seen {
    /// Of a Backup that somebody has begun to report.
    pub fn of(backup: &Backup) -> Option<Self> {
        let status = backup.status.as_ref()?;
        let cuts = status.volumes.iter().filter(|volume| volume.snapshot.is_some());
        let cuts = cuts.filter_map(|volume| {
            let name = Name::new(&volume.namespace, &volume.claim);
            Some((name, volume.consistency?))
        });
        Some(Self {
            uid: backup.uid(),
            namespace: backup.namespace(),
            instance: backup.spec.instance.clone(),
            phase: status.phase,
            finished: status.finished_at.as_ref().map(|finished| finished.0),
            cuts: cuts.collect(),
        })
    }

    fn left_something(&self) -> bool {
        matches!(
            self.phase,
            Some(BackupPhase::Completed | BackupPhase::CompletedWithWarnings)
        )
    }

    fn run(&self, finished: Timestamp, now: Timestamp) -> Run {
        Run {
            age: age(finished, now),
            complete: self.phase == Some(BackupPhase::Completed),
            cuts: self.cuts.clone(),
        }
    }
}

/// Each instance that makes sense, with its newest run. Where it has a vault, what the vault has counts; else its Backups.
pub fn protections(
    instances: &[BackupInstance],
    backups: &[Seen],
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
            newest_backup(instance, backups).map(|(finished, backup)| backup.run(finished, now))
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

/// A namespace, unless it is one that is never backed up.
pub fn namespace(metadata: &ObjectMeta) -> Option<Namespace> {
    let name = metadata.name.clone().unwrap_or_default();
    let labels = metadata.labels.clone().unwrap_or_default();
    let free = !PROTECTED.contains(&name.as_str());
    free.then_some(Namespace { name, labels })
}

/// A claim, as far as it matters here.
pub fn claim(metadata: &ObjectMeta) -> Claim {
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    Claim {
        name: Name::new(namespace, metadata.name.as_deref().unwrap_or_default()),
        labels: metadata.labels.clone().unwrap_or_default(),
        phase: ClaimPhase::Bound,
        deleting: metadata.deletion_timestamp.is_some(),
        volume: None,
        snapshots: 0,
    }
}

/// The newest point of an instance that nobody has deleted.
pub fn newest_point<'p>(instance: &BackupInstance, points: &'p [RecoveryPoint]) -> Option<&'p RecoveryPoint> {
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
fn of_point(point: &RecoveryPoint, backups: &[Seen], now: Timestamp) -> Run {
    let finished = point.spec.finished_at.0;
    let name = point.name_any();
    match backups.iter().find(|backup| backup.uid.as_ref() == Some(&name)) {
        Some(backup) => backup.run(finished, now),
        None => Run {
            age: age(finished, now),
            complete: point.spec.phase == BackupPhase::Completed,
            ..Run::default()
        },
    }
}

fn newest_backup<'b>(instance: &BackupInstance, backups: &'b [Seen]) -> Option<(Timestamp, &'b Seen)> {
    let own = backups
        .iter()
        .filter(|backup| backup.namespace == instance.namespace() && backup.instance == instance.name_any());
    own.filter(|backup| backup.left_something())
        .filter_map(|backup| Some((backup.finished?, backup)))
        .max_by_key(|(finished, _)| *finished)
}

/// In seconds; nothing where the clocks disagree.
fn age(finished: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - finished.as_second()).unwrap_or_default()
}
