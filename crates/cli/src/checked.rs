//! How files are checked, whatever they hold: one after the other, and all that is wrong with them is told.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::Error;
use crate::arguments::CheckOutput;
use crate::input::{Input, InputError};
use crate::output;

/// What was found in all files.
pub(crate) trait Findings: Default + Serialize {
    /// Adds what is in a file.
    fn add_file(&mut self, input: &Input);

    /// Adds a file that can't be used at all.
    fn add_unusable(&mut self, error: InputError);

    /// Whether nothing is wrong.
    fn is_valid(&self) -> bool;

    /// For people.
    fn print(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// For programs.
#[derive(Serialize)]
struct Told<'a, F> {
    valid: bool,
    #[serde(flatten)]
    findings: &'a F,
}

/// Checks the files, tells of them, and fails if anything is wrong.
pub(crate) fn run<F: Findings>(
    files: &[String],
    output: CheckOutput,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let mut findings = F::default();
    for file in files {
        match Input::read(file) {
            Ok(input) => findings.add_file(&input),
            Err(error) => findings.add_unusable(error),
        }
    }
    let valid = findings.is_valid();
    match output {
        CheckOutput::Json => {
            let findings = &findings;
            output::json(&Told { valid, findings }, out)?;
        }
        CheckOutput::Text => findings.print(out)?,
    }
    Ok(if valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
