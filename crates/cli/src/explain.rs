//! `rules explain`: why each rule concerns an object or doesn't, condition by condition.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clusterbackup_core::modifier::{Concerned, Explanation, Judged, Judgement, RuleSet};

use crate::Error;
use crate::arguments::Explain;
use crate::condition::Words;
use crate::input::Input;
use crate::mask::Mask;
use crate::object::Object;
use crate::rule_text;

/// Width of the column with the places of conditions, where they fit.
const COLUMN: usize = 18;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

pub(crate) fn run(arguments: &Explain, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let Explain { rules, object, trial } = arguments;
    let rules = rule_text::only(rules)?;
    let input = Input::read(object)?;
    for (number, object) in Object::all(&input, trial.resource.as_ref())?.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        Page {
            rules: &rules,
            object,
            mask: if trial.show_secrets {
                Mask::none()
            } else {
                Mask::of([&object.value])
            },
        }
        .print(trial.namespace.as_deref(), out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is said of one object.
struct Page<'p> {
    rules: &'p RuleSet,
    object: &'p Object,
    mask: Mask,
}

impl Page<'_> {
    fn print(&self, original: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        let object = self.object;
        let target = object.target(original);
        writeln!(out, "{STRONG}{}{STRONG:#}", object.subject())?;
        for note in &object.notes {
            writeln!(out, "  note: {note}")?;
        }
        for explanation in self.rules.explain(&target, &object.value) {
            writeln!(out)?;
            self.print_rule(&explanation, out)?;
        }
        Ok(())
    }

    fn print_rule(&self, explanation: &Explanation<'_>, out: &mut dyn Write) -> io::Result<()> {
        let (style, verdict) = match explanation.concerned() {
            Concerned::Yes => (GOOD, "matches"),
            Concerned::No => (BAD, "doesn't match"),
            Concerned::Broken(_) => (BAD, "fails"),
        };
        let index = explanation.rule;
        let line = self.rules.rule(index).line();
        writeln!(
            out,
            "rule {index} (line {line} of the rules) {style}{verdict}{style:#}"
        )?;
        for judged in &explanation.conditions {
            self.print_condition(judged, out)?;
        }
        Ok(())
    }

    fn print_condition(&self, judged: &Judged<'_>, out: &mut dyn Write) -> io::Result<()> {
        let (style, word) = match judged.judgement {
            Judgement::Holds => (GOOD, "yes"),
            Judgement::Fails | Judgement::Broken(_) => (BAD, "no "),
            Judgement::Skipped => (FAINT, "-  "),
        };
        let Words { field, wanted, found } = Words::of(judged, &self.mask);
        writeln!(out, "  {style}{word}{style:#} {field:COLUMN$} {wanted}")?;
        writeln!(out, "      {:COLUMN$} {FAINT}{found}{FAINT:#}", "")
    }
}
