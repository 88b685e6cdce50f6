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

/// A text whose list items stand where YAML wants them; lines keep their numbers, the
/// moved ones get other columns.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{documents, to_json_documents};

    fn mend(text: &str) -> Option<Mended> {
        mend_list_indentation(text, &documents(text).expect_err("is not YAML"))
    }

    #[test]
    fn items_left_of_their_key_are_moved_under_it() {
        let mended = mend("a:\n  c: 1\n  b:\n - x: 1\n   z: 2\n\n - z\nd: 1\n").expect("can be mended");
        assert_eq!(mended.line, 3);
        let expected = serde_json::json!({"a": {"c": 1, "b": [{"x": 1, "z": 2}, "z"]}, "d": 1});
        assert_eq!(to_json_documents(&mended.text), Ok(vec![expected]));
    }

    #[test]
    fn other_mistakes_are_left_alone() {
        for text in [
            "a:\n  b: 1\n - x\n",
            "a: [\n",
            "a:\n  b:\n c: 1\n",
            "a:\n  - b:\n - c\n",
        ] {
            assert_eq!(mend(text), None, "{text:?}");
        }
    }
}
