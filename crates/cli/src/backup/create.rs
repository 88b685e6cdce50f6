//! `backup create`: makes a Backup and, if asked, waits for its end.

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::{Backup, BackupSpec};
use kube::ResourceExt as _;

use super::Backups;
use super::report::Report;
use crate::Error;
use crate::arguments::backup::{Create, Output};
use crate::cluster;
use crate::output;

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
        self.make(&backup).await
    }
}
