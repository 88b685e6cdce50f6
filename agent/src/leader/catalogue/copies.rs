//! Copies points into the vault tier, while the vault is looked at further. What fails is tried again, later and later, until
//! the copy would expire at once.

use std::collections::BTreeMap;
use std::time::Duration;

use clusterbackup_vault::copy::{CopyError, copy};
use clusterbackup_vault::point::PointId;
use clusterbackup_vault::store::Store;
use futures::FutureExt as _;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::inventory::Inventory;
use crate::leader::error::DriveError;
use crate::leader::world::World;

/// Before a copy is tried again: at first, and at most. Of what can't pass by itself at once at most.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// What is said of a point whose copy nothing stands against.
const TURN: &str = "it is copied into the vault tier when its turn has come";

/// What is being copied, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Copies {
    work: Option<AbortOnDropHandle<Vec<(PointId, Failure)>>>,
    failed: BTreeMap<PointId, Failed>,
}

/// A copy that came to nothing.
#[derive(Debug)]
struct Failed {
    message: String,
    pause: Duration,
    again: Instant,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// One of the stores.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The cluster, or another leader.
    #[error(transparent)]
    Cluster(#[from] DriveError),
}

impl Copies {
    /// What a copy waits for.
    pub(super) fn waits_for(&self, id: &PointId) -> &str {
        self.failed.get(id).map_or(TURN, |failed| &failed.message)
    }

    /// Takes up what came of the last copies, and begins with those that are due now, the oldest first.
    pub(super) fn go_on(&mut self, world: &World, from: &Store, to: &Store, operational: &Inventory) {
        match self.work.take() {
            Some(work) if !work.is_finished() => {
                self.work = Some(work);
                return;
            }
            Some(work) => self.note(work.now_or_never().and_then(Result::ok).unwrap_or_default()),
            None => {}
        }
        let now = Instant::now();
        let mut due: Vec<_> = operational.whole().filter(|item| item.awaited).collect();
        due.sort_by_key(|item| item.manifest.begin.started);
        let due = due.into_iter().map(|item| item.manifest.begin.id.clone());
        let due: Vec<PointId> = due.filter(|id| self.is_due(id, now)).collect();
        self.failed.retain(|id, _| operational.points.contains_key(id));
        if due.is_empty() {
            return;
        }
        let work = all(world.clone(), from.clone(), to.clone(), due);
        self.work = Some(AbortOnDropHandle::new(tokio::spawn(work)));
    }

    fn is_due(&self, id: &PointId, now: Instant) -> bool {
        self.failed.get(id).is_none_or(|failed| failed.again <= now)
    }

    fn note(&mut self, failures: Vec<(PointId, Failure)>) {
        for (id, failure) in failures {
            let before = self.failed.get(&id).map(|failed| failed.pause);
            let pause = failure.pause(before);
            let failed = Failed {
                message: format!("it could not be copied into the vault tier: {failure}"),
                pause,
                again: Instant::now() + pause,
            };
            warn!(point = %id, error = failed.message, "copying a recovery point; trying again");
            self.failed.insert(id, failed);
        }
    }
}

impl Failure {
    /// How long nobody tries again, after a pause before.
    fn pause(&self, before: Option<Duration>) -> Duration {
        match self {
            Self::Copy(error) if !error.is_transient() => LONGEST_PAUSE,
            _ => before.map_or(FIRST_PAUSE, |before| LONGEST_PAUSE.min(before * 2)),
        }
    }
}

/// Copies one after the other, and answers what failed.
async fn all(world: World, from: Store, to: Store, due: Vec<PointId>) -> Vec<(PointId, Failure)> {
    let mut failures = Vec::new();
    for id in due {
        match one(&world, &from, &to, &id).await {
            Ok(()) => info!(point = %id, "copied a recovery point into the vault tier"),
            Err(failure) => failures.push((id, failure)),
        }
    }
    failures
}

async fn one(world: &World, from: &Store, to: &Store, id: &PointId) -> Result<(), Failure> {
    let copied = copy(from, to, id).await?;
    if !world.is_latest().await? {
        return Err(DriveError::Superseded.into());
    }
    Ok(copied.commit().await?)
}

#[cfg(test)]
mod tests {
    use clusterbackup_vault::point::{Damage, PointError};
    use clusterbackup_vault::store::{Key, StoreError};

    use super::*;

    #[test]
    fn what_fails_is_tried_again_later_and_later() {
        let key = Key::new("catalogue/a.json").unwrap();
        let damaged = PointError::Damaged {
            key: key.clone(),
            damage: Damage::Hash,
        };
        let away = PointError::Store {
            key,
            source: StoreError::Unreachable {
                message: "no answer".to_owned(),
                retry_after: None,
            },
        };
        let mins = Duration::from_mins;
        for (error, before, pause) in [
            (&away, None, mins(1)),
            (&away, Some(mins(1)), mins(2)),
            (&away, Some(mins(40)), mins(60)),
            (&damaged, None, mins(60)),
        ] {
            let failure = Failure::from(CopyError::To(error.clone()));
            assert_eq!(failure.pause(before), pause, "{failure}");
        }
    }
}
