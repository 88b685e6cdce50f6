//! One backup, driven from where it stands to its end. Every step can be taken up again from what is in the cluster:
//! by the same leader after a failure, by another one after a change of leaders.

mod base;
mod end;
mod store;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::backup::{BackupPhase, BackupStatus, ObjectCounts};
use clusterbackup_api::{Backup, labels, schema};
use clusterbackup_core::cut::Group;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

use self::base::Base;
use self::work::Work;
use super::conditions::{self, Freedom};
use super::contents::Purpose;
use super::discard::discard;
use super::error::DriveError;
use super::events::Reason;
use super::fleet::{Key, Orders};
use super::groups;
use super::limits;
use super::plan::{Plan, plan};
use super::record::Record;
use super::subject::{PlanError, Subject};
use super::tasks::Tasks;
use super::vaults;
use super::world::World;

/// A plan that could not be made for so long will not be made.
const PLANNING: Duration = Duration::from_mins(10);

/// A backup that is driven.
struct Drive {
    world: Arc<World>,
    record: Record<Backup>,
    tasks: Tasks,
    orders: watch::Receiver<Orders>,
    uid: String,
}

/// Drives the backup to its end, and removes what is left of one that is being deleted.
pub(super) async fn drive(
    world: Arc<World>,
    key: Key,
    orders: watch::Receiver<Orders>,
) -> Result<(), DriveError> {
    let Key { namespace, name, uid } = key;
    let Some(record) = Record::read(world.client.clone(), &namespace, &name, &uid).await? else {
        return Ok(());
    };
    let tasks = Tasks::of(world.tasks(), (labels::BACKUP_UID, &uid), world.epoch);
    let drive = Drive {
        world,
        record,
        tasks,
        orders,
        uid,
    };
    drive.run().await
}

impl Drive {
    async fn run(mut self) -> Result<(), DriveError> {
        let phase = self.record.status().phase;
        if phase.is_none() && self.wanted() == Orders::Delete {
            return Ok(());
        }
        if !phase.is_some_and(BackupPhase::is_end) {
            self.record.set_finalizer(labels::NODE_TASKS, true).await?;
            let base = if phase == Some(BackupPhase::Running) {
                self.adopt().await?
            } else {
                self.prepare().await?
            };
            if let Some(base) = base {
                self.work(base).await?;
            }
        }
        if self.wanted() == Orders::Delete {
            self.tasks.delete_all().await?;
            self.record.set_finalizer(labels::NODE_TASKS, false).await?;
        }
        Ok(())
    }

    fn wanted(&self) -> Orders {
        *self.orders.borrow()
    }

    /// Plans, and makes the tasks; none when it ended with that. What only a person can change ends it, and what does
    /// not change for long.
    async fn prepare(&mut self) -> Result<Option<Base>, DriveError> {
        match self.try_to_prepare().await {
            Ok(base) => Ok(base),
            Err(PlanError::Unread(error)) if !error.is_final() && !self.has_planned_for(PLANNING) => {
                Err(error)
            }
            Err(problem) => {
                self.tasks.delete_all().await?;
                let mut status = self.record.status();
                if let PlanError::Impossible { obstacle, message } = &problem {
                    conditions::refuse(&mut status, *obstacle, message);
                }
                self.stop_at(status, BackupPhase::Failed, &problem.to_string())
                    .await?;
                Ok(None)
            }
        }
    }

    async fn try_to_prepare(&mut self) -> Result<Option<Base>, PlanError> {
        // Of an earlier attempt nothing has begun.
        self.tasks.delete_all().await?;
        self.take_labels_off().await?;
        let mut status = self.record.status();
        status.phase = Some(BackupPhase::Planning);
        status
            .started_at
            .get_or_insert_with(|| MicroTime(Timestamp::now()));
        conditions::write(&mut status, Freedom::All);
        self.record.write(status).await?;
        if self.wanted() != Orders::Run {
            self.stop(BackupPhase::Cancelled, "cancelled before anything had begun")
                .await?;
            return Ok(None);
        }
        let plan = self.plan().await?;
        Ok(Some(self.carry_out(plan).await?))
    }

    async fn plan(&self) -> Result<Plan, PlanError> {
        let subject = Subject::read(&self.world.client, self.record.object()).await?;
        // Nothing is frozen for a point that could not be stored.
        if let Some(vault) = &subject.instance.spec.vault {
            limits::check(&self.world.client, self.record.object(), vault).await?;
            vaults::attempt(&self.world, self.record.object(), vault).await?;
        }
        plan(&self.world, self.record.object(), &subject).await
    }

    /// Puts labels on claims and makes the tasks; nothing begins before all of them are there.
    async fn carry_out(&mut self, plan: Plan) -> Result<Base, DriveError> {
        for (claim, value) in &plan.labels {
            groups::put_on(&self.world.client, claim, value, &self.uid).await?;
        }
        for task in &plan.tasks {
            self.tasks.create(task).await?;
        }
        let base = Base {
            skipped: plan.skipped,
            warnings: plan.warnings,
        };
        let tasks = plan.tasks.iter().map(|task| (task, false));
        let mut status = base.running(self.record.status(), tasks, &BTreeMap::new(), &[]);
        status.objects = plan.stores.then(ObjectCounts::default);
        let note = format!(
            "{} NodeTasks, {} claims, {} pods with hooks",
            plan.tasks.len(),
            status.counts.claims,
            status.counts.pods
        );
        self.record.write(status).await?;
        self.tell(Reason::Started, note).await;
        Ok(base)
    }

    /// Goes on with what another leader began; none when there is nothing to go on with.
    async fn adopt(&mut self) -> Result<Option<Base>, DriveError> {
        self.tasks.changed().await?;
        let status = self.record.status();
        if self.tasks.iter().next().is_none() && status.counts.claims > status.counts.skipped {
            discard(&self.world.client, &self.uid, &BTreeSet::new()).await?;
            self.stop(BackupPhase::Failed, "somebody deleted its NodeTasks")
                .await?;
            return Ok(None);
        }
        let note = format!("goes on under epoch {}", self.world.epoch);
        self.tell(Reason::Adopted, note).await;
        Ok(Some(Base::of(&status, &self.tasks)))
    }

    async fn work(&mut self, base: Base) -> Result<(), DriveError> {
        let vault = if self.stores() {
            vaults::id_for(&self.world.client, self.record.object()).await?
        } else {
            None
        };
        let purpose = Purpose {
            backup: self.uid.clone(),
            vault,
        };
        let outcome = Work::new(self, base, purpose).run().await?;
        self.end(outcome).await
    }

    /// Ends a backup of which nothing has begun.
    async fn stop(&mut self, phase: BackupPhase, message: &str) -> Result<(), DriveError> {
        self.stop_at(self.record.status(), phase, message).await
    }

    async fn stop_at(
        &mut self,
        mut status: BackupStatus,
        phase: BackupPhase,
        message: &str,
    ) -> Result<(), DriveError> {
        status.phase = Some(phase);
        status.message = Some(schema::bounded(message).into_owned());
        self.close(status, Freedom::All).await
    }

    /// Writes the last status, tells people, and counts.
    async fn close(&mut self, mut status: BackupStatus, freedom: Freedom) -> Result<(), DriveError> {
        self.take_labels_off().await?;
        let now = Timestamp::now();
        status.finished_at = Some(MicroTime(now));
        conditions::write(&mut status, freedom);
        let took = status
            .started_at
            .as_ref()
            .map(|start| now.duration_since(start.0));
        let took = took.and_then(|took| Duration::try_from(took).ok());
        self.record.write(status.clone()).await?;
        self.world.metrics.ended(&status, took);
        let reason = match status.phase {
            Some(BackupPhase::Completed) => Reason::Completed,
            Some(BackupPhase::Cancelled) => Reason::Cancelled,
            Some(BackupPhase::Failed) => Reason::Failed,
            _ => Reason::CompletedWithWarnings,
        };
        self.tell(reason, status.message.unwrap_or_default()).await;
        Ok(())
    }

    async fn take_labels_off(&self) -> Result<(), DriveError> {
        groups::take_off(&self.world.client, |value| {
            Group::is_temporary_of(value, &self.uid)
        })
        .await
    }

    async fn tell(&self, reason: Reason, note: String) {
        self.world.events.tell(self.record.object(), reason, note).await;
    }

    fn has_planned_for(&self, limit: Duration) -> bool {
        let started = self.record.status().started_at;
        let since = started.map(|start| Timestamp::now().duration_since(start.0));
        since
            .and_then(|since| Duration::try_from(since).ok())
            .is_some_and(|since| since > limit)
    }
}
