//! A walk through a YAML document that knows where it is and collects what is wrong.

use std::collections::BTreeMap;

use crate::allowance::Allowance;
use crate::modifier::problem::{Problem, Problems};
use crate::yaml::{Content, Node, Position};

/// Problems after which the rest is not told any more.
const MAX_PROBLEMS: usize = 100;

/// What was found so far, and what may still be compiled.
pub(super) struct Report {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    rule: Option<usize>,
    allowance: Allowance,
}

impl Report {
    pub(super) const fn new() -> Self {
        Self {
            problems: Vec::new(),
            warnings: Vec::new(),
            rule: None,
            allowance: Allowance::for_set(),
        }
    }

    /// For the expressions of the set.
    pub(super) const fn allowance(&mut self) -> &mut Allowance {
        &mut self.allowance
    }

    pub(super) const fn enter_rule(&mut self, index: usize) {
        self.rule = Some(index);
    }

    pub(super) fn refuse(&mut self, field: &Field<'_>, message: impl Into<String>, hint: impl Into<String>) {
        let problem = self.problem(field.node.at, &field.path, message.into(), hint.into());
        self.add(problem);
    }

    pub(super) fn warn(&mut self, field: &Field<'_>, message: impl Into<String>, hint: impl Into<String>) {
        if self.warnings.len() < MAX_PROBLEMS {
            self.warnings
                .push(self.problem(field.node.at, &field.path, message.into(), hint.into()));
        }
    }

    pub(super) fn warn_at_line(&mut self, line: usize, message: &str, hint: &str) {
        self.warnings.push(self.problem(
            Position { line, column: 1 },
            "",
            message.to_owned(),
            hint.to_owned(),
        ));
    }

    pub(super) fn add(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// The warnings, or what makes the text invalid.
    pub(super) fn finish(mut self) -> Result<Vec<Problem>, Problems> {
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
        Problems::of(self.problems).map_or(Ok(self.warnings), Err)
    }

    fn problem(&self, at: Position, field: &str, message: String, hint: String) -> Problem {
        Problem {
            line: at.line,
            column: at.column,
            rule: self.rule,
            field: field.to_owned(),
            message,
            hint: (!hint.is_empty()).then_some(hint),
        }
    }
}

/// A value and the path to it.
#[derive(Clone)]
pub(super) struct Field<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

/// The fields of a mapping by their right names.
pub(super) struct Members<'n>(BTreeMap<&'static str, Field<'n>>);

impl<'n> Field<'n> {
    pub(super) const fn root(node: &'n Node) -> Self {
        Self {
            node,
            path: String::new(),
        }
    }

    /// The fields of a mapping, all of which have to be known.
    pub(super) fn members(&self, known: &[&'static str], report: &mut Report) -> Option<Members<'n>> {
        let Content::Mapping(entries) = &self.node.content else {
            report.refuse(
                self,
                "an object is expected here",
                format!("give it the fields {}", known.join(", ")),
            );
            return None;
        };
        let mut members = BTreeMap::new();
        for entry in entries {
            let written = &entry.name;
            let key = Node {
                at: entry.at,
                content: Content::Scalar(entry.key.clone()),
            };
            let field = Field {
                node: &key,
                path: self.child_path(written),
            };
            match known.iter().find(|name| name.eq_ignore_ascii_case(written)) {
                None => report.refuse(
                    &field,
                    format!("`{written}` is not a known field"),
                    suggestion(written, known),
                ),
                Some(name) if members.contains_key(name) => {
                    report.refuse(&field, format!("`{name}` is given twice"), "keep one of the two");
                }
                Some(&name) => {
                    members.insert(
                        name,
                        Field {
                            node: &entry.value,
                            path: self.child_path(name),
                        },
                    );
                }
            }
        }
        Some(Members(members))
    }

    /// The elements of a list.
    pub(super) fn items(&self, report: &mut Report) -> Vec<Self> {
        let Content::Sequence(items) = &self.node.content else {
            report.refuse(self, "a list is expected here", "start each element with `- `");
            return Vec::new();
        };
        let item = |(index, node)| Self {
            node,
            path: format!("{}[{index}]", self.path),
        };
        items.iter().enumerate().map(item).collect()
    }

    /// The text of a string field, as Go's YAML library would read it.
    pub(super) fn text(&self, report: &mut Report) -> Option<String> {
        let Content::Scalar(scalar) = &self.node.content else {
            report.refuse(self, "text is expected here", "");
            return None;
        };
        let text = scalar.to_field_string();
        if text != scalar.text() && !self.node.is_null() {
            let message = format!("the unquoted `{}` is read as `{text}`", scalar.text());
            report.warn(self, message, "put it in quotes if it is meant as written");
        }
        Some(text.into_owned())
    }

    /// The values of a mapping from free keys to text.
    pub(super) fn entries(&self, report: &mut Report) -> Vec<(String, Self)> {
        let Content::Mapping(entries) = &self.node.content else {
            report.refuse(self, "an object is expected here", "");
            return Vec::new();
        };
        entries
            .iter()
            .map(|entry| {
                (
                    entry.name.clone(),
                    Self {
                        node: &entry.value,
                        path: self.child_path(&entry.name),
                    },
                )
            })
            .collect()
    }

    fn child_path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

impl<'n> Members<'n> {
    /// The field, if it is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Field<'n>> {
        self.0.get(name).filter(|field| !field.node.is_null())
    }

    /// The text of a field that may be absent.
    pub(super) fn text(&self, name: &str, report: &mut Report) -> Option<String> {
        self.get(name)?.text(report)
    }
}

/// The known name that was probably meant, or all of them.
fn suggestion(written: &str, known: &[&str]) -> String {
    similar(written, known).unwrap_or_else(|| format!("known are {}", known.join(", ")))
}

/// The known name that was probably meant, as a question.
pub(super) fn similar(written: &str, known: &[&str]) -> Option<String> {
    let name = known.iter().min_by_key(|name| distance(written, name))?;
    (distance(written, name) <= 1 + name.len() / 4).then(|| format!("did you mean `{name}`?"))
}

/// How many characters have to be changed, added or removed (Levenshtein), case aside.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, character) in left.to_lowercase().chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}
