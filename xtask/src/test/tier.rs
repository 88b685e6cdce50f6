//! What each tier of the tests runs, and what it needs for that.

use std::fmt;
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use clusterbackup_tests::process::Ward;
use clusterbackup_tests::runner::ROUNDS_VARIABLE;
use clusterbackup_tests::tools::{CsiTools, Peers, StoreTools, Tools};
use clusterbackup_tests::{Nodes, workspace};

use crate::{demo, manifests};

/// How many rounds the drills have in the long tier.
const ROUNDS: &str = "200";

/// A tier, in the order of running: what fails fast comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    Format,
    Lints,
    Generated,
    Unit,
    Scenarios,
    Nodes,
    Demo,
    Peers,
    Long,
}

/// How a tier went.
pub(super) enum Outcome {
    /// It ran.
    Run(Counts),
    /// It can't run here; what to do about it.
    NotRun { remedy: String },
    /// It was not to run.
    LeftOut { by: &'static str },
}

/// What the runners said in their closing lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: usize,
    /// The names of the failed ones.
    pub(super) failures: Vec<String>,
}

impl Tier {
    /// Those that are run where nothing is asked for. The peers take minutes to build the first time, the long drills hours.
    pub(super) const DEFAULT: [Self; 7] = [
        Self::Format,
        Self::Lints,
        Self::Generated,
        Self::Unit,
        Self::Scenarios,
        Self::Nodes,
        Self::Demo,
    ];

    pub(super) fn promise(self) -> &'static str {
        match self {
            Self::Format => "the code is formatted",
            Self::Lints => "the compiler and clippy have nothing to say",
            Self::Generated => "generated files say what the code says",
            Self::Unit => "unit, property and documentation tests",
            Self::Scenarios => "scenarios on a real cluster",
            Self::Nodes => "scenarios on real nodes, with the shipped manifests",
            Self::Demo => "the demo, which checks its own story",
            Self::Peers => "against Velero itself",
            Self::Long => "drills on a real cluster, hundreds of rounds",
        }
    }

    /// What keeps this tier from running here, as what to do about it.
    pub(super) fn obstacle(self) -> Option<String> {
        match self {
            Self::Format => missing_component("fmt", "rustfmt"),
            Self::Lints => missing_component("clippy", "clippy"),
            Self::Generated | Self::Unit => None,
            Self::Scenarios | Self::Long => Tools::obstacle()
                .or_else(CsiTools::obstacle)
                .or_else(StoreTools::obstacle),
            Self::Nodes => Tools::obstacle().or_else(Nodes::obstacle),
            Self::Demo => Tools::obstacle(),
            Self::Peers => Tools::obstacle().or_else(Peers::obstacle),
        }
    }

    pub(super) fn run(self, filter: Option<&str>) -> Result<Outcome> {
        let counts = match self {
            Self::Format => Counts::one_check(passes(&["fmt", "--all", "--check"])?),
            Self::Lints => {
                // Scenarios, nodes and peers are no part of `--all-targets`: they are marked not to run in a plain `cargo test`.
                let all = passes(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
                let targets = ["--test", "scenarios", "--test", "nodes", "--test", "peers"];
                let named = [
                    &["clippy", "--workspace"],
                    &targets[..],
                    &["--", "-D", "warnings"],
                ]
                .concat();
                Counts::one_check(all && passes(&named)?)
            }
            Self::Generated => Counts::of_task(manifests::run(true)),
            Self::Unit => counted(tests(&["test", "--workspace", "--no-fail-fast"], None))?,
            Self::Scenarios => counted(tests(&["test", "--workspace", "--test", "scenarios"], filter))?,
            Self::Nodes => counted(tests(&["test", "--workspace", "--test", "nodes"], filter))?,
            Self::Demo => Counts::of_task(demo::run(&demo::Arguments::default())),
            Self::Peers => counted(tests(&["test", "--workspace", "--test", "peers"], filter))?,
            Self::Long => {
                let drills = filter.unwrap_or("leader::deaths::a_leader_may_die");
                let mut drills = tests(&["test", "--workspace", "--test", "scenarios"], Some(drills));
                drills.env(ROUNDS_VARIABLE, ROUNDS);
                counted(drills)?
            }
        };
        Ok(Outcome::Run(counts))
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Format => "format",
            Self::Lints => "lints",
            Self::Generated => "generated",
            Self::Unit => "unit",
            Self::Scenarios => "scenarios",
            Self::Nodes => "nodes",
            Self::Demo => "demo",
            Self::Peers => "peers",
            Self::Long => "long",
        })
    }
}

impl Counts {
    fn one_check(passed: bool) -> Self {
        Self {
            passed: usize::from(passed),
            failed: usize::from(!passed),
            ..Self::default()
        }
    }

    /// One of our own tasks, whose error is shown.
    fn of_task(done: Result<()>) -> Self {
        Self::one_check(done.inspect_err(|error| println!("{error:#}")).is_ok())
    }

    /// Takes what a line of a test runner says: `test NAME ... FAILED`, or a closing line
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn take(&mut self, line: &str) {
        let line = without_colours(line);
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix("... FAILED"))
        {
            self.failures.push(name.trim().to_owned());
        }
        if line.starts_with("test result:") {
            let words: Vec<&str> = line.split_whitespace().collect();
            for pair in words.windows(2) {
                let count: usize = pair[0].parse().unwrap_or_default();
                match pair[1] {
                    "passed;" => self.passed += count,
                    "failed;" => self.failed += count,
                    "ignored;" => self.ignored += count,
                    _ => {}
                }
            }
        }
    }
}

fn missing_component(command: &str, component: &str) -> Option<String> {
    let found = workspace::cargo()
        .args([command, "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    (!found).then(|| format!("cargo {command} is missing: run `rustup component add {component}`"))
}

/// Runs a command of cargo that passes or fails as a whole.
fn passes(arguments: &[&str]) -> Result<bool> {
    let cargo = Ward::start(workspace::cargo().args(arguments))?;
    Ok(cargo.wait()?.success())
}

/// A command of cargo that runs tests.
fn tests(arguments: &[&str], filter: Option<&str>) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(arguments).arg("--").args(filter);
    if std::io::stdout().is_terminal() {
        cargo.args(["--color", "always"]);
    }
    cargo
}

/// What a command that runs tests says, shown and counted.
fn counted(mut command: Command) -> Result<Counts> {
    let mut cargo = Ward::start(command.stdout(Stdio::piped()))?;
    let output = cargo.output().context("no output of cargo")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        counts.take(&line);
    }
    let status = cargo.wait()?;
    if !status.success() && counts.failed == 0 {
        // It did not come to a closing line: it did not compile, or a test took the runner down.
        counts.failed = 1;
    }
    Ok(counts)
}

fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or(part, |(_, rest)| rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_from_the_closing_lines_of_the_runners() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test yaml::reads ... ok",
            "test yaml::refuses ... FAILED",
            "test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: \u{1b}[32mok\u{1b}[0m. 10 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out",
            "test harness::aligned      ... \u{1b}[31mFAILED\u{1b}[0m",
            "the test result: 5 passed; is not a closing line",
        ] {
            counts.take(line);
        }
        let failures = vec!["yaml::refuses".to_owned(), "harness::aligned".to_owned()];
        assert_eq!(
            counts,
            Counts {
                passed: 12,
                failed: 1,
                ignored: 4,
                failures
            }
        );
    }

    #[test]
    fn a_runner_that_dies_without_a_closing_line_has_failed() {
        let mut dies = Command::new("sh");
        dies.args(["-c", "echo running 1 test; exit 101"]);
        let counts = counted(dies).unwrap();
        assert_eq!(
            counts,
            Counts {
                failed: 1,
                ..Counts::default()
            }
        );
    }
}
