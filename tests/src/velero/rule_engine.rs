//! Velero's own rule engine, run as a program that answers one case after the other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tools::Peers;

/// The running program; ends when dropped.
pub struct RuleEngine {
    child: Child,
    pipes: Mutex<Pipes>,
}

struct Pipes {
    cases: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Rules and what to apply them to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Case<'a> {
    /// The text of the rule set.
    pub rules: &'a str,
    /// The object, in its original namespace.
    pub object: &'a Value,
    /// What it is, as in `deployments.apps`.
    pub group_resource: &'a str,
    /// How often to measure; 0 is not at all.
    pub iterations: u32,
}

/// What Velero makes of a case.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Answer {
    /// Why the restore would fail before it begins; empty if the rules are valid.
    pub invalid: String,
    /// What would be restored.
    pub object: Value,
    /// What would be reported of the rules that failed; the object is restored nevertheless.
    pub errors: Vec<String>,
    /// What a panic said that would have ended Velero; empty if there was none.
    pub panic: String,
    /// What one application of the rules takes, if it was measured.
    pub nanoseconds: f64,
}

impl RuleEngine {
    /// Starts it. Blocks, for minutes where it has to be built.
    pub fn start() -> Result<Self> {
        let mut child = Command::new(Peers::rule_engine()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start Velero's rule engine")?;
        let (Some(cases), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are pipes");
        };
        let pipes = Pipes {
            cases,
            answers: BufReader::new(answers),
        };
        Ok(Self {
            child,
            pipes: Mutex::new(pipes),
        })
    }

    /// What Velero makes of a case.
    pub fn answer(&self, case: &Case<'_>) -> Result<Answer> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = serde_json::to_vec(case)?;
        line.push(b'\n');
        pipes
            .cases
            .write_all(&line)
            .context("Velero's rule engine takes no more cases")?;
        let mut answer = String::new();
        pipes.answers.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "Velero's rule engine ended over {case:?}");
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for RuleEngine {
    fn drop(&mut self) {
        // It ends by itself with its input; killed, it needs no waiting for a case that never ends.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
