//! Looks for snapshots that were kept for recovery points and that no point names: a leader died between the two, or somebody
//! removed a point by hand. What is found is told of, and goes by what [`stray`] decides.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::backup_vault::Access;
use clusterbackup_api::recovery_point::PointFormat;
use clusterbackup_api::snapshots::VolumeSnapshotContent;
use clusterbackup_api::{Backup, BackupVault, labels};
use clusterbackup_core::stray::{self, Reach, Sight, Step};
use jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tracing::warn;

use super::inventory::Inventory;
use super::snapshots;
use super::tiers::Tiers;
use crate::leader::discard::discard;
use crate::leader::error::{Doing as _, DriveError, OrGone as _};
use crate::leader::events::Reason;
use crate::leader::listed;
use crate::leader::world::World;

/// A driver, and its name for a snapshot.
type Handle = (String, String);

/// What vaults name, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The points, by the uids of their Backups.
    points: BTreeSet<String>,
    /// Drivers and their handles.
    handles: BTreeSet<Handle>,
    /// The vaults that were read and that this cluster deletes from, by their ids.
    read: BTreeSet<String>,
    /// Whether something could not be read.
    unread: bool,
    /// When the first of them was read.
    since: Option<Timestamp>,
}

impl Named {
    /// Adds what one vault names. A copy in its vault tier names what its point did. Velero's backups name no snapshot of ours.
    pub(super) fn add(&mut self, vault: &BackupVault, tiers: &Tiers) {
        if vault.spec.format == PointFormat::Velero {
            return;
        }
        let id = vault.status.as_ref().and_then(|status| status.id.clone());
        match id {
            Some(id) if vault.spec.access == Access::ReadWrite => drop(self.read.insert(id)),
            // What becomes of its points is for other clusters to decide.
            Some(_) => {}
            None => self.unread = true,
        }
        self.add_tier(&tiers.operational);
        if vault.spec.vault_tier.is_some() {
            self.add_tier(&tiers.vault);
        }
    }

    fn add_tier(&mut self, inventory: &Inventory) {
        let Some(read) = inventory.read else {
            self.unread = true;
            return;
        };
        self.since = Some(self.since.map_or(read, |since| since.min(read)));
        self.points
            .extend(inventory.points.keys().map(ToString::to_string));
        let snapshots = inventory.whole().flat_map(|item| &item.manifest.snapshots);
        let handles = snapshots.map(|snapshot| (snapshot.driver.clone(), snapshot.handle.clone()));
        self.handles.extend(handles);
    }

    /// Whether not everything could be read.
    pub(super) const fn is_partial(&self) -> bool {
        self.unread
    }

    fn reach(&self, vault: &str) -> Reach {
        if self.unread {
            Reach::Part
        } else if self.read.contains(vault) {
            Reach::All
        } else {
            Reach::WithoutTheirVault
        }
    }

    /// Whether one of these is a point's, or somebody else has use of it.
    fn names(&self, backup: &str, contents: &[VolumeSnapshotContent], used: &BTreeSet<Handle>) -> bool {
        let mut handles = contents.iter().filter_map(handle);
        self.points.contains(backup)
            || handles.any(|handle| self.handles.contains(&handle) || used.contains(&handle))
    }
}

/// Looks once, after the vaults were read. What fails is tried again with the next look.
pub(super) async fn look(world: &World, named: &Named) {
    if let Err(error) = attempt(world, named).await {
        warn!(%error, "looking for snapshots that no recovery point names; trying again");
    }
}

async fn attempt(world: &World, named: &Named) -> Result<(), DriveError> {
    let all = snapshots::list(&world.client, ListParams::default()).await?;
    // Made from a handle: by a restore, or by a person.
    let (given, cut): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|content| content.spec.source.snapshot_handle.is_some());
    let used: BTreeSet<Handle> = given.iter().filter_map(handle).collect();
    let mut by_backup = BTreeMap::<_, Vec<_>>::new();
    for content in cut {
        let goes = content.metadata.deletion_timestamp.is_some();
        if goes || !content.labels().contains_key(labels::VAULT_ID) {
            continue;
        }
        let label = |name: &str| content.labels().get(name).cloned().unwrap_or_default();
        let whose = (label(labels::BACKUP_UID), label(labels::VAULT_ID));
        by_backup.entry(whose).or_default().push(content);
    }
    let at_work = if by_backup.is_empty() {
        BTreeSet::new()
    } else {
        at_work(world, named.since).await?
    };
    let mut strays = 0;
    for ((backup, vault), contents) in by_backup {
        let sight = Sight {
            named: named.names(&backup, &contents, &used),
            at_work: at_work.contains(&backup),
            reach: named.reach(&vault),
            since: since(&contents),
        };
        let step = stray::decide(sight, Timestamp::now());
        if step.is_stray() {
            strays += contents.len();
        }
        take(world, &backup, &contents, step).await?;
    }
    world.metrics.strays(strays);
    Ok(())
}

/// The backups that were at work when the vaults were read.
async fn at_work(world: &World, read: Option<Timestamp>) -> Result<BTreeSet<String>, DriveError> {
    let backups = Api::<Backup>::all(world.client.clone());
    let all = listed::all(&backups, ListParams::default())
        .await
        .doing("list the Backups")?;
    let at_work = all.iter().filter(|backup| {
        let finished = backup
            .status
            .as_ref()
            .and_then(|status| status.finished_at.as_ref());
        !backup.is_over() || finished.is_some_and(|finished| read.is_none_or(|read| finished.0 >= read))
    });
    Ok(at_work.filter_map(kube::ResourceExt::uid).collect())
}

fn handle(content: &VolumeSnapshotContent) -> Option<Handle> {
    let handle = snapshots::handle(content)?;
    Some((content.spec.driver.clone(), handle.to_owned()))
}

/// Since when looks agree about all of them.
fn since(contents: &[VolumeSnapshotContent]) -> Option<Timestamp> {
    let noted = contents.iter().map(|content| {
        let noted = content.annotations().get(labels::UNNAMED_SINCE)?;
        noted.parse::<Timestamp>().ok()
    });
    noted.collect::<Option<Vec<_>>>()?.into_iter().max()
}

async fn take(
    world: &World,
    backup: &str,
    contents: &[VolumeSnapshotContent],
    step: Step,
) -> Result<(), DriveError> {
    match step {
        Step::Leave | Step::Wait => return Ok(()),
        Step::Clear => return note(world, contents, None).await,
        Step::Note => note(world, contents, Some(Timestamp::now())).await?,
        Step::Tell => {}
        Step::Remove => {
            if !world.is_latest().await? {
                return Err(DriveError::Superseded);
            }
            // With their objects, where these are still there.
            discard(&world.client, backup, &BTreeSet::new()).await?;
            for content in contents {
                snapshots::remove(&world.client, &content.name_any()).await?;
            }
        }
    }
    for content in contents {
        let name = content.name_any();
        warn!(
            content = name,
            backup,
            ?step,
            "a snapshot is named by no recovery point"
        );
        world
            .events
            .tell(content, Reason::SnapshotUnnamed, said(step).to_owned())
            .await;
    }
    Ok(())
}

const fn said(step: Step) -> &'static str {
    match step {
        Step::Remove => "no recovery point has named it for a day: it is removed",
        Step::Tell => {
            "no recovery point names it, and the vault that it was kept for is not in the cluster, or is ReadOnly here: delete \
             it, or make a BackupVault of the same place"
        }
        _ => "no recovery point names it: if that is still so in a day, it is removed",
    }
}

/// Notes since when they are strays, or that they are none.
async fn note(
    world: &World,
    contents: &[VolumeSnapshotContent],
    since: Option<Timestamp>,
) -> Result<(), DriveError> {
    let since = since.map(|since| since.to_string());
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { labels::UNNAMED_SINCE: since } } }));
    let api = Api::<VolumeSnapshotContent>::all(world.client.clone());
    for content in contents {
        let name = content.name_any();
        let noted = api.patch(&name, &PatchParams::default(), &patch).await;
        noted.or_gone().doing(format!(
            "note since when nobody names VolumeSnapshotContent {name}"
        ))?;
    }
    Ok(())
}
