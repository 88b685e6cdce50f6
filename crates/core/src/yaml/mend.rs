//! The one deviation from YAML: list items indented less than the key they belong to.
//!
//! Published samples of rules contain it, and no YAML parser takes it:
//!
//! ```yaml
//! conditions:
//!     namespaces:
//!    - default
//! ```
//!
//! The items can only belong to the key before them, so they are moved under it. Nothing else is guessed.

use super::{YamlError, YamlErrorKind};

/// A text whose list items stand where YAML wants them; the number of lines is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The text.
    pub text: String,
    /// Line of the key whose items were moved, counted from one.
    pub line: usize,
}

/// Moves the list items at the place of the error under the key before them, if that is what is wrong there.
pub fn mend_list_indentation(text: &str, error: &YamlError) -> Option<Mended> {
    if !matches!(error.kind, YamlErrorKind::Syntax(_)) {
        return None;
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = error.at.line.checked_sub(1)?;
    let item = lines.get(first)?;
    let key = lines[..first].iter().rposition(|line| !line.trim().is_empty())?;
    let (at, wanted) = (indentation(item), indentation(lines[key]));
    let is_bare_key = lines[key].trim_end().ends_with(':') && !lines[key].trim_start().starts_with('-');
    if !is_bare_key || !is_item(item) || at >= wanted {
        return None;
    }
    let belongs = |line: &&&str| {
        line.trim().is_empty() || indentation(line) > at || indentation(line) == at && is_item(line)
    };
    let count = lines[first..].iter().take_while(belongs).count();
    let (before, rest) = lines.split_at(first);
    let (items, after) = rest.split_at(count);
    let shift = " ".repeat(wanted - at);
    let moved = items.iter().map(|line| format!("{shift}{line}"));
    let text = before
        .iter()
        .map(ToString::to_string)
        .chain(moved)
        .chain(after.iter().map(ToString::to_string))
        .collect();
    Some(Mended { text, line: key + 1 })
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_item(line: &str) -> bool {
    line.trim_start_matches(' ').starts_with("- ")
}
