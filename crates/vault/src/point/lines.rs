//! JSON lines, compressed as they come: what a point says of 66,000 objects is a few megabytes then.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::iter;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::compression::LEVEL;

/// The longest line.
pub(super) const LONGEST: usize = 4 << 20;

/// The most that is read of one file of lines, decompressed.
const LARGEST_OPEN: u64 = 4 << 30;

/// Lines so far.
pub(crate) struct Lines(zstd::Encoder<'static, Vec<u8>>);

impl Lines {
    /// The most that is kept of one file of lines, compressed: about a million objects.
    pub(super) const LARGEST: usize = 64 << 20;

    pub(crate) fn new() -> io::Result<Self> {
        zstd::Encoder::new(Vec::new(), LEVEL).map(Self)
    }

    pub(crate) fn add<T: Serialize>(&mut self, line: &T) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        if text.len() > LONGEST {
            return Err(io::Error::other(format!(
                "a line would be longer than {LONGEST} bytes"
            )));
        }
        if self.0.get_ref().len() > Self::LARGEST - (128 << 10) {
            let limit = Self::LARGEST;
            return Err(io::Error::other(format!("it would be larger than {limit} bytes")));
        }
        self.0.write_all(&text)
    }

    /// All lines, compressed.
    pub(crate) fn done(self) -> io::Result<Vec<u8>> {
        self.0.finish()
    }
}

/// The lines of a decompressed file, until the first that can't be read.
pub(crate) fn read<T: DeserializeOwned>(content: impl Read) -> impl Iterator<Item = io::Result<T>> {
    let mut content = BufReader::new(content.take(LARGEST_OPEN));
    let mut failed = false;
    iter::from_fn(move || {
        if failed {
            return None;
        }
        let line = next(&mut content).transpose()?;
        failed = line.is_err();
        Some(line)
    })
}

fn next<T: DeserializeOwned>(content: &mut BufReader<impl Read>) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    content.take(LONGEST as u64).read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
        Some(_) => Err(io::Error::other("a line of it has no end, or is too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_is_refused_and_ends_the_reading() {
        let read = |text: &str| {
            let lines: Vec<_> = read::<u32>(text.as_bytes().to_vec().as_slice())
                .map(Result::ok)
                .collect();
            lines
        };
        assert_eq!(read(""), []);
        assert_eq!(read("1\n2\n"), [Some(1), Some(2)]);
        assert_eq!(read("1\n2"), [Some(1), None]);
        assert_eq!(read("1\n\n3\n"), [Some(1), None]);
        assert_eq!(read(&"1".repeat(LONGEST + 1)), [None]);
    }
}
