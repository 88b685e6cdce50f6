//! What is wrong with a rule text, place by place.

use std::fmt;

use serde::Serialize;

use crate::yaml::YamlError;

/// One thing that is wrong, or (as a warning) likely not what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line in the text, counted from one.
    pub line: usize,
    /// Column in the text, counted from one.
    pub column: usize,
    /// Index in `resourceModifierRules`, if it is inside of a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// The field, as in `resourceModifierRules[0].patches[1].path`; empty for the text as a whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl From<YamlError> for Problem {
    fn from(error: YamlError) -> Self {
        Self {
            line: error.at.line,
            column: error.at.column,
            rule: None,
            field: String::new(),
            message: error.kind.to_string(),
            hint: None,
        }
    }
}

/// Everything that is wrong with a text, in its order; never empty. `Display` gives each a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `None` if there are none.
    pub(super) fn of(problems: Vec<Problem>) -> Option<Self> {
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The problems one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
