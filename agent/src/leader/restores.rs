//! The restores that are driven, several at a time.
//!
//! | module | concern |
//! |---|---|
//! | `drive` | one restore, from where it stands to its end |
//! | `source` | its recovery point, and who may read it |
//! | `plan` | what of the point is restored |
//! | `work` | its waves |
//! | `volumes` | the data of claims |
//! | `readiness` | whether what was restored runs |
//! | `targets` | namespaces and kinds that objects need |
//! | `hooks` | the hooks that run in new pods |
//! | `object`, `stand_in` | one object, created in the name of the requester |
//! | `rules` | what changes objects on their way; `interception`: how the webhook comes to know it |
//! | `existing`, `patch`, `replace` | an object that is there already; `kinds`: what definitions know of it, `rights`: what the
//!   requester may not do to it |
//! | `turns` | restores that wait for each other |
//! | `owners` | owner references, linked at the end |
//! | `progress` | how far it is |
//! | `preview` | how sure it is what a restore would do |
//! | `report` | what became of each object, in the vault |

mod drive;
mod existing;
mod hooks;
mod interception;
mod kinds;
mod object;
mod owners;
mod patch;
mod plan;
mod preview;
mod progress;
mod readiness;
mod replace;
mod report;
mod rights;
mod rules;
mod source;
mod stand_in;
mod targets;
mod turns;
mod volumes;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;

use clusterbackup_api::Restore;
use clusterbackup_api::labels::RESTORE_UID;
use clusterbackup_api::restore::{RestorePhase, RestoreStatus};
use tokio::sync::watch;
use tracing::warn;

use self::turns::Turns;
use self::volumes::Helpers;
use super::error::DriveError;
use super::fleet::{Crew, Driven, Fleet, Key, Orders};
use super::tasks;
use super::world::World;

impl Driven for Restore {
    type Status = RestoreStatus;
    type Phase = RestorePhase;

    fn status(&self) -> Option<&RestoreStatus> {
        self.status.as_ref()
    }

    fn status_mut(&mut self) -> &mut Option<RestoreStatus> {
        &mut self.status
    }

    fn phase(status: &RestoreStatus) -> Option<RestorePhase> {
        status.phase
    }

    fn is_end(phase: RestorePhase) -> bool {
        phase.is_end()
    }

    fn is_under_way(phase: RestorePhase) -> bool {
        phase == RestorePhase::Running
    }

    fn is_cancelled(&self) -> bool {
        self.spec.cancel
    }

    /// What a restore has created stays, so that nothing is left to do for one that is deleted.
    fn is_held(&self) -> bool {
        false
    }
}

/// Drives them for as long as it is polled.
pub(super) async fn run(world: World) -> Result<(), DriveError> {
    let (client, world, helpers) = (world.client.clone(), Arc::new(world), Arc::<Helpers>::default());
    let crew = Restores {
        world: world.clone(),
        helpers: helpers.clone(),
        turns: Arc::default(),
    };
    tokio::try_join!(Fleet::run(client, crew), helpers.keep(&world)).map(drop)
}

struct Restores {
    world: Arc<World>,
    helpers: Arc<Helpers>,
    turns: Arc<Turns>,
}

impl Restores {
    /// Deletes the NodeTasks of restores that have ended or are gone. What is in their way passes: the next look is later.
    async fn clear_tasks(&self, over: impl Fn(&str) -> bool) {
        if let Err(error) = tasks::remove_of(&self.world.tasks(), RESTORE_UID, over).await {
            warn!(%error, "deleting the NodeTasks of restores that are over");
        }
    }
}

impl Crew for Restores {
    type Object = Restore;
    /// Each holds an open segment of its point, and objects on their way.
    const AT_ONCE: usize = 4;

    fn drive(
        &self,
        key: Key,
        orders: watch::Receiver<Orders>,
    ) -> impl Future<Output = Result<(), DriveError>> + Send + 'static {
        let (world, helpers, turns) = (self.world.clone(), self.helpers.clone(), self.turns.clone());
        drive::drive(world, helpers, turns, key, orders)
    }

    /// Cleans up behind restores that are over or gone.
    async fn sweep(&self, _listed: &[Key], known: &[Key]) {
        self.helpers.all(known.iter().map(|key| key.uid.clone()));
        let known: BTreeSet<_> = known.iter().map(|key| key.uid.as_str()).collect();
        if let Err(error) = interception::sweep(&self.world.client, &known).await {
            warn!(%error, "sweeping the frozen rules of restores");
        }
        self.clear_tasks(|uid| !known.contains(uid)).await;
    }

    async fn lost(&self, key: &Key) {
        self.helpers.end(&key.uid);
        interception::release(&self.world.client, &key.uid).await;
        self.clear_tasks(|uid| uid == key.uid).await;
    }

    fn count(&self, phases: &[Option<RestorePhase>]) {
        self.world.metrics.restoring(phases);
    }
}
