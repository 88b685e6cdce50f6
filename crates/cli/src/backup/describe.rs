//! `backup describe`: what became of a backup.

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::conditions::{self, READY};

use super::Backups;
use super::report::Report;
use crate::Error;
use crate::arguments::backup::{Describe, Output};
use crate::{cluster, output};

pub(super) fn run(arguments: &Describe, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let report = cluster::run(async |client| {
        let backups = Backups::at(&arguments.place, client);
        let backup = backups.get(&arguments.name).await?;
        let mut notes = Vec::new();
        let tasks = backups.tasks(&backup).await.unwrap_or_else(|reason| {
            notes.push(format!("hooks and frozen times are not shown: {reason}"));
            Vec::new()
        });
        notes.extend(backups.unready(&backup.spec.instance).await);
        Ok(Report::of(&backup, &tasks, notes))
    })?;
    match arguments.output {
        Output::Text => report.print(out)?,
        Output::Json => output::json(&report, out)?,
        Output::Yaml => output::yaml(&report, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Backups {
    /// Why there can be no other backup of an instance now, as the leader found when it looked last.
    async fn unready(&self, instance: &str) -> Option<String> {
        let known = match self.instance(instance).await {
            Ok(known) => known?,
            Err(reason) => {
                return Some(format!("whether its instance is ready is not shown: {reason}"));
            }
        };
        let said = known.status.iter().flat_map(|status| &status.conditions);
        let unready = conditions::find(said, READY).filter(|ready| ready.status == "False")?;
        Some(format!(
            "no backup of the instance {instance} can run now: {}",
            unready.message
        ))
    }
}
