//! How a preview is shown: as it comes, so that any number of objects can be.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::fate::{Action, Fate, RuleAction, RuleFate};
use crate::Error;
use crate::arguments::restore::PreviewOutput;
use crate::fields::Field;
use crate::words::counted;

const GOOD: Style = AnsiColor::Green.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WAVE: Style = Style::new().bold();

/// A longer value is cut off.
const LONGEST: usize = 80;

/// Shows a preview.
pub(super) struct Printer<'o> {
    form: PreviewOutput,
    out: &'o mut dyn Write,
    /// The wave that is shown.
    wave: &'static str,
    created: usize,
    left_out: usize,
    failed: usize,
}

impl<'o> Printer<'o> {
    pub(super) fn new(form: PreviewOutput, out: &'o mut dyn Write) -> Self {
        Self {
            form,
            out,
            wave: "",
            created: 0,
            left_out: 0,
            failed: 0,
        }
    }

    /// One object.
    pub(super) fn show(&mut self, fate: &Fate) -> Result<(), Error> {
        match fate.action {
            Action::Create => self.created += 1,
            Action::LeftOut => self.left_out += 1,
            Action::Fail => self.failed += 1,
        }
        match self.form {
            PreviewOutput::Json => self.line(fate),
            PreviewOutput::Table | PreviewOutput::Html => Ok(self.row(fate)?),
        }
    }

    /// Why nothing at all would be restored.
    pub(super) fn refused(&mut self, problems: &[impl Display]) -> Result<ExitCode, Error> {
        for problem in problems {
            match self.form {
                PreviewOutput::Json => self.line(&json!({ "problem": problem.to_string() }))?,
                PreviewOutput::Table | PreviewOutput::Html => {
                    writeln!(self.out, "{BAD}refused{BAD:#}: {problem}")?;
                }
            }
        }
        Ok(ExitCode::FAILURE)
    }

    /// What it comes to.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if self.form == PreviewOutput::Json {
            return Ok(());
        }
        writeln!(
            self.out,
            "\n{} to create, {} left out; what the cluster has already and what it refuses isn't known here",
            counted(self.created, "object"),
            self.left_out
        )
    }

    fn line(&mut self, told: &impl serde::Serialize) -> Result<(), Error> {
        serde_json::to_writer(&mut *self.out, told).map_err(io::Error::from)?;
        Ok(writeln!(self.out)?)
    }

    fn row(&mut self, fate: &Fate) -> io::Result<()> {
        if self.wave != fate.wave {
            self.wave = fate.wave;
            writeln!(self.out, "{WAVE}{}{WAVE:#}", fate.wave)?;
        }
        let place = fate.namespace.as_ref().map(|namespace| format!("{namespace}/"));
        let object = format!("{} {}{}", fate.kind, place.unwrap_or_default(), fate.name);
        if let Some(reason) = &fate.reason {
            let (style, what) = match fate.action {
                Action::Fail => (BAD, "fails   "),
                _ => (DOUBTFUL, "left out"),
            };
            return writeln!(self.out, "  {style}{what}{style:#}  {object}: {reason}");
        }
        let target = fate.target.as_ref().map(|target| format!(" as {target}"));
        writeln!(
            self.out,
            "  {GOOD}create{GOOD:#}    {object}{}",
            target.unwrap_or_default()
        )?;
        for field in &fate.fields {
            writeln!(self.out, "            {}", told_field(field))?;
        }
        if fate.more_fields > 0 {
            writeln!(self.out, "            and {} more", fate.more_fields)?;
        }
        for rule in &fate.rules {
            self.rule(rule)?;
        }
        match &fate.warning {
            Some(warning) => writeln!(self.out, "            {DOUBTFUL}warning{DOUBTFUL:#}: {warning}"),
            None => Ok(()),
        }
    }

    fn rule(&mut self, rule: &RuleFate) -> io::Result<()> {
        let (style, what) = match rule.outcome {
            RuleAction::Applied => (GOOD, "changes it"),
            RuleAction::Unchanged => (GOOD, "finds it as it should be"),
            RuleAction::TestFailed => (DOUBTFUL, "leaves it, since a test doesn't hold"),
            RuleAction::Failed => (BAD, "fails on it"),
        };
        let message = rule.message.as_ref().map(|message| format!(": {message}"));
        writeln!(
            self.out,
            "            {}: rule {} {style}{what}{style:#}{}",
            rule.file,
            rule.rule,
            message.unwrap_or_default()
        )
    }
}

fn told_field(field: &Field) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), short);
    format!(
        "{}: {} becomes {}",
        field.path,
        value(&field.before),
        value(&field.after)
    )
}

/// A value in one line that is not too long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    let beginning: String = text.chars().take(LONGEST).collect();
    format!("{beginning}…")
}
