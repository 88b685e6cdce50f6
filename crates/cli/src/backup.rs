//! `backup …`: a run of an instance is made, watched, told of, stopped.
//!
//! - `create`: makes one; `progress` shows how it goes on
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
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use crate::Error;
use crate::arguments::backup::{Backup as Command, Place};
use crate::cluster::answer;

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Command::Create(arguments) => create::run(arguments, out),
        Command::Describe(arguments) => describe::run(arguments, out),
        Command::Logs(arguments) => logs::run(arguments, out),
        Command::Cancel(arguments) => cancel::run(arguments, out),
    }
}

/// The backups of a namespace.
struct Backups {
    client: Client,
    namespace: String,
}

impl Backups {
    fn at(place: &Place, client: Client) -> Self {
        let namespace = place
            .namespace
            .as_deref()
            .unwrap_or_else(|| client.default_namespace());
        Self {
            namespace: namespace.to_owned(),
            client,
        }
    }

    fn api(&self) -> Api<Backup> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn tasks_api(&self) -> Api<NodeTask> {
        Api::namespaced(self.client.clone(), namespaces::AGENTS)
    }

    /// `shop/nightly`.
    fn called(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }

    async fn get(&self, name: &str) -> Result<Backup, Error> {
        let api = self.api();
        let get = answer("get backups.clusterbackup.io", &self.namespace, api.get_opt(name));
        get.await
            .map_err(Error::Cluster)?
            .ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Error {
        Error::Cluster(format!(
            "there is no Backup {}; `kubectl get backups --all-namespaces` lists all there are",
            self.called(name)
        ))
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

/// A watch that another try doesn't mend: whoever may not watch now may not in a moment.
fn is_final(error: &watcher::Error) -> Option<&kube::Error> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return None;
    };
    matches!(error, kube::Error::Api(status) if status.is_forbidden() || status.is_not_found())
        .then_some(error)
}
