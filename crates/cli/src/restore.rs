//! `restore …`: a recovery point is brought back; that is watched, told of, stopped.
//!
//! - `create`: makes a Restore; `progress` says how far it is
//! - `preview`: what a restore would make of each object
//! - `told`: what became of it; `report`: of each object, as a table, as JSON, or as a `page`

mod create;
mod page;
mod preview;
mod progress;
mod report;
mod told;

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::Restore;
use clusterbackup_api::restore::RestorePhase;

use self::progress::Restoring;
use crate::arguments::backup::Output;
use crate::arguments::restore::{Cancel, Describe, Restore as Command};
use crate::runs::{Run, Runs};
use crate::{Error, cluster, output};

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Command::Create(arguments) => return create::run(arguments, out),
        Command::Preview(arguments) => return preview::run(arguments, out),
        Command::Report(arguments) => report::run(arguments, out)?,
        Command::Describe(arguments) => describe(arguments, out)?,
        Command::Cancel(arguments) => cancel(arguments, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The restores of a namespace.
type Restores = Runs<Restore>;

impl Run for Restore {
    const KINDS: &'static str = "restores.clusterbackup.io";
    const FOLLOW: &'static str = "restore describe NAME";
    type Picture = Restoring;

    fn is_taken_up(&self) -> bool {
        self.phase().is_some()
    }

    fn has_ended(&self) -> bool {
        self.phase().is_some_and(RestorePhase::is_end)
    }

    fn picture(&self) -> Restoring {
        Restoring::of(self.status.as_ref())
    }
}

fn describe(Describe { name, place, output }: &Describe, out: &mut dyn Write) -> Result<(), Error> {
    let restore = cluster::run(async |client| Restores::at(place, client).get(name).await)?;
    show(&restore, *output, out)
}

fn show(restore: &Restore, form: Output, out: &mut dyn Write) -> Result<(), Error> {
    match form {
        Output::Text => Ok(told::print(restore, out)?),
        Output::Json => output::json(restore, out),
        Output::Yaml => output::yaml(restore, out),
    }
}

fn cancel(Cancel { name, place }: &Cancel, out: &mut dyn Write) -> Result<(), Error> {
    let restore = cluster::run(async |client| Restores::at(place, client).cancel(name).await)?;
    let said = match restore.phase().filter(|phase| phase.is_end()) {
        Some(phase) => format!("has already ended: {phase:?}"),
        None => "is being cancelled; what is created stays".to_owned(),
    };
    Ok(writeln!(out, "restore.clusterbackup.io/{name} {said}")?)
}
