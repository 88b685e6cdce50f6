//! The end of a command's output: all that is kept of it, and never shown unless somebody asks for the text.

use std::collections::VecDeque;
use std::fmt;

/// What of an output is kept.
const KEPT: usize = 1024;

/// The last KiB of an output, as printable text. Not shown by `Debug`: outputs hold passwords.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tail(String);

impl Tail {
    /// The text: valid UTF-8 without control characters other than line breaks and tabs, at most 1024 bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The end of both streams; of the errors first, as they say more of a failure.
    pub(super) fn of(stdout: &Ending, stderr: &Ending) -> Self {
        let errors = printable(stderr);
        let mut text = last(&printable(stdout), KEPT.saturating_sub(errors.len())).to_owned();
        text.push_str(last(&errors, KEPT));
        Self(text)
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tail({} bytes)", self.0.len())
    }
}

/// The last bytes of a stream, whatever its length.
#[derive(Default)]
pub(super) struct Ending {
    bytes: VecDeque<u8>,
    total: u64,
}

impl Ending {
    /// Takes what came next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let kept = &bytes[bytes.len().saturating_sub(KEPT)..];
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(KEPT);
        self.bytes.drain(..surplus);
        self.bytes.extend(kept);
    }

    /// How many bytes came.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

/// Lossy UTF-8 with control characters written as escapes: what a terminal or a log reader can't be misled by.
fn printable(ending: &Ending) -> String {
    let bytes: Vec<u8> = ending.bytes.iter().copied().collect();
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(&bytes).chars() {
        match character {
            '\n' | '\t' => text.push(character),
            control if control.is_control() => text.extend(control.escape_unicode()),
            other => text.push(other),
        }
    }
    text
}

/// The last `most` bytes, from the beginning of a character.
fn last(text: &str, most: usize) -> &str {
    let from = text.len().saturating_sub(most);
    let start = (from..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(chunks: &[&[u8]]) -> Ending {
        let mut ending = Ending::default();
        for chunk in chunks {
            ending.push(chunk);
        }
        ending
    }

    #[test]
    fn the_end_of_both_streams_is_kept_as_printable_text() {
        for (stdout, stderr, shown) in [
            (&b"out\n"[..], &b"err\n"[..], "out\nerr\n"),
            (b"a\x1b[31mred\r\n", b"", "a\\u{1b}[31mred\\u{d}\n"),
            (b"\xff\xfe ok", b"", "\u{fffd}\u{fffd} ok"),
            (b"", b"", ""),
        ] {
            assert_eq!(Tail::of(&ending(&[stdout]), &ending(&[stderr])).as_str(), shown);
        }
    }

    #[test]
    fn at_most_a_kib_is_kept_however_much_comes_and_however_it_is_cut() {
        let long = vec![b'x'; 5000];
        let all = ending(&[&long[..], &long[..], b"end"]);
        assert_eq!(all.total(), 10_003);
        let tail = Tail::of(&all, &ending(&[]));
        assert_eq!(tail.as_str().len(), KEPT);
        assert!(tail.as_str().ends_with("xend"));

        let escapes = ending(&[&[0x1b; 2000]]);
        assert!(Tail::of(&escapes, &escapes).as_str().len() <= KEPT);
        let umlauts = "ä".repeat(2000);
        let both = ending(&[b"z", umlauts.as_bytes()]);
        assert!(Tail::of(&both, &both).as_str().len() <= KEPT);
    }

    #[test]
    fn the_text_is_not_in_what_debug_shows() {
        let tail = Tail::of(&ending(&[b"password=hunter2"]), &ending(&[]));
        assert_eq!(format!("{tail:?}"), "Tail(16 bytes)");
    }
}
