//! `backup …`: a run of an instance is made, watched, told of, stopped.
//!
//! - `create`: makes one; `progress` says how far it is
//! - `describe`: what became of it, as `report` puts it together
//! - `logs`: what happened, line by line, as `events` finds it in the nodes' reports
//! - `cancel`: stops one

mod cancel;
mod create;
mod describe;
mod events;
#[cfg(test)]
mod given;
mod logs;
mod progress;
mod report;
mod words;

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::{Backup, BackupInstance, NodeTask, labels, namespaces};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use self::progress::Backing;
use crate::Error;
use crate::arguments::backup::Backup as Command;
use crate::cluster::answer;
use crate::runs::{Run, Runs};

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Command::Create(arguments) => create::run(arguments, out),
        Command::Describe(arguments) => describe::run(arguments, out),
        Command::Logs(arguments) => logs::run(arguments, out),
        Command::Cancel(arguments) => cancel::run(arguments, out),
    }
}

/// The backups of a namespace.
type Backups = Runs<Backup>;

impl Run for Backup {
    const KINDS: &'static str = "backups.clusterbackup.io";
    const FOLLOW: &'static str = "backup logs NAME -f";
    type Picture = Backing;

    fn is_taken_up(&self) -> bool {
        self.phase().is_some()
    }

    fn has_ended(&self) -> bool {
        self.is_over()
    }

    fn picture(&self) -> Backing {
        Backing::of(self.status.as_ref())
    }
}

impl Backups {
    fn tasks_api(&self) -> Api<NodeTask> {
        Api::namespaced(self.client.clone(), namespaces::AGENTS)
    }

    /// What is protected.
    async fn instance(&self, name: &str) -> Result<Option<BackupInstance>, String> {
        let instances = Api::<BackupInstance>::namespaced(self.client.clone(), &self.namespace);
        answer(
            "get backupinstances.clusterbackup.io",
            &self.namespace,
            instances.get_opt(name),
        )
        .await
    }

    /// What the nodes were told to do, and did.
    async fn tasks(&self, backup: &Backup) -> Result<Vec<NodeTask>, String> {
        let of_backup = ListParams::default().labels(&selector(backup));
        let list = answer(
            "list nodetasks.clusterbackup.io",
            namespaces::AGENTS,
            self.tasks_api().list(&of_backup),
        )
        .await?;
        Ok(list.items)
    }
}

/// The tasks of a backup, by label.
fn selector(backup: &Backup) -> String {
    format!("{}={}", labels::BACKUP_UID, backup.uid().unwrap_or_default())
}
