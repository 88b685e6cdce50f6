//! `rules check`: everything that is wrong with rules, each at its place.

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_core::modifier::Problem;
use clusterbackup_core::yaml::Position;
use serde::Serialize;

use crate::Error;
use crate::arguments::Check;
use crate::checked::{self, Findings};
use crate::input::{Input, InputError, shown};
use crate::picture::{Picture, Severity};
use crate::rule_text::{NoRules, RuleText};
use crate::words::counted;

/// What was found in all files.
#[derive(Debug, Default, Serialize)]
struct Report {
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
    #[serde(skip)]
    pictures: Vec<String>,
    /// What is in order, a line each.
    #[serde(skip)]
    sets: Vec<String>,
}

/// Something that is wrong, or hardly meant.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    /// In the file; none where the file as a whole can't be used.
    line: Option<usize>,
    column: Option<usize>,
    /// Index in `resourceModifierRules`.
    rule: Option<usize>,
    message: String,
    hint: Option<String>,
}

pub(crate) fn run(arguments: &Check, out: &mut dyn Write) -> Result<ExitCode, Error> {
    checked::run::<Report>(&arguments.files, arguments.output, out)
}

impl Findings for Report {
    fn add_file(&mut self, input: &Input) {
        for found in RuleText::all(input) {
            match found {
                Ok(rules) => self.add_rules(&rules),
                Err(missing) => self.add_missing(input, missing),
            }
        }
    }

    fn add_unusable(&mut self, error: InputError) {
        self.pictures
            .push(Picture::of_whole(&error.to_string()).draw(Severity::Error));
        self.problems.push(Finding {
            file: error.file,
            line: None,
            column: None,
            rule: None,
            message: error.cause.to_string(),
            hint: None,
        });
    }

    fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for picture in &self.pictures {
            writeln!(out, "{picture}\n")?;
        }
        for set in &self.sets {
            writeln!(out, "{set}")?;
        }
        if !self.is_valid() {
            writeln!(out, "not valid: {}", counted(self.problems.len(), "problem"))?;
        }
        Ok(())
    }
}

impl Report {
    fn add_rules(&mut self, rules: &RuleText<'_>) {
        match rules.parse() {
            Err(problems) => {
                for problem in &problems {
                    let finding = self.finding(rules, Severity::Error, problem);
                    self.problems.push(finding);
                }
            }
            Ok(set) => {
                for warning in set.warnings() {
                    let finding = self.finding(rules, Severity::Warning, warning);
                    self.warnings.push(finding);
                }
                let name = rules.name.as_deref().map(|name| format!(" {name}:"));
                self.sets.push(format!(
                    "{}:{} valid, {}",
                    shown(&rules.input.file),
                    name.unwrap_or_default(),
                    counted(set.len(), "rule")
                ));
            }
        }
    }

    fn finding(&mut self, rules: &RuleText<'_>, severity: Severity, problem: &Problem) -> Finding {
        self.pictures
            .push(Picture::of_problem(rules, problem).draw(severity));
        let Position { line, column } = rules.origin.place(Position {
            line: problem.line,
            column: problem.column,
        });
        Finding {
            file: rules.input.file.clone(),
            line: Some(line),
            column: Some(column),
            rule: problem.rule,
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }

    fn add_missing(&mut self, input: &Input, missing: NoRules) {
        self.pictures
            .push(Picture::of_missing(input, &missing).draw(Severity::Error));
        let NoRules { at, message, hint } = missing;
        self.problems.push(Finding {
            file: input.file.clone(),
            line: Some(at.line),
            column: Some(at.column),
            rule: None,
            message,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        });
    }
}
