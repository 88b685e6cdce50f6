//! `instance …`: what is protected.
//!
//! - `create`: makes one
//! - `describe`: what it protects, how that goes, as `report` puts it together

mod create;
mod describe;
mod report;

use std::io::Write;
use std::process::ExitCode;

use crate::Error;
use crate::arguments::instance::Instance;

pub(crate) fn run(command: &Instance, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Instance::Create(arguments) => create::run(arguments, out)?,
        Instance::Describe(arguments) => describe::run(arguments, out)?,
    }
    Ok(ExitCode::SUCCESS)
}
