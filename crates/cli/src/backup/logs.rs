//! `backup logs`: what happened in a backup, line by line, and with `-f` as it happens.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;

use clusterbackup_api::{Backup, NodeTask, namespaces};
use futures::TryStreamExt as _;
use kube::ResourceExt as _;
use kube::runtime::watcher::{self, Event as Change};
use kube::runtime::{WatchStreamExt as _, watcher as watch};

use super::events::{self, Event};
use super::{Backups, selector};
use crate::Error;
use crate::arguments::backup::Logs;
use crate::cluster::{self, refusal};
use crate::runs::is_final;

pub(super) fn run(arguments: &Logs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    cluster::run(async |client| {
        let backups = Backups::at(&arguments.place, client);
        let backup = backups.get(&arguments.name).await?;
        let mut told = Told::to(out);
        let tasks = backups.tasks(&backup).await.map_err(Error::Cluster)?;
        told.tell(&backup, &tasks)?;
        if arguments.follow && !backup.is_over() {
            backups.follow(backup, &mut told).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// What has been told already.
struct Told<'o> {
    out: &'o mut dyn Write,
    events: HashSet<Event>,
}

impl<'o> Told<'o> {
    fn to(out: &'o mut dyn Write) -> Self {
        Self {
            out,
            events: HashSet::new(),
        }
    }

    /// Tells what is new.
    fn tell(&mut self, backup: &Backup, tasks: &[NodeTask]) -> io::Result<()> {
        for event in events::all(backup, tasks) {
            if !self.events.contains(&event) {
                writeln!(self.out, "{event}")?;
                self.events.insert(event);
            }
        }
        self.out.flush()
    }
}

impl Backups {
    /// Tells everything until the backup has ended.
    async fn follow(&self, mut backup: Backup, told: &mut Told<'_>) -> Result<(), Error> {
        let of_backup = watch::Config::default().labels(&selector(&backup));
        let mut changes = pin!(watcher::watcher(self.tasks_api(), of_backup).default_backoff());
        let name = backup.name_any();
        let mut backup_changes = pin!(watcher::watch_object(self.api(), &name).default_backoff());
        let mut tasks = BTreeMap::new();
        while !backup.is_over() {
            tokio::select! {
                change = changes.try_next() => match change {
                    Ok(change) => take(change, &mut tasks),
                    Err(error) => stop_if_final("nodetasks", namespaces::AGENTS, &error)?,
                },
                change = backup_changes.try_next() => match change {
                    Ok(Some(Some(newer))) => backup = newer,
                    Ok(_) => return Err(self.deleted(&name)),
                    Err(error) => stop_if_final("backups", &self.namespace, &error)?,
                },
            }
            let tasks: Vec<_> = tasks.values().cloned().collect();
            told.tell(&backup, &tasks)?;
        }
        // The end may have overtaken the last reports.
        let tasks = self.tasks(&backup).await.map_err(Error::Cluster)?;
        Ok(told.tell(&backup, &tasks)?)
    }
}

fn take(change: Option<Change<NodeTask>>, tasks: &mut BTreeMap<String, NodeTask>) {
    match change {
        Some(Change::Apply(task) | Change::InitApply(task)) => {
            tasks.insert(task.name_any(), task);
        }
        // What a deleted task reported has happened all the same.
        Some(Change::Delete(_) | Change::Init | Change::InitDone) | None => {}
    }
}

/// Other errors are tried again.
fn stop_if_final(plural: &str, namespace: &str, error: &watcher::Error) -> Result<(), Error> {
    match is_final(error) {
        Some(error) => {
            let what = format!("watch {plural}.clusterbackup.io");
            Err(Error::Cluster(refusal(&what, namespace, error)))
        }
        None => Ok(()),
    }
}
