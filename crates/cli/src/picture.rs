//! A problem as a picture: the line of the file, what in it is meant, what is wrong, and what to write.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use clusterbackup_core::modifier::Problem;
use clusterbackup_core::yaml::Position;

use crate::input::{Input, shown};
use crate::origin::Origin;
use crate::rule_text::{NoRules, RuleText};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// What the picture of a problem shows.
#[derive(Debug)]
pub(crate) struct Picture<'p> {
    message: &'p str,
    place: Option<Place<'p>>,
    /// The field, as in `resourceModifierRules[0].conditions`.
    field: &'p str,
    hint: Option<&'p str>,
}

/// A place in a text that has a name.
#[derive(Debug)]
struct Place<'p> {
    name: String,
    text: &'p str,
    at: Position,
}

impl<'p> Picture<'p> {
    /// Of a problem in rules. Where these are no lines of their file, the lines of the rules are shown.
    pub(crate) fn of_problem(rules: &'p RuleText<'_>, problem: &'p Problem) -> Self {
        let in_text = Position {
            line: problem.line,
            column: problem.column,
        };
        let file = shown(&rules.input.file);
        let place = match &rules.origin {
            Origin::File | Origin::Block { .. } => Place {
                name: file.to_owned(),
                text: &rules.input.text,
                at: rules.origin.place(in_text),
            },
            Origin::Scalar(at) => Place {
                name: format!("{file}:{}:{}, in the text that begins there", at.line, at.column),
                text: &rules.text,
                at: in_text,
            },
        };
        Self {
            message: &problem.message,
            place: Some(place),
            field: &problem.field,
            hint: problem.hint.as_deref(),
        }
    }

    /// Of a file without rules.
    pub(crate) fn of_missing(input: &'p Input, missing: &'p NoRules) -> Self {
        Self {
            message: &missing.message,
            place: Some(Place {
                name: shown(&input.file).to_owned(),
                text: &input.text,
                at: missing.at,
            }),
            field: "",
            hint: Some(missing.hint).filter(|hint| !hint.is_empty()),
        }
    }

    /// Of a field of an object.
    pub(crate) fn of_field(input: &'p Input, at: Position, field: &'p str, message: &'p str) -> Self {
        Self {
            message,
            place: Some(Place {
                name: shown(&input.file).to_owned(),
                text: &input.text,
                at,
            }),
            field,
            hint: None,
        }
    }

    /// Of a file of which nothing can be shown.
    pub(crate) const fn of_whole(message: &'p str) -> Self {
        Self {
            message,
            place: None,
            field: "",
            hint: None,
        }
    }

    /// The picture, in colours.
    pub(crate) fn draw(&self, severity: Severity) -> String {
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message);
        let mut group = match &self.place {
            Some(place) => title.element(place.snippet(self.field)),
            None => Group::with_title(title),
        };
        if let Some(hint) = self.hint {
            group = group.element(Level::HELP.message(hint));
        }
        Renderer::styled().render(&[group])
    }
}

impl Place<'_> {
    fn snippet<'s>(&'s self, label: &'s str) -> Snippet<'s, annotate_snippets::Annotation<'s>> {
        // One line is all that is shown: a file of many megabytes needn't be searched for more.
        let line = self.text.lines().nth(self.at.line - 1).unwrap_or_default();
        let annotation = AnnotationKind::Primary.span(token(line, self.at.column));
        Snippet::source(line)
            .path(self.name.as_str())
            .line_start(self.at.line)
            .annotation(if label.is_empty() {
                annotation
            } else {
                annotation.label(label)
            })
    }
}

/// The bytes of what begins at a column: a text in quotes, or a word.
fn token(line: &str, column: usize) -> std::ops::Range<usize> {
    let start = line
        .char_indices()
        .nth(column - 1)
        .map_or(line.len(), |(index, _)| index);
    let rest = &line[start..];
    let quote = rest.chars().next().filter(|first| "'\"".contains(*first));
    let length = match quote {
        Some(quote) => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
        None => rest
            .find(|character: char| character.is_whitespace() || ",]}".contains(character))
            .unwrap_or(rest.len()),
    };
    let word = rest[..length].trim_end_matches(':');
    let shortest = rest.chars().next().map_or(0, char::len_utf8);
    start..start + word.len().max(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_word_or_what_is_in_quotes() {
        for (line, column, expected) in [
            ("- groupResource: pvc # which", 18, "pvc"),
            ("- {path: metadata/name, value: x}", 10, "metadata/name"),
            ("- {path: \"a b\", value: x}", 10, "\"a b\""),
            ("groupResourse: pods", 1, "groupResourse"),
            ("- 'open", 3, "'open"),
            ("ä: öü", 4, "öü"),
            ("a: }", 4, "}"),
            ("a:", 9, ""),
            ("", 1, ""),
        ] {
            assert_eq!(&line[token(line, column)], expected, "{line:?} {column}");
        }
    }
}
