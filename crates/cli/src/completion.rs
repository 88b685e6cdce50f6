//! `completion`: what shells need to complete commands. `kubectl` asks a program of its own for those of a plugin, by
//! the protocol of the library its own completion is made with: candidates, then a directive.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

use crate::Error;
use crate::arguments::{Complete, Completion, CompletionShell, command};

const PROGRAM: &str = "kubectl-clusterbackup";

/// The program `kubectl_complete-clusterbackup`.
const FOR_KUBECTL: &str = "\
#!/usr/bin/env sh
# kubectl runs this to complete `kubectl clusterbackup …`.
exec kubectl-clusterbackup complete -- \"$@\"
";

/// The shell may offer files.
const FILES: &str = ":0";
/// It may not.
const NO_FILES: &str = ":4";

pub(crate) fn run(arguments: &Completion, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let shell = match arguments.shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
        CompletionShell::PowerShell => Shell::PowerShell,
        CompletionShell::Kubectl => {
            out.write_all(FOR_KUBECTL.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut script = Vec::new();
    generate(shell, &mut command().bin_name(PROGRAM), PROGRAM, &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers `kubectl`.
pub(crate) fn complete(arguments: &Complete, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (last, before) = match arguments.words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", &[][..]),
    };
    print(&candidates(&command(), before, last), out)?;
    Ok(ExitCode::SUCCESS)
}

/// What may stand at the end of a command, and whether files may.
struct Candidates {
    /// Each with a word of explanation, if there is one.
    words: Vec<(String, String)>,
    files: bool,
}

fn print(candidates: &Candidates, out: &mut dyn Write) -> io::Result<()> {
    for (word, help) in &candidates.words {
        writeln!(out, "{word}\t{help}")?;
    }
    writeln!(out, "{}", if candidates.files { FILES } else { NO_FILES })
}

fn candidates(root: &Command, before: &[String], last: &str) -> Candidates {
    let mut command = root;
    let mut option = None;
    for word in before {
        option = option_of(command, word);
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let (words, files) = if let Some(option) = option {
        values(option)
    } else if last.starts_with('-') {
        (options(command), false)
    } else if command.has_subcommands() {
        (subcommands(command), false)
    } else {
        command
            .get_positionals()
            .next()
            .map_or_else(Default::default, values)
    };
    Candidates {
        words: words
            .into_iter()
            .filter(|(word, _)| word.starts_with(last))
            .collect(),
        files,
    }
}

/// The option that a word names and that waits for its value.
fn option_of<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let takes_value = |arg: &&Arg| arg.get_action().takes_values();
    let is_named = |arg: &&Arg| {
        let long = word.strip_prefix("--");
        let short = word.strip_prefix('-').and_then(|name| name.chars().next());
        match long {
            Some(long) => arg.get_long() == Some(long),
            None => short.is_some() && arg.get_short() == short && word.len() == 2,
        }
    };
    command.get_opts().filter(takes_value).find(is_named)
}

fn values(arg: &Arg) -> (Vec<(String, String)>, bool) {
    let values: Vec<_> = arg
        .get_possible_values()
        .iter()
        .map(|value| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            (value.get_name().to_owned(), help)
        })
        .collect();
    let files = arg.get_value_hint() == ValueHint::FilePath;
    (values, files)
}

fn options(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_opts().filter(|arg| !arg.is_hide_set());
    shown
        .filter_map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", arg.get_long()?), help))
        })
        .collect()
}

fn subcommands(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown
        .map(|command| {
            let help = command.get_about().map(ToString::to_string).unwrap_or_default();
            (command.get_name().to_owned(), help)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_is_told_what_may_come_next() {
        for (line, words, files) in [
            (
                "",
                &[
                    "rules",
                    "hooks",
                    "intercept",
                    "instance",
                    "policy",
                    "backup",
                    "rp",
                    "vault",
                    "coverage",
                    "agents",
                    "completion",
                ][..],
                false,
            ),
            ("in", &["intercept", "instance"], false),
            ("rules ", &["check", "apply", "explain"], false),
            ("rules check ", &[], true),
            ("rules check -o ", &["text", "json"], false),
            ("rules apply --output d", &["diff"], false),
            ("rules apply --rules ", &[], true),
            (
                "rules apply --rules x --conflict-policy ",
                &["Skip", "Patch"],
                false,
            ),
            ("rules explain --n", &["--namespace"], false),
            ("rules explain --namespace ", &[], false),
            ("instance ", &["create", "describe"], false),
            ("policy ", &["explain"], false),
            ("backup ", &["create", "describe", "logs", "cancel"], false),
            ("backup create ", &[], false),
            ("backup describe -o ", &["text", "json", "yaml"], false),
            (
                "rp ",
                &[
                    "list", "describe", "get", "diff", "verify", "export", "delete", "undelete",
                ],
                false,
            ),
            ("vault ", &["create", "check", "verify", "keygen"], false),
            ("coverage -o ", &["text", "json", "yaml"], false),
            ("agents ", &["status"], false),
            ("completion p", &["powershell"], false),
        ] {
            let typed: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let (last, before) = typed.split_last().unwrap();
            let Candidates {
                words: found,
                files: found_files,
            } = candidates(&command(), before, last);
            let found: Vec<_> = found.iter().map(|(word, _)| word.as_str()).collect();
            assert_eq!((found.as_slice(), found_files), (words, files), "{line:?}");
        }
    }
}
