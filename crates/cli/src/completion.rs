//! `completion`: what shells need to complete commands. They all ask `complete`, which answers as `kubectl` wants to be answered:
//! candidates, then a directive.
//!
//! - `candidates`: what may come next
//! - `names`: the names of objects, as the cluster has them

mod candidates;
mod names;

use std::io::Write;
use std::process::ExitCode;

use clap_complete::{Shell, generate};

use self::candidates::candidates;
use crate::Error;
use crate::arguments::{Complete, Completion, CompletionShell, command};

const PROGRAM: &str = "kubectl-clusterbackup";

/// The shell may offer files.
const FILES: &str = ":0";
/// It may not.
const NO_FILES: &str = ":4";

pub(crate) fn run(arguments: &Completion, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let script = match arguments.shell {
        CompletionShell::Bash => include_bytes!("completion/scripts/complete.bash").to_vec(),
        CompletionShell::Zsh => include_bytes!("completion/scripts/complete.zsh").to_vec(),
        CompletionShell::Fish => include_bytes!("completion/scripts/complete.fish").to_vec(),
        CompletionShell::Kubectl => {
            include_bytes!("completion/scripts/kubectl_complete-clusterbackup").to_vec()
        }
        CompletionShell::PowerShell => {
            let mut script = Vec::new();
            let mut command = command().bin_name(PROGRAM);
            generate(Shell::PowerShell, &mut command, PROGRAM, &mut script);
            script
        }
    };
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers a shell.
pub(crate) fn complete(arguments: &Complete, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (last, before) = match arguments.words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", &[][..]),
    };
    let mut found = candidates(&command(), before, last);
    if let Some(objects) = &found.objects {
        found.words.extend(names::of(objects, last));
    }
    for (word, help) in &found.words {
        writeln!(out, "{word}\t{help}")?;
    }
    writeln!(out, "{}", if found.files { FILES } else { NO_FILES })?;
    Ok(ExitCode::SUCCESS)
}
