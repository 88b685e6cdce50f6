//! Looks at all processes, shared: hundreds of commands that run at once cost no more looks than one.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex;

use super::{Identity, ProcFs, Process};

/// All processes at one moment, by their numbers.
#[derive(Debug)]
pub(in crate::runtime) struct Look {
    began: Instant,
    proc_fs: ProcFs,
    processes: BTreeMap<i32, Process>,
    /// Read when somebody asks, and then once for all who do.
    cgroups: StdMutex<HashMap<i32, Option<Arc<str>>>>,
}

impl Look {
    pub(super) fn take(proc_fs: &ProcFs) -> io::Result<Self> {
        Ok(Self {
            began: Instant::now(),
            proc_fs: proc_fs.clone(),
            processes: proc_fs.processes()?,
            cgroups: StdMutex::default(),
        })
    }

    /// The place of a process in the control groups; none if it has gone.
    pub(super) fn cgroup(&self, pid: i32) -> Option<Arc<str>> {
        let mut known = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || self.proc_fs.cgroup(pid).map(Arc::from);
        known.entry(pid).or_insert_with(read).clone()
    }

    /// Whether this very process was there, dead or alive.
    pub(super) fn knows(&self, id: Identity) -> bool {
        self.processes
            .get(&id.pid)
            .is_some_and(|process| process.id == id)
    }

    /// Those that were alive.
    pub(super) fn living(&self) -> impl Iterator<Item = &Process> {
        self.processes.values().filter(|process| !process.dead)
    }

    /// Whether this very process was alive.
    pub(in crate::runtime) fn alive(&self, id: Identity) -> bool {
        self.get(id.pid).is_some_and(|process| process.id == id)
    }

    /// The living one with this number.
    pub(super) fn get(&self, pid: i32) -> Option<&Process> {
        self.processes.get(&pid).filter(|process| !process.dead)
    }
}

/// Where looks are taken.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Looks {
    proc_fs: ProcFs,
    last: Mutex<Option<Arc<Look>>>,
}

impl Looks {
    /// The files behind the looks.
    pub(in crate::runtime) fn proc_fs(&self) -> &ProcFs {
        &self.proc_fs
    }

    /// A look that began after this was called.
    pub(in crate::runtime) async fn look(&self) -> io::Result<Arc<Look>> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(look) = last.as_ref().filter(|look| look.began > asked) {
            return Ok(Arc::clone(look));
        }
        let proc_fs = self.proc_fs.clone();
        let look = tokio::task::spawn_blocking(move || Look::take(&proc_fs))
            .await
            .map_err(io::Error::other)??;
        let look = Arc::new(look);
        *last = Some(Arc::clone(&look));
        Ok(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_ask_at_once_share_a_look_and_nobody_gets_an_old_one() {
        let looks = Looks::default();
        let first = looks.look().await.unwrap();
        let many = futures::future::join_all((0..50).map(|_| looks.look())).await;
        let mut began: Vec<Instant> = many.into_iter().map(|look| look.unwrap().began).collect();
        assert!(began.iter().all(|began| *began > first.began));
        began.dedup();
        assert!(began.len() <= 2, "{} looks for 50", began.len());
    }
}
