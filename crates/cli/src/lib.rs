//! The kubectl plugin.
//!
//! - `arguments`: what can be typed, and what `--help` says about it
//! - `input`: what is read: files and standard input, within limits
//! - `rule_text`, `origin`: the rule sets in a file, and where in it they stand
//! - `checked`, `picture`: how files are checked, and problems shown at their places
//! - `check`: `rules check`
//! - `object`, `kinds`: the objects that rules are tried on
//! - `apply`, `outcome`, `print`: `rules apply`
//! - `explain`, `condition`: `rules explain`
//! - `hooks`: `hooks check`
//! - `status`, `metrics`: `intercept status`
//! - `instance`: `instance create`, `describe`
//! - `policy`: `policy explain`
//! - `backup`: `backup create`, `describe`, `logs`, `cancel`
//! - `restore`: `restore create`, `preview`, `describe`, `cancel`
//! - `runs`: backups and restores, watched until they have ended
//! - `points`: `rp list`, `describe`, `get`, `diff`, `verify`, `export`
//! - `vault`: `vault create`, `check`, `verify`, `restore-config`, `keygen`
//! - `store`: how vaults are opened
//! - `coverage`: `coverage`
//! - `agents`: `agents status`
//! - `cluster`: how the cluster of the current context is asked
//! - `output`: how results are written
//! - `completion`: `completion`
//! - `reference`: the documentation of all commands
//! - `fields`: what is different between two states of an object
//! - `mask`: keeps what Secrets hold out of every output
//! - `words`: words for people

mod agents;
mod apply;
mod arguments;
mod backup;
mod check;
mod checked;
mod cluster;
mod completion;
mod condition;
mod coverage;
mod explain;
mod fields;
mod hooks;
mod input;
mod instance;
pub mod kinds;
mod mask;
pub mod metrics;
mod object;
mod origin;
mod outcome;
mod output;
mod picture;
mod points;
mod policy;
mod print;
mod reference;
mod restore;
mod rule_text;
mod runs;
mod status;
mod store;
mod vault;
mod words;

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use thiserror::Error;

use arguments::{Arguments, Command, Intercept, Rules};
pub use reference::reference;

/// Why a command could not do its work.
#[derive(Debug, Error)]
enum Error {
    /// A file can't be used.
    #[error(transparent)]
    Input(#[from] input::InputError),
    /// A file has no objects to try rules on.
    #[error(transparent)]
    Object(#[from] object::ObjectError),
    /// A file has no rules to try.
    #[error("{file}: {cause}")]
    Rules { file: String, cause: String },
    /// One text for two purposes.
    #[error("standard input is read once: give `-` only for one of --rules, --object and --live")]
    StdinTwice,
    /// The cluster can't be asked.
    #[error(transparent)]
    Client(clusterbackup_kit::client::ClientError),
    /// The cluster doesn't say.
    #[error("{0}")]
    Cluster(String),
    /// A vault doesn't give what is wanted.
    #[error("{0}")]
    Vault(String),
    /// Nothing can be asked at all.
    #[error("failed to start: {0}")]
    Runtime(io::Error),
    /// The result can't be written.
    #[error("failed to write the result: {0}")]
    Output(#[from] io::Error),
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = anstream::stdout().lock();
    let done = run(&arguments, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => code,
        // Whoever reads has seen enough, as in `… | head`.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody to tell where even this can't be written.
            _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, out: &mut dyn io::Write) -> Result<ExitCode, Error> {
    match &arguments.command {
        Command::Rules(Rules::Check(arguments)) => check::run(arguments, out),
        Command::Rules(Rules::Apply(arguments)) => apply::run(arguments, out),
        Command::Rules(Rules::Explain(arguments)) => explain::run(arguments, out),
        Command::Hooks(arguments::hooks::Hooks::Check(arguments)) => hooks::run(arguments, out),
        Command::Intercept(Intercept::Status(arguments)) => status::run(arguments, out),
        Command::Instance(command) => instance::run(command, out),
        Command::Policy(command) => policy::run(command, out),
        Command::Backup(command) => backup::run(command, out),
        Command::Restore(command) => restore::run(command, out),
        Command::Rp(command) => points::run(command, out),
        Command::Vault(command) => vault::run(command, out),
        Command::Coverage(arguments) => coverage::run(arguments, out),
        Command::Agents(command) => agents::run(command, out),
        Command::Completion(arguments) => completion::run(arguments, out),
        Command::Complete(arguments) => completion::complete(arguments, out),
    }
}
