//! One restore, driven from where it stands to its end. It is begun again by whoever leads next, from the point: what is
//! created already carries its uid.

use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::labels::RESTORE_UID;
use clusterbackup_api::restore::{Mode, ReportStatus, RestorePhase, RestoreStatus};
use clusterbackup_api::{Restore, schema};
use clusterbackup_core::restore::{End, ReportLine};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::interception;
use super::progress::Progress;
use super::report;
use super::turns::{Turn, Turns};
use super::volumes::Helpers;
use super::work::Work;
use crate::leader::conditions;
use crate::leader::error::DriveError;
use crate::leader::events::Reason;
use crate::leader::fleet::{Key, Orders};
use crate::leader::point_failure::PointFailure;
use crate::leader::record::Record;
use crate::leader::tasks;
use crate::leader::world::World;

/// A vault that can't be read, or a webhook that doesn't answer, for so long costs the restore.
const PATIENCE: Duration = Duration::from_mins(30);
/// Between two attempts: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// What is under way when somebody stops it may end by then.
const LAST_REQUESTS: Duration = Duration::from_millis(700);

/// A restore that is driven.
struct Drive {
    world: Arc<World>,
    helpers: Arc<Helpers>,
    record: Record<Restore>,
    orders: watch::Receiver<Orders>,
    progress: Arc<Progress>,
    turn: Arc<Turn>,
}

/// How far an attempt is.
#[derive(Clone)]
enum Stage {
    Planning,
    /// For another restore.
    Waiting(String),
    Running,
}

/// Drives the restore to its end.
pub(super) async fn drive(
    world: Arc<World>,
    helpers: Arc<Helpers>,
    turns: Arc<Turns>,
    key: Key,
    orders: watch::Receiver<Orders>,
) -> Result<(), DriveError> {
    let Key { namespace, name, uid } = key;
    let record = Record::<Restore>::read(world.client.clone(), &namespace, &name, &uid).await?;
    let Some(record) = record.filter(|record| !record.object().phase().is_some_and(RestorePhase::is_end))
    else {
        return Ok(());
    };
    helpers.begin(&uid);
    let mut drive = Drive {
        turn: Arc::new(turns.enter(record.object())),
        world,
        helpers: helpers.clone(),
        record,
        orders,
        progress: Arc::default(),
    };
    drive.begin().await?;
    let (world, restore) = (drive.world.clone(), drive.record.object().clone());
    let progress = drive.progress.clone();
    let reporting = async { Ok(report::write(&world, &restore, &progress.lines).await) };
    let ((end, reason), report) = tokio::try_join!(drive.work_and_tell(), reporting)?;
    drive.end(end, reason, report).await?;
    helpers.end(&uid);
    Ok(())
}

impl Drive {
    async fn begin(&mut self) -> Result<(), DriveError> {
        let mut status = self.record.status();
        if status.phase.is_some() {
            let note = format!("goes on under epoch {}", self.world.epoch);
            self.tell(Reason::Adopted, note).await;
        }
        status.phase.get_or_insert(RestorePhase::Planning);
        let now = || MicroTime(Timestamp::now());
        status.started_at.get_or_insert_with(now);
        self.write(status).await
    }

    /// The same as `work`; then nothing more comes into the report.
    async fn work_and_tell(&mut self) -> Result<(End, Option<String>), DriveError> {
        let (end, reason) = self.work().await?;
        let lines = &self.progress.lines;
        lines.add(ReportLine::End(self.progress.phase(end)));
        lines.complete();
        Ok((end, reason))
    }

    /// Tries until it is done, stopped, or found impossible; then with the reason.
    async fn work(&mut self) -> Result<(End, Option<String>), DriveError> {
        let (mut deadline, mut pause, mut created) = (Instant::now() + PATIENCE, FIRST_PAUSE, 0);
        loop {
            let attempted = self.attempt().await?;
            let counts = self.progress.counts();
            if counts.created > created {
                // It went on for a while: this is another hindrance.
                (deadline, pause, created) = (Instant::now() + PATIENCE, FIRST_PAUSE, counts.created);
            }
            let reason = match attempted {
                None => return Ok((End::Cancelled, None)),
                Some(Ok(())) => return Ok((End::Done, None)),
                Some(Err(PointFailure::Passing(reason))) if Instant::now() + pause < deadline => reason,
                Some(Err(failure)) => return Ok((End::Stopped, Some(failure.to_string()))),
            };
            warn!(reason, "a restore; trying again");
            let mut status = self.progress.shown(self.record.status());
            let message = format!("it can't go on yet, and is tried again: {reason}");
            status.message = Some(schema::bounded(&message).into_owned());
            self.record.write(status).await?;
            tokio::select! {
                () = sleep(pause) => {}
                changed = self.orders.changed() => changed.map_err(|_| DriveError::Ended("the restore"))?,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tries once; none when somebody has stopped it. The outer error is of the record.
    async fn attempt(&mut self) -> Result<Option<Result<(), PointFailure>>, DriveError> {
        let (world, progress, turn) = (self.world.clone(), self.progress.clone(), self.turn.clone());
        let helpers = self.helpers.clone();
        let (restore, stop) = (self.record.object().clone(), CancellationToken::new());
        let (stage, mut stages) = watch::channel(Stage::Planning);
        let work = async {
            let work = Work::prepare(&world, &restore, &helpers, &progress, &stop).await?;
            let waits = |reason| _ = stage.send_replace(Stage::Waiting(reason));
            turn.come(&world.client, &work.targets(), waits).await?;
            work.check().await?;
            stage.send_replace(Stage::Running);
            Box::pin(work.run()).await
        };
        let mut work = Box::pin(work);
        loop {
            if *self.orders.borrow() != Orders::Run {
                stop.cancel();
                // Whatever comes of it, nothing more is begun.
                _ = timeout(LAST_REQUESTS, &mut work).await;
                return Ok(None);
            }
            tokio::select! {
                done = &mut work => return Ok(Some(done)),
                changed = self.orders.changed() => changed.map_err(|_| DriveError::Ended("the restore"))?,
                Ok(()) = stages.changed() => {
                    let stage = stages.borrow_and_update().clone();
                    self.reach(&stage).await?;
                }
                () = sleep(LOOK) => self.show().await?,
            }
        }
    }

    async fn reach(&mut self, stage: &Stage) -> Result<(), DriveError> {
        match stage {
            Stage::Planning => Ok(()),
            Stage::Waiting(reason) => {
                let mut status = self.record.status();
                status.message = Some(schema::bounded(reason).into_owned());
                self.write(status).await
            }
            Stage::Running => self.run().await,
        }
    }

    async fn run(&mut self) -> Result<(), DriveError> {
        let status = self.record.status();
        if status.phase == Some(RestorePhase::Running) {
            return Ok(());
        }
        let total = self.progress.counts().total;
        self.tell(Reason::Started, format!("{total} objects")).await;
        let status = RestoreStatus {
            phase: Some(RestorePhase::Running),
            message: None,
            ..self.progress.shown(status)
        };
        self.write(status).await
    }

    /// Writes how far it is, when it is time.
    async fn show(&mut self) -> Result<(), DriveError> {
        let status = self.progress.shown(self.record.status());
        let now = Instant::now();
        match self.record.due(&status, now) {
            Some(due) if due <= now => self.record.write(status).await,
            _ => Ok(()),
        }
    }

    /// Writes the last status, tells people, and counts.
    async fn end(mut self, end: End, reason: Option<String>, report: ReportStatus) -> Result<(), DriveError> {
        if self.record.object().spec.resource_modifier_reference.is_some() {
            let uid = self.record.object().uid().unwrap_or_default();
            interception::release(&self.world.client, &uid).await;
        }
        let mut status = self.progress.shown(self.record.status());
        let (counts, phase) = (status.counts, self.progress.phase(end));
        let message = reason.unwrap_or_else(|| counts.to_string());
        let reason = match phase {
            RestorePhase::Completed => Reason::Completed,
            RestorePhase::Cancelled => Reason::Cancelled,
            RestorePhase::Failed => Reason::Failed,
            _ => Reason::CompletedWithWarnings,
        };
        let now = Timestamp::now();
        status.phase = Some(phase);
        status.message = Some(schema::bounded(&message).into_owned());
        status.wave = None;
        status.report = Some(ReportStatus {
            missing: report.missing.map(|why| schema::bounded(&why).into_owned()),
            ..report
        });
        status.finished_at = Some(MicroTime(now));
        let took = status
            .started_at
            .as_ref()
            .and_then(|start| Duration::try_from(now.duration_since(start.0)).ok());
        if let Some(readiness) = status.readiness {
            let ready = conditions::ready(readiness);
            clusterbackup_api::conditions::merge(&mut status.conditions, ready);
        }
        self.write(status).await?;
        self.clear_tasks().await?;
        if self.record.object().spec.mode == Mode::Apply {
            self.world.metrics.restored(phase, &counts, took);
        }
        if let Some(hooks) = self.record.status().hooks {
            self.world.metrics.restore_hooks(&hooks);
        }
        self.tell(reason, message).await;
        Ok(())
    }

    /// Deletes the NodeTasks of its hooks: what they say stands in the status.
    async fn clear_tasks(&self) -> Result<(), DriveError> {
        let restore = self.record.object();
        if restore.spec.restore_hooks.is_empty() {
            return Ok(());
        }
        let ours = |uid: &str| restore.uid().as_deref() == Some(uid);
        tasks::remove_of(&self.world.tasks(), RESTORE_UID, ours).await
    }

    async fn write(&mut self, mut status: RestoreStatus) -> Result<(), DriveError> {
        let phase = status.phase.unwrap_or(RestorePhase::Planning);
        let message = status.message.clone().unwrap_or_default();
        let complete = conditions::complete(phase.is_end(), &format!("{phase:?}"), message);
        clusterbackup_api::conditions::merge(&mut status.conditions, complete);
        self.record.write(status).await
    }

    async fn tell(&self, reason: Reason, note: String) {
        self.world.events.tell(self.record.object(), reason, note).await;
    }
}
