//! The objects of a backup, where its instance names a vault: stored when the applications run freely again and their
//! snapshots are kept, so that nothing is frozen for longer than its cuts take, and whatever a point names is there.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use clusterbackup_api::backup::{BackupPhase, BackupStatus, ObjectCounts, VolumeReport};
use clusterbackup_api::{Backup, schema};
use clusterbackup_core::retention::Period;
use clusterbackup_vault::point::Manifest;
use futures::FutureExt as _;
use kube::ResourceExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::Drive;
use crate::leader::error::DriveError;
use crate::leader::events::Reason;
use crate::leader::firsts;
use crate::leader::fleet::Orders;
use crate::leader::metrics::PointOutcome;
use crate::leader::mirror;
use crate::leader::objects::Task;
use crate::leader::point;
use crate::leader::point_failure::PointFailure;
use crate::leader::subject::{PlanError, Subject};
use crate::leader::vault::OpenVault;

/// A store that can't be reached for so long costs the backup.
const PATIENCE: Duration = Duration::from_hours(1);
/// Between two attempts at a point: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_secs(1);

/// What came of storing objects.
pub(super) enum Stored {
    /// There is nothing to store: the instance names no vault.
    Nothing,
    /// The point exists.
    Point(Point),
    /// There is none.
    Failed(String),
    /// Somebody stopped the backup before there was one.
    Cancelled,
}

/// A point that exists.
pub(super) struct Point {
    /// The name of its mirror.
    pub(super) name: String,
    /// What was stored.
    pub(super) counts: ObjectCounts,
    /// What is not in it that should be.
    pub(super) missing: Vec<String>,
}

/// What the backup comes to, beside its objects.
pub(super) struct Verdict<'a> {
    /// How it ends, if no object is missing.
    pub(super) phase: BackupPhase,
    /// What became of its claims.
    pub(super) volumes: &'a [VolumeReport],
    /// What is not as it should be.
    pub(super) warnings: &'a [String],
}

/// What people are told of it.
impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectCounts { stored, bytes, .. } = self.counts;
        write!(
            formatter,
            "RecoveryPoint {} holds {stored} objects of {bytes} bytes",
            self.name
        )
    }
}

impl Drive {
    /// Whether objects are to be stored: the plan has seen a vault.
    pub(super) fn stores(&self) -> bool {
        self.record.status().objects.is_some()
    }

    /// Stores all objects and commits the point.
    pub(super) async fn store(&mut self, verdict: &Verdict<'_>) -> Result<Stored, DriveError> {
        if !self.stores() {
            return Ok(Stored::Nothing);
        }
        let begun = Instant::now();
        let stored = self.store_by(begun + PATIENCE, verdict).await?;
        let outcome = match &stored {
            Stored::Nothing => return Ok(stored),
            Stored::Cancelled => PointOutcome::Cancelled,
            Stored::Failed(_) => PointOutcome::Failed,
            Stored::Point(point) => {
                self.world.metrics.holds(&point.counts);
                self.tell(Reason::Stored, point.to_string()).await;
                if point.missing.is_empty() {
                    PointOutcome::Complete
                } else {
                    PointOutcome::Partial
                }
            }
        };
        self.world.metrics.stored(outcome, begun.elapsed());
        Ok(stored)
    }

    async fn store_by(&mut self, deadline: Instant, verdict: &Verdict<'_>) -> Result<Stored, DriveError> {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.wanted() != Orders::Run && self.record.status().recovery_point.is_none() {
                return Ok(Stored::Cancelled);
            }
            match self.attempt(verdict).await? {
                Ok(stored) => return Ok(stored),
                Err(PointFailure::Passing(reason)) if Instant::now() + pause < deadline => {
                    let backup = self.record.object().name_any();
                    warn!(backup, reason, "storing objects; trying again");
                    self.waits(&reason).await?;
                    self.tell(Reason::StoreFailing, reason).await;
                }
                Err(failure) => return Ok(Stored::Failed(failure.to_string())),
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.orders.changed() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Has the status say what it waits for.
    async fn waits(&mut self, reason: &str) -> Result<(), DriveError> {
        let message = format!("the recovery point can't be stored yet, and is tried again: {reason}");
        let status = BackupStatus {
            message: Some(schema::bounded(&message).into_owned()),
            ..self.record.status()
        };
        self.record.write(status).await
    }

    /// Tries once. The outer error is of the backup's record, the inner one of the point.
    async fn attempt(&mut self, verdict: &Verdict<'_>) -> Result<Result<Stored, PointFailure>, DriveError> {
        let backup = self.record.object().clone();
        let (subject, vault) = match self.open(&backup).await {
            Ok(opened) => opened,
            Err(failure) => return Ok(Err(failure)),
        };
        match point::find(&vault, &backup).await {
            Ok(Some(manifest)) => return Ok(Ok(self.found(&vault, &manifest).await?)),
            Ok(None) => {}
            Err(failure) => return Ok(Err(failure)),
        }
        let Some(drafted) = self.draft(&subject, &vault).await? else {
            return Ok(Ok(Stored::Cancelled));
        };
        let draft = match drafted {
            Ok(draft) => draft,
            Err(failure) => return Ok(Err(failure)),
        };
        let (counts, missing) = (draft.counts(), draft.warnings());
        let phase = if missing.is_empty() {
            verdict.phase
        } else {
            BackupPhase::CompletedWithWarnings
        };
        let warnings: Vec<_> = verdict.warnings.iter().chain(&missing).cloned().collect();
        let first_of = match self.first_of(phase, &subject, &vault, &draft).await {
            Ok(periods) => periods,
            Err(failure) => return Ok(Err(failure)),
        };
        self.announce(counts).await?;
        let manifest = match draft.commit(phase, verdict.volumes, &warnings, first_of).await {
            Ok(manifest) => manifest,
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(Ok(Stored::Point(Point {
            name: self.mirror(&vault, &manifest).await?,
            counts,
            missing,
        })))
    }

    /// The periods that the point is the first complete one of.
    async fn first_of(
        &self,
        phase: BackupPhase,
        subject: &Subject,
        vault: &OpenVault,
        draft: &point::Draft,
    ) -> Result<BTreeSet<Period>, PointFailure> {
        if phase != BackupPhase::Completed {
            return Ok(BTreeSet::new());
        }
        firsts::of(
            &self.world.client,
            vault.store(),
            draft.begun(),
            &subject.instance,
        )
        .await
    }

    async fn open(&self, backup: &Backup) -> Result<(Subject, OpenVault), PointFailure> {
        let subject = Subject::read(&self.world.client, backup)
            .await
            .map_err(|error| match error {
                PlanError::Impossible { message, .. } => PointFailure::Final(message),
                PlanError::Unread(error) => error.into(),
            })?;
        let gone = || PointFailure::Final("the instance names no vault any more".to_owned());
        let name = subject.instance.spec.vault.clone().ok_or_else(gone)?;
        let namespace = backup.namespace().unwrap_or_default();
        let vault = self
            .world
            .doors
            .find(&self.world.client, &namespace, &name)
            .await?;
        Ok((subject, vault))
    }

    /// Stores everything; none when somebody stops the backup meanwhile.
    async fn draft(
        &mut self,
        subject: &Subject,
        vault: &OpenVault,
    ) -> Result<Option<Result<point::Draft, PointFailure>>, DriveError> {
        let (inclusion, requester) = match (subject.inclusion(), &subject.instance.spec.requester) {
            (Ok(inclusion), Some(requester)) => (inclusion, requester),
            (Err(error), _) => return Ok(Some(Err(PointFailure::Final(error.to_string())))),
            (_, None) => {
                let nobody = "nobody is recorded as the instance's requester; write it again".to_owned();
                return Ok(Some(Err(PointFailure::Final(nobody))));
            }
        };
        let client = self.world.client.clone();
        let task = Task {
            client: &client,
            inclusion: &inclusion,
            requester,
        };
        let (progress, seen) = watch::channel(ObjectCounts::default());
        let backup = self.record.object().clone();
        let mut drafting = point::draft(vault, &backup, &task, self.world.epoch, progress).boxed();
        loop {
            tokio::select! {
                drafted = &mut drafting => return Ok(Some(drafted)),
                changed = self.orders.changed() => changed.map_err(|_| DriveError::Ended("the watch of Backups"))?,
                () = sleep(LOOK) => {
                    let counts = *seen.borrow();
                    self.show(counts).await?;
                }
            }
            if self.wanted() != Orders::Run {
                return Ok(None);
            }
        }
    }

    /// Writes how far it is.
    async fn show(&mut self, counts: ObjectCounts) -> Result<(), DriveError> {
        let status = BackupStatus {
            objects: Some(counts),
            ..self.record.status()
        };
        let now = Instant::now();
        match self.record.due(&status, now) {
            Some(due) if due <= now => self.record.write(status).await,
            _ => Ok(()),
        }
    }

    /// Names the point before it is committed: whoever goes on with the backup looks for it first. A leader whose term is
    /// over commits nothing.
    async fn announce(&mut self, counts: ObjectCounts) -> Result<(), DriveError> {
        if !self.world.is_latest().await? {
            return Err(DriveError::Superseded);
        }
        let uid = self.record.object().uid();
        let status = BackupStatus {
            objects: Some(counts),
            recovery_point: uid,
            ..self.record.status()
        };
        self.record.write(status).await
    }

    /// The point was committed before: by a leader who died then, or by us, who didn't hear of it.
    async fn found(&self, vault: &OpenVault, manifest: &Manifest) -> Result<Stored, DriveError> {
        Ok(Stored::Point(Point {
            name: self.mirror(vault, manifest).await?,
            counts: point::counts(manifest),
            missing: point::warnings(manifest),
        }))
    }

    async fn mirror(&self, vault: &OpenVault, manifest: &Manifest) -> Result<String, DriveError> {
        let namespace = self.record.object().namespace().unwrap_or_default();
        mirror::create(
            &self.world.client,
            &namespace,
            &mirror::of(&vault.owner, manifest),
        )
        .await
    }
}
