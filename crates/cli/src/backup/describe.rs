//! `backup describe`: what became of a backup.

use std::io::Write;
use std::process::ExitCode;

use super::Backups;
use super::report::Report;
use crate::Error;
use crate::arguments::backup::{Describe, Output};
use crate::{cluster, output};

pub(super) fn run(arguments: &Describe, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let report = cluster::run(async |client| {
        let backups = Backups::at(&arguments.place, client);
        let backup = backups.get(&arguments.name).await?;
        let (tasks, notes) = match backups.tasks(&backup).await {
            Ok(tasks) => (tasks, Vec::new()),
            Err(reason) => (
                Vec::new(),
                vec![format!("hooks and frozen times are not shown: {reason}")],
            ),
        };
        Ok(Report::of(&backup, &tasks, notes))
    })?;
    match arguments.output {
        Output::Text => report.print(out)?,
        Output::Json => output::json(&report, out)?,
        Output::Yaml => output::yaml(&report, out)?,
    }
    Ok(ExitCode::SUCCESS)
}
