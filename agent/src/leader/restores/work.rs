//! The work of one restore: its waves, one after the other, and the owners of what they made.
//!
//! - `look`: whether anything stands against it

mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clusterbackup_api::Restore;
use clusterbackup_api::requester::{NoRequester, Requester};
use clusterbackup_api::restore::Mode;
use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{
    Certainty, Conflicts, ObjectReport, Outcome, Prepared, Ready, Targets, Wave, prepare,
};
use clusterbackup_vault::point::{Entry, PointReader};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::ResourceExt as _;
use tokio_util::sync::CancellationToken;

use super::hooks::{Asked, Run, Teller};
use super::interception;
use super::kinds::CustomKinds;
use super::object::{Created, Creator, Fate};
use super::owners::{self, Owned};
use super::plan::{self, Plan};
use super::preview::Preview;
use super::progress::Progress;
use super::readiness::{self, Awaited, Known};
use super::source;
use super::stand_in::{Place, StandIn};
use super::targets;
use super::volumes::{Helpers, Sources};
use crate::leader::point_failure::PointFailure;
use crate::leader::world::World;

/// Objects of a wave that are brought at a time.
const AT_ONCE: usize = 32;

/// A restore that is carried out.
pub(super) struct Work<'a> {
    world: &'a World,
    plan: Plan,
    reader: PointReader,
    creator: Creator,
    /// Who makes what claims are filled from, by the leader's own rights: nobody in a preview.
    sources: Option<Sources<'a>>,
    progress: &'a Progress,
    stop: &'a CancellationToken,
    readiness_timeout: Duration,
    made: Mutex<Made>,
    restore: &'a Restore,
    hooks: Arc<Asked>,
    /// Tells whoever runs the hooks what is created.
    teller: Option<Teller>,
    /// Of a restore that only finds out what it would do.
    preview: Option<Preview>,
}

/// What there is by now.
#[derive(Default)]
struct Made {
    /// Uids, by those in the backup.
    uids: BTreeMap<String, String>,
    /// Objects that have owners.
    owned: Vec<Owned>,
    /// Custom kinds whose definitions this restore has created.
    young: BTreeSet<String>,
    /// Namespaces that nothing can be restored into, and why.
    closed: BTreeMap<String, String>,
    /// What tells whether it is ready.
    awaited: Awaited,
}

impl<'a> Work<'a> {
    /// Reads the point and plans.
    pub(super) async fn prepare(
        world: &'a World,
        restore: &'a Restore,
        helpers: &'a Helpers,
        progress: &'a Progress,
        stop: &'a CancellationToken,
    ) -> Result<Self, PointFailure> {
        let requester = requester(restore)?;
        let stand_in = StandIn::of(&world.client, requester, restore.spec.mode);
        let stand_in = stand_in.map_err(|error| PointFailure::Final(error.to_string()))?;
        let reader = source::open(world, restore, &stand_in).await?;
        let plan = Plan::make(world, restore, requester, &reader).await?;
        let hooks = Asked::read(world, restore, (requester, &stand_in), plan.namespaces.keys()).await?;
        let rules = interception::freeze(world, restore, requester, &stand_in).await?;
        progress.expect(plan.total);
        for (namespace, reason) in hooks.refused() {
            progress.warn(&namespace, Outcome::Created, reason);
        }
        let preview = match restore.spec.mode {
            Mode::Apply => None,
            Mode::Preview => Some(Preview::begin(&world.client, plan.namespaces.keys()).await?),
        };
        Ok(Self {
            creator: Creator {
                stand_in,
                uid: restore.uid().unwrap_or_default(),
                rules,
                conflicts: plan.terms.conflicts.clone(),
                kinds: CustomKinds::new(world.client.clone()),
                client: world.client.clone(),
            },
            sources: preview.is_none().then_some(Sources {
                client: &world.client,
                requester,
                helpers,
            }),
            world,
            plan,
            reader,
            progress,
            stop,
            readiness_timeout: restore.spec.readiness_timeout.duration(),
            made: Mutex::default(),
            restore,
            hooks: Arc::new(hooks),
            teller: None,
            preview,
        })
    }

    /// What it writes to.
    pub(super) fn targets(&self) -> Targets {
        self.plan.targets()
    }

    /// Whether nothing stands against it that is in the cluster already.
    pub(super) async fn check(&self) -> Result<(), PointFailure> {
        if self.plan.terms.conflicts == Conflicts::Fail {
            self.look().await?;
        }
        Ok(())
    }

    /// Brings everything, as far as nobody stops it.
    pub(super) async fn run(mut self) -> Result<(), PointFailure> {
        // Nothing runs in pods that nobody creates.
        if self.hooks.is_nothing() || self.preview.is_some() {
            return self.bring_all().await;
        }
        let (teller, hooks) = Run::begin(self.world, self.restore, self.hooks.clone(), self.progress);
        self.teller = Some(teller);
        let run = async { Ok(Box::pin(hooks.run(self.stop)).await?) };
        match tokio::try_join!(self.bring_all(), run)? {
            ((), Some(broken)) => Err(PointFailure::Final(broken.to_string())),
            ((), None) => Ok(()),
        }
    }

    async fn bring_all(&self) -> Result<(), PointFailure> {
        for wave in Wave::ALL {
            if self.plan.waves.contains(&wave) && !self.stop.is_cancelled() {
                self.progress.reach(wave);
                self.bring(wave).await?;
            }
        }
        let Made {
            uids, owned, awaited, ..
        } = std::mem::take(&mut *self.made());
        owners::link(&self.creator.stand_in, self.progress, self.stop, &uids, owned).await;
        if let Some(teller) = &self.teller {
            teller.all().await;
        }
        if !self.stop.is_cancelled() {
            self.become_ready(&awaited).await?;
        }
        Ok(())
    }

    /// Waits until what was created is ready, as long as that was asked for, and tells what isn't.
    async fn become_ready(&self, awaited: &Awaited) -> Result<(), PointFailure> {
        if self.readiness_timeout.is_zero() || awaited.is_empty() {
            return Ok(());
        }
        let client = &self.world.client;
        let show = |known: &Known| self.progress.readiness(known);
        let known = awaited
            .ready(client, self.readiness_timeout, self.stop, show)
            .await?;
        if !self.stop.is_cancelled() {
            for (id, reason) in readiness::explain(client, awaited, &known).await {
                self.progress.warn(&id, Outcome::Created, &reason);
            }
        }
        Ok(())
    }

    /// Brings what has its turn.
    async fn bring(&self, wave: Wave) -> Result<(), PointFailure> {
        if wave == Wave::Namespaces && self.preview.is_none() {
            self.clear_the_way().await;
        }
        let objects = self.reader.objects(|entry| self.plan.has_its_turn(entry, wave));
        let objects = objects.take_until(self.stop.cancelled());
        objects
            .map_err(PointFailure::from)
            .try_for_each_concurrent(AT_ONCE, async |entry| {
                self.progress.lines.room().await;
                self.object(entry, wave).await;
                self.creator.rules.allow()
            })
            .await?;
        if wave == Wave::Namespaces && !self.stop.is_cancelled() {
            self.make_namespaces().await;
        }
        if wave == Wave::Claims {
            let awaited = self.made().awaited.clone();
            let limit = self.readiness_timeout;
            awaited.bound(&self.world.client, limit, self.stop).await?;
        }
        self.creator.rules.allow()
    }

    /// Waits for namespaces that are going.
    async fn clear_the_way(&self) {
        let names = self.plan.namespaces.keys();
        self.close(names.map(|name| (name, targets::free(&self.world.client, name))))
            .await;
    }

    /// Makes the namespaces that the point doesn't have.
    async fn make_namespaces(&self) {
        let closed = self.made().closed.clone();
        let open = self
            .plan
            .namespaces
            .keys()
            .filter(|name| !closed.contains_key(*name));
        let (client, creator) = (&self.world.client, &self.creator);
        self.close(open.map(|name| (name, targets::make(client, creator, name))))
            .await;
    }

    /// Remembers into which namespaces nothing can be restored.
    async fn close<'n, F>(&self, checks: impl Iterator<Item = (&'n String, F)>)
    where
        F: Future<Output = Result<(), String>>,
    {
        let checks = stream::iter(checks).take_until(self.stop.cancelled());
        let closed = checks.for_each_concurrent(AT_ONCE, async |(name, check)| {
            if let Err(reason) = check.await {
                if let Some(preview) = &self.preview {
                    preview.close(name);
                }
                self.made().closed.insert(name.clone(), reason);
            }
        });
        closed.await;
    }

    async fn object(&self, entry: Entry, wave: Wave) {
        let origin = entry.id();
        if let Some(reason) = self.plan.refusal(&origin) {
            return self.unmade(origin, wave, Outcome::Failed, reason);
        }
        let Ok(object) = serde_json::from_slice(&entry.json) else {
            let reason = "the recovery point holds something for it that is no JSON";
            return self.unmade(origin, wave, Outcome::Failed, reason.to_owned());
        };
        match prepare(object, &origin.kind, &self.plan.terms, &self.plan.survey) {
            Prepared::Create(ready) => self.create(*ready, wave).await,
            Prepared::LeftOut(reason) => self.unmade(origin, wave, Outcome::LeftOut, reason.to_string()),
            Prepared::WithoutData(reason) => self.unmade(origin, wave, Outcome::Failed, reason.to_string()),
        }
    }

    /// Records an object that nobody tries to create.
    fn unmade(&self, origin: ObjectId, wave: Wave, outcome: Outcome, reason: String) {
        let target = self.plan.terms.mappings.place(&origin);
        self.progress.record(ObjectReport {
            message: Some(reason),
            certainty: self.preview.is_some().then_some(Certainty::Certain),
            ..ObjectReport::new(origin, target, wave, outcome)
        });
    }

    async fn create(&self, mut ready: Ready, wave: Wave) {
        let (closed, young) = {
            let made = self.made();
            let closed = plan::scope(&ready.target).and_then(|name| made.closed.get(name).cloned());
            (closed, made.young.contains(ready.target.kind.as_str()))
        };
        let there = self.namespace(&ready).await;
        let fate = match (closed, there) {
            (Some(reason), _) => Fate::Failed(reason.into()),
            (None, Some(fate)) => fate,
            (None, None) => match self.bring_source(&mut ready).await {
                Ok(()) => self.creator.bring(&ready, young).await,
                Err(reason) => Fate::Failed(reason.into()),
            },
        };
        if let Some(preview) = &self.preview {
            return self.progress.record(preview.judge(&ready, wave, &fate));
        }
        let mut report = fate.report(&ready, wave);
        if let Fate::Created(created) | Fate::Replaced(created, _) = fate {
            report.warnings = self.created(ready, created).await;
        }
        self.progress.record(report);
    }

    /// Brings what a claim is filled from; a preview has nobody who could.
    async fn bring_source(&self, ready: &mut Ready) -> Result<(), String> {
        match &self.sources {
            Some(sources) => sources.bring(ready).await,
            None => Ok(()),
        }
    }

    /// What of a Namespace that is there.
    async fn namespace(&self, ready: &Ready) -> Option<Fate> {
        if ready.target.kind != Kind::namespaces() {
            return None;
        }
        let found = targets::existing(&self.world.client, &ready.target.name).await;
        let live = serde_json::to_value(found.ok()??).ok()?;
        Some(self.creator.settle(ready, live).await)
    }

    /// Remembers what others need of it, and waits until it serves them; answers what is not as it should be.
    async fn created(&self, mut ready: Ready, created: Created) -> Vec<String> {
        let Created {
            uid,
            name,
            is_guarded,
        } = created;
        ready.target.name = name;
        if let Some(teller) = &self.teller {
            teller.created(&ready, &uid).await;
        }
        let place = Place::of(&ready.target, &ready.object);
        let Ready {
            object,
            target,
            uid: old,
            owners,
            warning,
            ..
        } = ready;
        let mut warnings: Vec<_> = warning.iter().map(ToString::to_string).collect();
        let is_definition = target.kind == Kind::definitions();
        let name = target.name.clone();
        if !is_guarded {
            warnings.push("it is created, and the webhook has not applied the rules to it".to_owned());
            self.creator.rules.give_up(&target.to_string());
        }
        {
            let mut made = self.made();
            made.uids.extend(old.map(|old| (old, uid)));
            made.awaited.add(&target, place.kind(), &object);
            if is_definition {
                made.young.insert(name.clone());
            }
            if !owners.is_empty() {
                made.owned.push(Owned {
                    target,
                    place,
                    owners,
                });
            }
        }
        if is_definition {
            warnings.extend(targets::served(&self.world.client, &name).await.err());
        }
        warnings
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn requester(restore: &Restore) -> Result<&Requester, PointFailure> {
    let recorded = restore.spec.requester.as_ref().ok_or(NoRequester::Missing);
    recorded.map_err(|problem| PointFailure::Final(problem.to_string()))
}
