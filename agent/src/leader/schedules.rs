//! Has BackupInstances backed up when their BackupPolicies say so. What is done stands in the status of the instance, since
//! backups may be deleted; and the name of a backup follows from its slot, so that none is made twice by a leader that died
//! between the two.

mod protection;
mod turn;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::backup_instance::Protection;
use clusterbackup_api::{Backup, BackupInstance, BackupPolicy, BackupSpec, BackupVault, labels};
use clusterbackup_core::schedule::{Schedule, backup_name};
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, Stream, StreamExt as _};
use jiff::Timestamp;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{info, warn};

use self::protection::Survey;
use self::turn::{Course, Note, Turn};
use super::error::{Doing as _, DriveError, OrGone as _};
use super::listed;
use super::mirror;
use super::rounds;
use super::shown::{self, shown};
use super::world::World;

/// Nothing is due for longer than this without a look: clocks are set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Between two looks at how well everything is protected.
const SURVEY: Duration = Duration::from_secs(15);
/// Before another attempt at what could not be done.
const PAUSE: Duration = Duration::from_secs(5);

/// A namespace and a name.
type Key = (String, String);

/// The instances of the cluster and what they go by.
pub(super) struct Schedules {
    world: World,
    instances: Store<BackupInstance>,
    policies: Store<BackupPolicy>,
    backups: Store<Backup>,
    vaults: Store<BackupVault>,
    /// When each instance is looked at next.
    due: BTreeMap<Key, Instant>,
}

/// What was done of a turn.
enum Done {
    All,
    Nothing,
}

/// What may have something to do with an instance.
enum Change {
    Instance(Key),
    Policy(Key),
    Vault(Key),
    Everything,
}

impl Schedules {
    /// Sees to it for as long as it is polled. It ends only by a failure of its own.
    pub(super) async fn run(world: World) -> Result<(), DriveError> {
        let (instances, of_instances) = shown::<BackupInstance>(&world.client, |_| {});
        let (policies, of_policies) = shown::<BackupPolicy>(&world.client, |_| {});
        let (backups, of_backups) = shown::<Backup>(&world.client, slim);
        let (vaults, of_vaults) = shown::<BackupVault>(&world.client, |_| {});
        let of_backup = |backup: &Backup| {
            Change::Instance((
                backup.namespace().unwrap_or_default(),
                backup.spec.instance.clone(),
            ))
        };
        let mut changes = stream::select_all([
            changes(of_instances, |instance| Change::Instance(key(instance))),
            changes(of_policies, |policy| Change::Policy(key(policy))),
            changes(of_backups, of_backup),
            changes(of_vaults, |vault| Change::Vault(key(vault))),
        ]);
        let mut schedules = Self {
            world,
            instances,
            policies,
            backups,
            vaults,
            due: BTreeMap::new(),
        };
        let mut surveys = interval(SURVEY);
        surveys.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = schedules.next();
            tokio::select! {
                // What has been told is taken in before anything is decided.
                biased;
                change = changes.next() => match change {
                    Some(change) => schedules.mark(&change),
                    None => return Err(DriveError::Ended("the watch of what is scheduled")),
                },
                () = sleep_until(next) => schedules.look().await,
                _ = surveys.tick() => schedules.survey(),
            }
        }
    }

    /// Has the instances looked at that a change may concern.
    fn mark(&mut self, change: &Change) {
        let now = Instant::now();
        let instances = self.instances.state();
        let beside = |instance: &BackupInstance, named: Option<&String>, (namespace, name): &Key| {
            instance.namespace().as_ref() == Some(namespace) && named == Some(name)
        };
        let concerned = instances.iter().filter(|instance| match change {
            Change::Instance(changed) => key(instance.as_ref()) == *changed,
            Change::Policy(policy) => beside(instance, instance.spec.policy.as_ref(), policy),
            Change::Vault(vault) => beside(instance, instance.spec.vault.as_ref(), vault),
            Change::Everything => true,
        });
        self.due
            .extend(concerned.map(|instance| (key(instance.as_ref()), now)));
    }

    fn next(&self) -> Instant {
        let longest = Instant::now() + LONGEST_WAIT;
        self.due.values().min().map_or(longest, |due| longest.min(*due))
    }

    /// Looks at every instance that is due. Nothing is decided before everything was listed: a backup may run.
    async fn look(&mut self) {
        let all = self.is_listed();
        let now = Instant::now();
        let due = self.due.iter().filter(|(_, due)| **due <= now);
        for key in due.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let (namespace, name) = &key;
            let instance = ObjectRef::new(name).within(namespace);
            match self.instances.get(&instance) {
                Some(instance) if all => {
                    let pause = self.look_at(&instance).await;
                    self.due.insert(key, Instant::now() + pause);
                }
                Some(_) => drop(self.due.insert(key, now + PAUSE)),
                None => drop(self.due.remove(&key)),
            }
        }
    }

    fn is_listed(&self) -> bool {
        let listed = [
            self.instances.wait_until_ready().now_or_never(),
            self.policies.wait_until_ready().now_or_never(),
            self.backups.wait_until_ready().now_or_never(),
            self.vaults.wait_until_ready().now_or_never(),
        ];
        listed.iter().all(Option::is_some)
    }

    /// Counts how well everything is protected.
    fn survey(&self) {
        if !self.is_listed() {
            return;
        }
        let mut survey = Survey::new(Timestamp::now());
        for instance in self.instances.state() {
            let vault = self.vault_of(&instance);
            let limit = vault.and_then(|vault| vault.spec.on_demand_a_day());
            let backups = self.backups_of(&instance);
            let backups: Vec<_> = backups.iter().map(AsRef::as_ref).collect();
            survey.add(&instance, &self.course(&instance), limit, &backups);
        }
        self.world.metrics.protects(&survey.end());
    }

    fn vault_of(&self, instance: &BackupInstance) -> Option<Arc<BackupVault>> {
        let vault = ObjectRef::new(instance.spec.vault.as_ref()?);
        self.vaults
            .get(&vault.within(&instance.namespace().unwrap_or_default()))
    }

    fn backups_of(&self, instance: &BackupInstance) -> Vec<Arc<Backup>> {
        let (namespace, name) = key(instance);
        self.backups.state_filter(|backup| {
            backup.spec.instance == name && backup.namespace().as_ref() == Some(&namespace)
        })
    }

    /// Looks at an instance, and says when to look again.
    async fn look_at(&self, instance: &BackupInstance) -> Duration {
        let now = Timestamp::now();
        let (namespace, name) = key(instance);
        let backups = self.backups_of(instance);
        let backups: Vec<_> = backups.iter().map(AsRef::as_ref).collect();
        let turn = Turn::of(instance, &self.course(instance), &backups, now);
        match self.carry_out(instance, &turn).await {
            Ok(Done::All) => {}
            Ok(Done::Nothing) => return PAUSE,
            Err(error) => {
                warn!(%error, namespace, instance = name, "following the schedule of an instance; trying again");
                return PAUSE;
            }
        }
        let wait = turn.wake.map(|wake| wake.duration_since(now));
        let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
        wait.map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
    }

    fn course(&self, instance: &BackupInstance) -> Course {
        let protected = instance.spec.protection == Protection::Protect;
        let Some(policy) = instance.spec.policy.as_ref().filter(|_| protected) else {
            return Course::Free;
        };
        let policy = ObjectRef::new(policy).within(&instance.namespace().unwrap_or_default());
        let schedule = self.policies.get(&policy).map(|policy| policy.spec.schedule());
        let allowed = |schedule: &Schedule| {
            let vault = self.vault_of(instance);
            vault.is_none_or(|vault| vault.spec.allows(schedule).is_ok())
        };
        match schedule {
            Some(Ok(schedule)) if instance.metadata.deletion_timestamp.is_none() && allowed(&schedule) => {
                Course::Follows(schedule)
            }
            _ => Course::Unknown,
        }
    }

    /// The backup comes before the note of it: who dies in between finds it by its name.
    async fn carry_out(&self, instance: &BackupInstance, turn: &Turn) -> Result<Done, DriveError> {
        if let Some((slot, missed)) = turn.start {
            if self.runs(instance).await? {
                return Ok(Done::Nothing);
            }
            self.make(instance, slot, missed).await?;
        }
        let noted = Note::of(instance);
        match rounds::report(&self.world.client, instance, Some(&noted), &turn.note).await {
            // A later version is looked at again.
            Err(error) if error.is_conflict() => {}
            reported => reported?,
        }
        let (namespace, _) = key(instance);
        let backups = Api::<Backup>::namespaced(self.world.client.clone(), &namespace);
        for name in &turn.superfluous {
            let removed = backups.delete(name, &DeleteParams::default()).await;
            removed.or_gone().doing("remove an old Backup")?;
        }
        Ok(Done::All)
    }

    /// Whether a backup of the instance runs that the watch has perhaps not told of yet.
    async fn runs(&self, instance: &BackupInstance) -> Result<bool, DriveError> {
        let (namespace, name) = key(instance);
        let backups = Api::<Backup>::namespaced(self.world.client.clone(), &namespace);
        let runs = |backup: Backup| backup.spec.instance == name && !backup.is_over();
        let found = listed::installed(&backups, shown::PAGE, runs).await?;
        Ok(found.is_some_and(|backups| backups.contains(&true)))
    }

    async fn make(
        &self,
        instance: &BackupInstance,
        slot: Timestamp,
        missed: usize,
    ) -> Result<(), DriveError> {
        let (namespace, instance) = key(instance);
        let name = backup_name(&instance, slot);
        let mut metadata = mirror::metadata(&name, &instance);
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(labels::SCHEDULED_FOR.to_owned(), slot.to_string());
        let spec = BackupSpec {
            instance: instance.clone(),
            cancel: false,
        };
        let backup = Backup {
            metadata,
            spec,
            status: None,
        };
        let backups = Api::<Backup>::namespaced(self.world.client.clone(), &namespace);
        match backups.create(&PostParams::default(), &backup).await {
            Ok(_) => {
                info!(
                    namespace,
                    instance,
                    backup = name,
                    missed,
                    "made a backup by schedule"
                );
                self.world.metrics.scheduled(missed);
                Ok(())
            }
            Err(kube::Error::Api(answer)) if answer.code == 409 => {
                let there = backups.get(&name).await.doing("read the Backup of a slot")?;
                let ours = there.spec.instance == instance;
                ours.then_some(()).ok_or(DriveError::NameTaken(name))
            }
            Err(error) => Err(error).doing("make a Backup by schedule"),
        }
    }
}

/// What is asked of a Backup here; the rest of a large one isn't kept.
fn slim(backup: &mut Backup) {
    backup.metadata.managed_fields = None;
    if let Some(status) = &mut backup.status {
        status.volumes = Vec::new();
        status.warnings = Vec::new();
        status.barriers = Vec::new();
    }
}

/// What the events of a kind mean for instances.
fn changes<K: Resource + Debug + Send + 'static>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    of: impl Fn(&K) -> Change + Send + 'static,
) -> BoxStream<'static, Change> {
    let change = move |event| match event {
        Ok(Event::Apply(object) | Event::Delete(object)) => Some(of(&object)),
        Ok(Event::InitDone) => Some(Change::Everything),
        Ok(Event::Init | Event::InitApply(_)) => None,
        Err(error) => {
            warn!(%error, "watching what is scheduled");
            None
        }
    };
    let changes = events.map(change);
    changes.filter_map(std::future::ready).boxed()
}

fn key(object: &impl Resource) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
