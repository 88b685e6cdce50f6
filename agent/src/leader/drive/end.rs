//! The end of a backup: what is not kept is removed, and the status says what came of everything.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::BackupInstance;
use clusterbackup_api::backup::{BackupPhase, BackupStatus, BarrierReport, VolumeReport};
use clusterbackup_api::backup_instance::OnBrokenBarrier;
use clusterbackup_core::report::End;
use clusterbackup_core::selection::Name;
use kube::{Api, ResourceExt as _};

use super::Drive;
use super::base::{self, Base};
use crate::leader::barrier;
use crate::leader::discard::{self, discard};
use crate::leader::error::{Doing as _, DriveError};
use crate::leader::report::{Report, freedom};
use crate::leader::retain::Attempt;
use crate::leader::tasks::Known;

/// What the work on a backup came to.
pub(super) struct Outcome {
    /// Whether a person stopped it.
    pub(super) cancelled: bool,
    /// What the plan found.
    pub(super) base: Base,
    /// What is known of barriers.
    pub(super) recorded: Vec<BarrierReport>,
    /// What became of the attempts to keep snapshots.
    pub(super) kept: BTreeMap<Name, Attempt>,
    /// Tasks whose agents nobody waits for.
    pub(super) abandoned: BTreeSet<String>,
}

impl Drive {
    /// Ends the backup.
    pub(super) async fn end(&mut self, mut outcome: Outcome) -> Result<(), DriveError> {
        let unsure = |known: &Known| known.is_lost() || outcome.abandoned.contains(&known.name());
        let barriers = barrier::reports(self.tasks.iter(), &outcome.recorded, unsure);
        let end = self.judge(&outcome, &barriers).await?;
        let mut report = self.add_up(&outcome, &barriers, end);
        let keeps = matches!(
            report.summary.phase,
            BackupPhase::Completed | BackupPhase::CompletedWithWarnings
        );
        let kept = if keeps {
            names(&report.volumes)
        } else {
            BTreeSet::new()
        };
        let left = discard(&self.world.client, &self.uid, &kept).await?;
        if !left.is_empty() {
            outcome.base.warnings.push(remains(&left));
            report = self.add_up(&outcome, &barriers, end);
        }
        if !keeps {
            report.volumes.iter_mut().for_each(forget);
        }
        let freedom = freedom(self.reports(&outcome));
        let status = finished(self.record.status(), report, &barriers);
        self.close(status, freedom).await
    }

    fn add_up(&self, outcome: &Outcome, barriers: &[BarrierReport], end: End) -> Report {
        outcome
            .base
            .add_up(self.reports(outcome), &outcome.kept, barriers, end)
    }

    fn reports<'a>(
        &'a self,
        outcome: &'a Outcome,
    ) -> impl Iterator<Item = (&'a clusterbackup_api::NodeTask, bool)> + Clone {
        let silent = |name: &String| outcome.abandoned.contains(name);
        self.tasks
            .iter()
            .map(move |known| (&known.task, silent(&known.name()) || known.is_lost()))
    }

    /// How it ended. The instance says what a broken barrier means; one that is gone can't ask for failure any more.
    async fn judge(&self, outcome: &Outcome, barriers: &[BarrierReport]) -> Result<End, DriveError> {
        if outcome.cancelled {
            return Ok(End::Cancelled);
        }
        if barriers.iter().all(|barrier| barrier.met) {
            return Ok(End::Done);
        }
        let backup = self.record.backup();
        let namespace = backup.namespace().unwrap_or_default();
        let instance = Api::<BackupInstance>::namespaced(self.world.client.clone(), &namespace)
            .get_opt(&backup.spec.instance)
            .await
            .doing("read the BackupInstance")?;
        let policy = instance.map(|instance| instance.spec.freeze.on_broken_barrier);
        Ok(if policy == Some(OnBrokenBarrier::Fail) {
            End::BrokenBarrier
        } else {
            End::Done
        })
    }
}

/// The last status.
fn finished(mut status: BackupStatus, report: Report, barriers: &[BarrierReport]) -> BackupStatus {
    let summary = &report.summary;
    status.phase = Some(summary.phase);
    status.counts = summary.counts.clone();
    status.warnings = base::bounded(&summary.warnings);
    let counts = &summary.counts;
    let claims = format!("{} of {} claims are cut", counts.taken, counts.claims);
    status.message = Some(match summary.phase {
        BackupPhase::Cancelled => "cancelled; its snapshots are removed".to_owned(),
        BackupPhase::Failed => "failed; what was cut is removed".to_owned(),
        _ if summary.warnings.is_empty() => claims,
        _ => format!("{claims}; {} warnings", summary.warnings.len()),
    });
    base::write(&mut status, report, barriers);
    status
}

/// The snapshots that stay.
fn names(volumes: &[VolumeReport]) -> BTreeSet<discard::Name> {
    let names = volumes
        .iter()
        .filter_map(|volume| Some((volume.namespace.clone(), volume.snapshot.clone()?)));
    names.collect()
}

/// A backup that keeps nothing names no snapshots.
fn forget(volume: &mut VolumeReport) {
    if volume.snapshot.take().is_some() {
        volume.content = None;
        volume.handle = None;
        volume.driver = None;
        volume.consistency = None;
        volume.message = Some("its snapshot was removed again".to_owned());
    }
}

fn remains(left: &[discard::Name]) -> String {
    let names: Vec<_> = left
        .iter()
        .map(|(namespace, name)| format!("{namespace}/{name}"))
        .collect();
    format!(
        "snapshots that are still being deleted by the snapshot controller: {}",
        names.join(", ")
    )
}
