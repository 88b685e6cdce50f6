//! Ends the processes of a command for certain, or says that it can't.

use std::time::Duration;

use clusterbackup_api::node_task::Killed;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::Instant;

use crate::runtime::processes::{Found, Identity, Looks, Request, Tree, Watch};

/// A killed process is gone at once, unless the kernel waits for a disk. Longer than this nobody waits for one.
const LIMIT: Duration = Duration::from_secs(5);
/// Between killing and looking whether it is dead.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What became of the processes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) killed: Killed,
    /// Whether any of them was alive.
    pub(super) lived: bool,
    /// What a person should know of it.
    pub(super) remark: Option<&'static str>,
}

impl Ended {
    /// Nothing was killed.
    pub(super) fn not_killable(why: &'static str) -> Self {
        Self {
            killed: Killed::NotKillable,
            lived: true,
            remark: Some(why),
        }
    }

    /// Whether the command may be over, so that the runtime would answer.
    pub(super) fn may_be_over(&self) -> bool {
        self.killed == Killed::KilledAll || !self.lived
    }
}

/// Kills what `watch` has found, again until a look shows nothing alive.
pub(super) async fn end(looks: &Looks, watch: &mut Watch, request: Request) -> Ended {
    let Ok(look) = looks.look().await else {
        return Ended::not_killable(UNSEEN);
    };
    match watch.found(&look, request) {
        Found::Nothing => Ended {
            killed: Killed::NotKillable,
            lived: false,
            remark: Some("no process of it was found"),
        },
        Found::Ambiguous => Ended::not_killable(
            "its processes could not be told from those of another command in the container: nothing was killed",
        ),
        Found::Tree(tree) => end_tree(looks, watch, tree).await,
    }
}

async fn end_tree(looks: &Looks, watch: &Watch, mut tree: Tree) -> Ended {
    let deadline = Instant::now() + LIMIT;
    let mut pause = FIRST_PAUSE;
    let (mut lived, mut led) = (false, false);
    let (killed, remark) = loop {
        let Ok(look) = looks.look().await else {
            return Ended::not_killable(UNSEEN);
        };
        watch.complete(&mut tree, &look);
        let living: Vec<Identity> = tree.living(&look).collect();
        lived |= !living.is_empty();
        led |= tree.leads(&look);
        if living.is_empty() {
            break (Killed::KilledAll, (lived && !led).then_some(LEFT_BEHIND));
        }
        for id in &living {
            kill(looks, watch, *id);
        }
        // In this order: who runs on after its place was read had that place.
        let outside = |id: &Identity| !watch.holds(id.pid) && looks.proc_fs().settled(*id);
        if living.iter().all(outside) {
            break (Killed::Escaped, Some(OUTSIDE));
        }
        if Instant::now() > deadline {
            break (Killed::Escaped, Some(DOESNT_DIE));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    Ended {
        killed,
        lived,
        remark,
    }
}

const UNSEEN: &str = "the node's processes can't be seen";
const LEFT_BEHIND: &str =
    "the command itself had ended, a process that it left behind kept its output open and was killed";
const OUTSIDE: &str = "a process that it started has left the container and lives on";
const DOESNT_DIE: &str =
    "a process that it started does not die, or new ones come faster than they are killed";

/// Kills one process, if it is still the one that was meant and still in the container.
fn kill(looks: &Looks, watch: &Watch, id: Identity) {
    let handle = Pid::from_raw(id.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    // The handle is of whoever has the number now, and stays so: what is checked after it was got is true of it.
    if let Some(handle) = handle.filter(|_| looks.proc_fs().alive(id) && watch.holds(id.pid)) {
        // Only fails if it has just ended, which the next look shows.
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
}
