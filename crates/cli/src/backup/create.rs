//! `backup create`: makes a Backup and, if asked, waits for its end.

use std::io::Write;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::{Backup, BackupSpec};
use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt as _, watcher};

use super::progress::Display;
use super::report::Report;
use super::{Backups, is_final};
use crate::Error;
use crate::arguments::backup::{Create, Output};
use crate::cluster::{self, answer, refusal};
use crate::output;

/// A leader takes a backup up at once; after this one asks oneself whether there is a leader.
const UNTAKEN: Duration = Duration::from_secs(30);

pub(super) fn run(arguments: &Create, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let backup = cluster::run(async |client| {
        let backups = Backups::at(&arguments.place, client);
        let backup = backups.create(arguments).await?;
        if !arguments.wait {
            return Ok(backup);
        }
        backups
            .until_ended(&backup.name_any(), arguments.timeout.duration())
            .await
    })?;
    match arguments.output {
        Output::Text if arguments.wait => Report::of(&backup, &[], Vec::new()).print(out)?,
        Output::Text => writeln!(out, "backup.clusterbackup.io/{} created", backup.name_any())?,
        Output::Json => output::json(&backup, out)?,
        Output::Yaml => output::yaml(&backup, out)?,
    }
    Ok(match backup.phase().filter(|_| arguments.wait) {
        Some(BackupPhase::CompletedWithWarnings) => ExitCode::from(2),
        Some(BackupPhase::Failed | BackupPhase::Cancelled) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

impl Backups {
    async fn create(&self, arguments: &Create) -> Result<Backup, Error> {
        let instance = &arguments.instance;
        if self.instance(instance).await.map_err(Error::Cluster)?.is_none() {
            return Err(Error::Cluster(format!(
                "there is no BackupInstance {}; `kubectl get backupinstances --all-namespaces` lists all there are",
                self.called(instance)
            )));
        }
        let mut backup = Backup::new(
            "",
            BackupSpec {
                instance: instance.clone(),
                cancel: false,
            },
        );
        backup.metadata.name.clone_from(&arguments.name);
        backup.metadata.generate_name = Some(format!("{instance}-"));
        answer(
            "create backups.clusterbackup.io",
            &self.namespace,
            self.api().create(&PostParams::default(), &backup),
        )
        .await
        .map_err(Error::Cluster)
    }

    /// Shows how it goes on until it has ended.
    async fn until_ended(&self, name: &str, limit: Duration) -> Result<Backup, Error> {
        let display = Display::new(&self.called(name));
        let ended = tokio::time::timeout(limit, self.watch(name, &display)).await;
        display.close();
        ended.unwrap_or_else(|_| {
            Err(Error::Cluster(format!(
                "the Backup {} has not ended within {} s; it goes on: `kubectl clusterbackup backup logs {name} -n {} -f`",
                self.called(name),
                limit.as_secs(),
                self.namespace
            )))
        })
    }

    async fn watch(&self, name: &str, display: &Display) -> Result<Backup, Error> {
        let mut changes = pin!(watcher::watch_object(self.api(), name).default_backoff());
        let mut taken_up = false;
        loop {
            let next = tokio::time::timeout(UNTAKEN, changes.next()).await;
            match next {
                Ok(Some(Ok(Some(backup)))) => {
                    taken_up |= backup.phase().is_some();
                    display.show(backup.status.as_ref());
                    if backup.is_over() {
                        return Ok(backup);
                    }
                }
                Ok(Some(Ok(None))) => {
                    return Err(Error::Cluster(format!("the Backup {} was deleted", self.called(name))));
                }
                Ok(Some(Err(error))) => match is_final(&error) {
                    Some(error) => {
                        let what = "watch backups.clusterbackup.io";
                        return Err(Error::Cluster(refusal(what, &self.namespace, error)));
                    }
                    None => display.note(&format!("the API server doesn't answer, trying again: {error}")),
                },
                Err(_) if !taken_up => display.note(
                    "nobody has taken the backup up yet; is there a leader? `kubectl clusterbackup agents status`",
                ),
                Ok(None) | Err(_) => {}
            }
        }
    }
}
