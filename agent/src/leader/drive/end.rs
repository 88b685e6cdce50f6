//! The end of a backup: what is not kept is removed, and the status says what came of everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clusterbackup_api::backup::{BackupPhase, BackupStatus, BarrierReport, VolumeReport};
use clusterbackup_api::backup_instance::OnBrokenBarrier;
use clusterbackup_api::{BackupInstance, schema};
use clusterbackup_core::report::End;
use clusterbackup_core::selection::Name;
use kube::{Api, ResourceExt as _};

use super::Drive;
use super::base::{self, Base};
use super::store::{Stored, Verdict};
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
    /// Ends the backup: what is not kept goes, and where there is a vault the point is made.
    pub(super) async fn end(&mut self, mut outcome: Outcome) -> Result<(), DriveError> {
        let unsure = |known: &Known| known.is_lost() || outcome.abandoned.contains(&known.name());
        let barriers = barrier::reports(self.tasks.iter(), &outcome.recorded, unsure);
        let mut end = self.judge(&outcome, &barriers).await?;
        let mut report = self.add_up(&outcome, &barriers, end);
        self.discard_all_but(&kept(&report), &mut outcome).await?;
        report = self.add_up(&outcome, &barriers, end);
        let stored = self.store_if_kept(&report).await?;
        match &stored {
            Stored::Nothing => {}
            Stored::Point(point) => outcome.base.warnings.extend(point.missing.iter().cloned()),
            Stored::Cancelled => end = End::Cancelled,
            Stored::Failed(reason) => {
                end = End::NotStored;
                let text = format!("the recovery point could not be stored: {reason}");
                outcome.base.warnings.push(text);
            }
        }
        if matches!(end, End::Cancelled | End::NotStored) {
            self.discard_all_but(&BTreeSet::new(), &mut outcome).await?;
        }
        report = self.add_up(&outcome, &barriers, end);
        if !keeps(report.summary.phase) {
            report.volumes.iter_mut().for_each(forget);
        }
        let freedom = freedom(self.reports(&outcome));
        let status = finished(self.record.status(), report, &barriers, stored);
        self.close(status, freedom).await
    }

    async fn store_if_kept(&mut self, report: &Report) -> Result<Stored, DriveError> {
        let phase = report.summary.phase;
        if !keeps(phase) {
            return Ok(Stored::Nothing);
        }
        let verdict = Verdict {
            phase,
            volumes: &report.volumes,
            warnings: &report.summary.warnings,
        };
        self.store(&verdict).await
    }

    /// Removes the snapshots that are not kept. What is still there when that took too long is told of.
    async fn discard_all_but(
        &self,
        kept: &BTreeSet<discard::Name>,
        outcome: &mut Outcome,
    ) -> Result<(), DriveError> {
        let left = discard(&self.world.client, &self.uid, kept).await?;
        if !left.is_empty() {
            outcome.base.warnings.push(remains(&left));
        }
        Ok(())
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
        // A point that may be committed already is no longer to be cancelled.
        if outcome.cancelled && self.record.status().recovery_point.is_none() {
            return Ok(End::Cancelled);
        }
        let done = if self.stores() { End::Stored } else { End::Done };
        if barriers.iter().all(|barrier| barrier.met) {
            return Ok(done);
        }
        let backup = self.record.object();
        let namespace = backup.namespace().unwrap_or_default();
        let instance = Api::<BackupInstance>::namespaced(self.world.client.clone(), &namespace)
            .get_opt(&backup.spec.instance)
            .await
            .doing("read the BackupInstance")?;
        let policy = instance.map(|instance| instance.spec.freeze.on_broken_barrier);
        Ok(if policy == Some(OnBrokenBarrier::Fail) {
            End::BrokenBarrier
        } else {
            done
        })
    }
}

/// The last status.
fn finished(
    mut status: BackupStatus,
    report: Report,
    barriers: &[BarrierReport],
    stored: Stored,
) -> BackupStatus {
    let summary = &report.summary;
    status.phase = Some(summary.phase);
    status.counts = summary.counts.clone();
    status.warnings = base::bounded(&summary.warnings);
    let mut done = format!(
        "{} of {} claims are cut",
        summary.counts.taken, summary.counts.claims
    );
    let mut failed = "failed; what was cut is removed".to_owned();
    status.recovery_point = None;
    match stored {
        Stored::Point(point) => {
            let _ = write!(done, ", {} objects are stored", point.counts.stored);
            status.objects = Some(point.counts);
            status.recovery_point = Some(point.name);
        }
        Stored::Failed(reason) => {
            let _ = write!(failed, "; the recovery point could not be stored: {reason}");
        }
        Stored::Nothing | Stored::Cancelled => {}
    }
    status.message = Some(match summary.phase {
        BackupPhase::Cancelled => "cancelled; its snapshots are removed".to_owned(),
        BackupPhase::Failed => schema::bounded(&failed).into_owned(),
        _ if summary.warnings.is_empty() => done,
        _ => format!("{done}; {} warnings", summary.warnings.len()),
    });
    base::write(&mut status, report, barriers);
    status
}

/// Whether a backup that ends so leaves anything.
const fn keeps(phase: BackupPhase) -> bool {
    matches!(phase, BackupPhase::Completed | BackupPhase::CompletedWithWarnings)
}

/// The snapshots that stay.
fn kept(report: &Report) -> BTreeSet<discard::Name> {
    let volumes = report.volumes.iter().filter(|_| keeps(report.summary.phase));
    let names = volumes.filter_map(|volume| Some((volume.namespace.clone(), volume.snapshot.clone()?)));
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
