//! `backup cancel`: asks the leader to stop a backup.

use std::io::Write;
use std::process::ExitCode;

use super::Backups;
use crate::arguments::backup::Cancel;
use crate::{Error, cluster};

pub(super) fn run(arguments: &Cancel, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let Cancel { name, place } = arguments;
    let backup = cluster::run(async |client| Backups::at(place, client).cancel(name).await)?;
    let said = match backup.phase().filter(|_| backup.is_over()) {
        Some(phase) => format!("has already ended: {phase:?}"),
        None => "is being cancelled; what is frozen is thawed at once".to_owned(),
    };
    writeln!(out, "backup.clusterbackup.io/{name} {said}")?;
    Ok(ExitCode::SUCCESS)
}
