//! Where in a file a rule text stands, so that places in the text become places in the file.

use clusterbackup_core::yaml::Position;

/// How a rule text lies in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The text is the file.
    File,
    /// Its lines are lines of the file, below an offset and behind an indentation: a YAML block.
    Block {
        /// Lines of the file before the first of the text.
        lines: usize,
        /// Characters before each line.
        indent: usize,
    },
    /// It is written otherwise, in quotes or folded, and begins here.
    Scalar(Position),
}

impl Origin {
    /// How `text`, whose scalar begins at `at`, lies in `file`.
    pub(crate) fn find(file: &str, at: Position, text: &str) -> Self {
        // A block begins, as the reader has it, with its first line that isn't empty.
        let first = text.lines().take_while(|line| line.is_empty()).count();
        let lines = (at.line - 1).checked_sub(first);
        let block = lines.and_then(|lines| {
            let written = file.lines().nth(lines + first)?;
            let indent = written.strip_suffix(text.lines().nth(first)?)?;
            is_block(file, lines, indent, text).then_some(Self::Block {
                lines,
                indent: indent.len(),
            })
        });
        block.unwrap_or(Self::Scalar(at))
    }

    /// The place in the file of a place in the text.
    pub(crate) const fn place(&self, in_text: Position) -> Position {
        match self {
            Self::File => in_text,
            Self::Block { lines, indent } => Position {
                line: in_text.line + *lines,
                column: in_text.column + *indent,
            },
            Self::Scalar(at) => *at,
        }
    }
}

/// Whether every line of the text is there in the file, behind the indentation.
fn is_block(file: &str, lines: usize, indent: &str, text: &str) -> bool {
    if indent.contains(|character| character != ' ') {
        return false;
    }
    let mut written = file.lines().skip(lines);
    text.lines().all(|line| {
        let Some(written) = written.next() else {
            return line.is_empty();
        };
        match written.strip_prefix(indent) {
            Some(rest) => rest == line,
            None => line.is_empty() && written.trim().is_empty(),
        }
    })
}

#[cfg(test)]
mod tests {
    use clusterbackup_core::yaml::{Content, documents};

    use super::*;

    /// The place in `file` of the first `!` in the text under `data.rules`.
    fn found(file: &str) -> Position {
        let documents = documents(file).unwrap();
        let Content::Mapping(data) = &documents[0].content else {
            panic!("{documents:?}")
        };
        let Content::Scalar(scalar) = &data.last().unwrap().value.content else {
            panic!("{documents:?}")
        };
        let text = scalar.text();
        let before = &text[..text.find('!').unwrap()];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        Origin::find(file, data.last().unwrap().value.at, text).place(Position { line, column })
    }

    #[test]
    fn places_in_a_block_are_places_in_the_file() {
        for (file, line, column) in [
            ("rules: |\n  a: 1\n  b: !\n", 3, 6),
            ("rules: |-\n  a: 1\n\n\n  b: !\n\n", 5, 6),
            ("rules: |2+\n    a: 1\n  b: !\n", 3, 6),
            ("rules: |  # said here\n\n \n   ä: !\n", 4, 7),
            ("rules:\n  |\n  b: !\n", 3, 6),
            ("rules: |\r\n  a: 1\r\n  b: !\r\n", 3, 6),
            ("x: 1\nrules: !!str |\n  b: !\n", 3, 6),
        ] {
            assert_eq!(found(file), Position { line, column }, "{file:?}");
        }
    }

    #[test]
    fn what_is_no_block_is_placed_where_it_begins() {
        for (file, line, column) in [
            ("x: 1\nrules: \"a: 1\\nb: !\"\n", 2, 8),
            ("rules: 'a: !'\n", 1, 8),
            ("{\"rules\": \"a: !\"}", 1, 11),
        ] {
            assert_eq!(found(file), Position { line, column }, "{file:?}");
        }
    }
}
