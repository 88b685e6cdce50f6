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
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use clusterbackup_core::interception::Interception;

pub use contents::rule_text;
pub use keeper::Keeper;
pub use live::{LiveRead, LiveReadError};

/// Restores remembered as nobody's concern; beyond it each of their objects costs a read.
const UNCONCERNED: usize = 1024;

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
    /// Velero restores of which a live read found, in this generation, that no interception answers to them.
    unconcerned: Mutex<BTreeSet<String>>,
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
            unconcerned: Mutex::default(),
        }));
    }
}

impl Generation {
    /// Whether a restore is known to be nobody's concern.
    pub fn is_unconcerned(&self, restore: &str) -> bool {
        self.unconcerned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(restore)
    }

    /// Remembers that a restore is nobody's concern, until something changes.
    pub fn set_unconcerned(&self, restore: &str) {
        let mut unconcerned = self.unconcerned.lock().unwrap_or_else(PoisonError::into_inner);
        if unconcerned.len() < UNCONCERNED {
            unconcerned.insert(restore.to_owned());
        }
    }
}
