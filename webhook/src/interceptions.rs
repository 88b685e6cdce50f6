//! The interceptions of the cluster with their compiled rules: kept up to date by watches, exchanged whole, so
//! that reviews read them without waiting.
//!
//! - `contents`: what is known of one rule ConfigMap
//! - `assembly`: a `RestoreInterception` and its contents → what reviews decide with, and its status
//! - `watch`: one watch for the interceptions, one for each ConfigMap they name
//! - `keeper`: the loop that turns what the watches see into the next generation
//! - `live`: the one direct read for what the watches may not have seen yet
//! - `status`: tells the user

mod assembly;
mod contents;
mod keeper;
mod live;
mod status;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use clusterbackup_core::interception::{Interception, OptIn};

pub use contents::{Identity, rule_text};
pub use keeper::Keeper;
pub use live::{LiveRead, LiveReadError};

/// Labels remembered as confirmed; beyond it each object with others costs a read.
const CONFIRMED: usize = 1024;

/// What reviews decide with. Cheap to read, exchanged whole.
#[derive(Debug, Default)]
pub struct Interceptions {
    current: ArcSwap<Generation>,
}

/// The interceptions at one time.
#[derive(Debug, Default)]
pub struct Generation {
    /// In the order in which they act.
    pub interceptions: Vec<Arc<Interception>>,
    /// Opt-ins for which a live read found just what is here.
    confirmed: Mutex<BTreeSet<Labels>>,
}

impl Interceptions {
    /// The newest generation; empty until the watches have seen everything once.
    pub fn current(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Exchanges all of them for these, which are in the order in which they act.
    pub fn publish(&self, interceptions: Vec<Arc<Interception>>) {
        self.current.store(Arc::new(Generation {
            interceptions,
            confirmed: Mutex::default(),
        }));
    }
}

/// The values of the opt-in labels.
type Labels = (Option<String>, Option<String>);

impl Generation {
    /// Whether a live read found just this for the labels, since anything changed: no need for another.
    pub fn is_confirmed(&self, opt_in: OptIn<'_>) -> bool {
        self.confirmed().contains(&labels(opt_in))
    }

    /// Remembers that a live read found just this for the labels, until something changes.
    pub fn confirm(&self, opt_in: OptIn<'_>) {
        let mut confirmed = self.confirmed();
        if confirmed.len() < CONFIRMED {
            confirmed.insert(labels(opt_in));
        }
    }

    fn confirmed(&self) -> MutexGuard<'_, BTreeSet<Labels>> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn labels(opt_in: OptIn<'_>) -> Labels {
    (
        opt_in.intercept.map(str::to_owned),
        opt_in.velero_restore.map(str::to_owned),
    )
}
