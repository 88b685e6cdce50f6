//! What a plan found beside the tasks, as it is carried through a backup in its status: a new leader reads it there.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::backup::{BackupPhase, BackupStatus, BarrierReport};
use clusterbackup_api::{NodeTask, schema};
use clusterbackup_core::cut::SkipReason;
use clusterbackup_core::report::{End, MAX_WARNINGS};
use clusterbackup_core::selection::Name;

use crate::leader::conditions;
use crate::leader::report::{Facts, Report, add_up, freedom};
use crate::leader::retain::Attempt;
use crate::leader::tasks::Tasks;

/// The most claims that a status names; the counts are complete.
const MAX_VOLUMES: usize = 1000;
/// The most barriers that it names.
const MAX_BARRIERS: usize = 100;

/// What the plan found.
#[derive(Debug, Default)]
pub(super) struct Base {
    /// Claims that it left out.
    pub(super) skipped: Vec<(Name, SkipReason)>,
    /// What is not as it should be.
    pub(super) warnings: Vec<String>,
}

impl Base {
    /// Reads it from the status of a running backup: its warnings are those of the plan, and what is skipped without
    /// standing in a task was skipped by the plan.
    pub(super) fn of(status: &BackupStatus, tasks: &Tasks) -> Self {
        let ordered: BTreeSet<Name> = tasks.iter().flat_map(|known| claims(&known.task)).collect();
        let skipped = status.volumes.iter().filter_map(|volume| {
            let claim = Name::new(&volume.namespace, &volume.claim);
            (!ordered.contains(&claim)).then_some((claim, volume.skipped?))
        });
        Self {
            skipped: skipped.collect(),
            warnings: status.warnings.clone(),
        }
    }

    /// The reports of tasks, added up. With each task goes whether nobody waits for its agent any longer.
    pub(super) fn add_up<'a>(
        &self,
        tasks: impl Iterator<Item = (&'a NodeTask, bool)> + Clone,
        kept: &BTreeMap<Name, Attempt>,
        barriers: &[BarrierReport],
        end: End,
    ) -> Report {
        let facts = Facts {
            skipped: &self.skipped,
            warnings: &self.warnings,
            kept,
            barriers,
        };
        add_up(tasks, &facts, end)
    }

    /// The status while the nodes are at work.
    pub(super) fn running<'a>(
        &self,
        mut status: BackupStatus,
        tasks: impl Iterator<Item = (&'a NodeTask, bool)> + Clone,
        kept: &BTreeMap<Name, Attempt>,
        barriers: &[BarrierReport],
    ) -> BackupStatus {
        let report = self.add_up(tasks.clone(), kept, barriers, End::Done);
        status.phase = Some(BackupPhase::Running);
        status.counts = report.running();
        write(&mut status, report, barriers);
        status.warnings = bounded(&self.warnings);
        conditions::write(&mut status, freedom(tasks));
        status
    }
}

/// Writes the claims and barriers into the status, as many as it takes.
pub(super) fn write(status: &mut BackupStatus, report: Report, barriers: &[BarrierReport]) {
    status.volumes = report.volumes;
    status.volumes.truncate(MAX_VOLUMES);
    for volume in &mut status.volumes {
        volume.message = volume
            .message
            .as_deref()
            .map(|text| schema::bounded(text).into_owned());
    }
    status.barriers = barriers.iter().take(MAX_BARRIERS).cloned().collect();
    for barrier in &mut status.barriers {
        barrier.broken_by.truncate(MAX_BARRIERS);
    }
}

/// As many warnings as a status takes, none too long.
pub(super) fn bounded(warnings: &[String]) -> Vec<String> {
    let kept = warnings.iter().take(MAX_WARNINGS);
    kept.map(|warning| schema::bounded(warning).into_owned())
        .collect()
}

/// The claims that a task is to cut.
fn claims(task: &NodeTask) -> impl Iterator<Item = Name> {
    let cuts = task.spec.units.iter().flat_map(|unit| &unit.cuts);
    cuts.flat_map(|cut| cut.claims.iter().map(|claim| Name::new(&cut.namespace, claim)))
}
