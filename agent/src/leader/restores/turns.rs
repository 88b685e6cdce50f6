//! Restores wait for their turn: of those that write to the same places, one after the other. Who has begun under another leader
//! goes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use clusterbackup_api::Restore;
use clusterbackup_api::restore::{ConflictPolicy, RestorePhase};
use clusterbackup_core::restore::{Restoring, Targets};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use crate::leader::error::{Doing as _, DriveError};

/// Restores that nobody drives yet are looked for so often.
const LOOK: Duration = Duration::from_secs(5);

/// The restores that are driven, by their uids.
#[derive(Debug, Default)]
pub(super) struct Turns(watch::Sender<BTreeMap<String, Restoring>>);

/// One of them, until it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    uid: String,
}

impl Turns {
    /// A restore is driven.
    pub(super) fn enter(self: &Arc<Self>, restore: &Restore) -> Turn {
        let uid = restore.uid().unwrap_or_default();
        self.0
            .send_modify(|known| _ = known.insert(uid.clone(), restoring(restore)));
        Turn {
            turns: self.clone(),
            uid,
        }
    }

    /// Begins if nobody is in the way; else says what it waits for.
    fn begin(&self, uid: &str, targets: &Targets, elsewhere: &BTreeMap<String, Restoring>) -> Option<String> {
        let mut reason = None;
        self.0.send_if_modified(|known| {
            let Some(mut ours) = known.get(uid).cloned() else {
                return false;
            };
            ours.targets = Some(targets.clone());
            let undriven = elsewhere.iter().filter(|(other, _)| !known.contains_key(*other));
            let others = known.iter().chain(undriven).filter(|(other, _)| *other != uid);
            reason = ours
                .waits(others.map(|(_, other)| other))
                .map(|wait| wait.to_string());
            ours.began |= reason.is_none();
            let before = known.insert(uid.to_owned(), ours.clone());
            before.as_ref() != Some(&ours)
        });
        reason
    }
}

impl Turn {
    /// Waits until nobody is in the way, and tells what it waits for.
    pub(super) async fn come(
        &self,
        client: &Client,
        targets: &Targets,
        mut tell: impl FnMut(String),
    ) -> Result<(), DriveError> {
        let mut changes = self.turns.0.subscribe();
        loop {
            changes.borrow_and_update();
            let elsewhere = under_way(client).await?;
            let Some(reason) = self.turns.begin(&self.uid, targets, &elsewhere) else {
                return Ok(());
            };
            tell(reason);
            tokio::select! {
                news = changes.changed() => news.map_err(|_| DriveError::Ended("the restores"))?,
                () = sleep(LOOK) => {}
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.0.send_modify(|known| _ = known.remove(&self.uid));
    }
}

/// Those that have begun, by what they say themselves: a leader who has just begun may not drive all of them yet.
async fn under_way(client: &Client) -> Result<BTreeMap<String, Restoring>, DriveError> {
    let all = Api::<Restore>::all(client.clone())
        .list(&ListParams::default())
        .await;
    let all = all.doing("look for restores that are under way")?;
    let begun = all
        .items
        .iter()
        .filter(|restore| restore.phase() == Some(RestorePhase::Running));
    Ok(begun
        .map(|restore| (restore.uid().unwrap_or_default(), restoring(restore)))
        .collect())
}

fn restoring(restore: &Restore) -> Restoring {
    let made = restore.creation_timestamp();
    Restoring {
        name: format!(
            "{}/{}",
            restore.namespace().unwrap_or_default(),
            restore.name_any()
        ),
        made: made.map(|made| made.0.to_string()).unwrap_or_default(),
        writes: matches!(
            restore.spec.conflict_policy,
            ConflictPolicy::Patch | ConflictPolicy::Replace
        ),
        began: restore.phase() == Some(RestorePhase::Running),
        targets: None,
    }
}
