//! Shows in the cluster what the vaults have: their points as `RecoveryPoint`s, whoever made them. A vault is looked at when
//! it changes, when one of its `RecoveryPoint`s is deleted or comes, and now and then.
//!
//! The vault is the truth. Deleting the objects deletes no data: they come again.
//!
//! - `tiers`, `inventory`: what a vault has, as far as that was read
//! - `archives`: the same of a vault of Velero's backups
//! - `copies`: points on their way into the vault tier
//! - `adoption`: points of clusters that are gone become ours
//! - `life`, `terms`, `readers`: what becomes of its points, and by what
//! - `snapshots`: those of points that are purged
//! - `garbage`: attempts at points that ended too early, or too late
//! - `audit`: snapshots that no point names
//! - `difference`: what has to be done so that the cluster shows it
//! - `pass`: one vault, looked at once

mod adoption;
mod archives;
mod audit;
mod copies;
mod difference;
mod garbage;
mod inventory;
mod life;
mod pass;
mod readers;
mod snapshots;
mod terms;
mod tiers;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use clusterbackup_api::recovery_point::{PointState, Wanted};
use clusterbackup_api::{BackupVault, RecoveryPoint};
use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use self::tiers::Tiers;
use super::error::DriveError;
use super::world::World;

/// Between two looks at a vault of which nothing is heard.
const PAUSE: Duration = Duration::from_secs(30);
/// What changes at once is looked at once.
const SOON: Duration = Duration::from_millis(200);
/// Between two looks for snapshots that no point names.
const AUDIT: Duration = Duration::from_hours(1);
/// The same, where not all vaults could be read.
const AUDIT_AGAIN: Duration = Duration::from_mins(5);
/// Objects a page.
const PAGE: u32 = 500;

/// A vault's namespace and name.
type Key = (String, String);

/// The vaults of the cluster.
struct Catalogues {
    world: World,
    known: BTreeMap<Key, Known>,
    /// What a listing under way has named so far.
    listed: BTreeSet<Key>,
    /// Whether there was a listing that has ended.
    complete: bool,
    passes: JoinSet<(Key, Tiers)>,
    /// When somebody looks next for snapshots that no point names: when all vaults have been looked at.
    audit: Instant,
    audits: JoinSet<()>,
}

/// A vault, and when it is looked at next.
struct Known {
    vault: BackupVault,
    due: Instant,
    /// What is known of it; nothing while somebody looks.
    tiers: Option<Tiers>,
}

/// Looks at vaults for as long as it is polled. It ends only by a failure of its own.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    let config = || watcher::Config::default().page_size(PAGE);
    let vaults = Api::<BackupVault>::all(world.client.clone());
    let mut vaults = pin!(watcher(vaults, config()).default_backoff());
    let points = Api::<RecoveryPoint>::all(world.client.clone());
    let mut points = pin!(watcher(points, config()).default_backoff());
    let mut catalogues = Catalogues {
        world,
        known: BTreeMap::new(),
        listed: BTreeSet::new(),
        complete: false,
        passes: JoinSet::new(),
        audit: Instant::now(),
        audits: JoinSet::new(),
    };
    loop {
        let due = catalogues.next();
        tokio::select! {
            event = vaults.next() => match event {
                Some(Ok(event)) => catalogues.absorb(event),
                Some(Err(error)) => warn!(%error, "watching BackupVaults"),
                None => return Err(DriveError::Ended("the watch of BackupVaults")),
            },
            event = points.next() => match event {
                Some(Ok(event)) => catalogues.hear(&event),
                Some(Err(error)) => warn!(%error, "watching RecoveryPoints"),
                None => return Err(DriveError::Ended("the watch of RecoveryPoints")),
            },
            Some(passed) = catalogues.passes.join_next() => match passed {
                Ok((key, tiers)) => {
                    catalogues.put_back(&key, tiers);
                    catalogues.look_for_strays();
                }
                Err(error) => warn!(%error, "looking at a vault"),
            },
            Some(audited) = catalogues.audits.join_next() => if let Err(error) = audited {
                warn!(%error, "looking for snapshots that no recovery point names");
            },
            () = sleep_until(due) => {
                catalogues.look();
                catalogues.look_for_strays();
            }
        }
    }
}

impl Catalogues {
    fn absorb(&mut self, event: Event<BackupVault>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(vault) => {
                self.listed.insert(key(&vault));
                self.see(vault);
            }
            Event::InitDone => {
                self.known.retain(|key, _| self.listed.contains(key));
                self.complete = true;
            }
            Event::Apply(vault) => self.see(vault),
            Event::Delete(vault) => drop(self.known.remove(&key(&vault))),
        }
    }

    fn see(&mut self, vault: BackupVault) {
        let known = self.known.remove(&key(&vault));
        self.known.insert(key(&vault), Known::since(known, vault));
    }

    /// What is new of a point is a reason to look at its vault.
    fn hear(&mut self, event: &Event<RecoveryPoint>) {
        let (Event::Apply(point) | Event::Delete(point)) = event else {
            return;
        };
        let settled = matches!(event, Event::Apply(_)) && is_settled(point);
        let key = (point.namespace().unwrap_or_default(), point.spec.vault.clone());
        if let Some(known) = self.known.get_mut(&key).filter(|_| !settled) {
            known.due = known.due.min(Instant::now() + SOON);
        }
    }

    /// When somebody has to look next.
    fn next(&self) -> Instant {
        let idle = self.known.values().filter(|known| known.tiers.is_some());
        let next = idle.map(|known| known.due).min();
        next.unwrap_or_else(|| Instant::now() + PAUSE)
    }

    /// Looks at every vault that is due, at all of them at once: one that doesn't answer keeps nobody from the others.
    fn look(&mut self) {
        let now = Instant::now();
        for (key, known) in self.known.iter_mut().filter(|(_, known)| known.due <= now) {
            let Some(mut tiers) = known.tiers.take() else {
                continue;
            };
            known.due = now + PAUSE;
            let (world, vault, key) = (self.world.clone(), known.vault.clone(), key.clone());
            self.passes.spawn(async move {
                pass::pass(&world, &vault, &mut tiers).await;
                (key, tiers)
            });
        }
    }

    /// Looks for snapshots that no point names, if all vaults have been looked at meanwhile.
    fn look_for_strays(&mut self) {
        let now = Instant::now();
        let home = self.known.values().all(|known| known.tiers.is_some());
        if now < self.audit || !self.complete || !home || !self.audits.is_empty() {
            return;
        }
        let mut named = audit::Named::default();
        for Known { vault, tiers, .. } in self.known.values() {
            if let Some(tiers) = tiers {
                named.add(vault, tiers);
            }
        }
        self.audit = now + if named.is_partial() { AUDIT_AGAIN } else { AUDIT };
        let world = self.world.clone();
        self.audits
            .spawn(async move { audit::look(&world, &named).await });
    }

    fn put_back(&mut self, key: &Key, tiers: Tiers) {
        if let Some(known) = self.known.get_mut(key) {
            known.tiers.get_or_insert(tiers);
        }
    }
}

impl Known {
    /// As it is seen now: what it says is looked at once, what others write into it changes nothing.
    fn since(before: Option<Self>, vault: BackupVault) -> Self {
        let same = before.filter(|known| known.vault.uid() == vault.uid());
        let Some(before) = same else {
            return Self {
                vault,
                due: Instant::now(),
                tiers: Some(Tiers::default()),
            };
        };
        let unchanged = before.vault.metadata.generation == vault.metadata.generation;
        Self {
            vault,
            due: if unchanged { before.due } else { Instant::now() },
            tiers: before.tiers,
        }
    }
}

/// Whether nothing is asked of a point that nobody has answered.
fn is_settled(point: &RecoveryPoint) -> bool {
    let state = point.status.as_ref().map(|status| status.state);
    match (state, point.spec.wanted) {
        (None, _) => false,
        (Some(state), Some(Wanted::Present)) => state != Some(PointState::Deleted),
        (Some(state), Some(Wanted::Deleted)) => state != Some(PointState::Available),
        (Some(_), None) => true,
    }
}

fn key(vault: &BackupVault) -> Key {
    (vault.namespace().unwrap_or_default(), vault.name_any())
}
