//! JSON lines, compressed as they come: what a point says of 66,000 objects is a few megabytes then.

use std::io::{self, Write};

use serde::Serialize;

use super::part::LEVEL;

/// The longest line.
pub(super) const LONGEST: usize = 4 << 20;

/// Lines so far.
pub(super) struct Lines(zstd::Encoder<'static, Vec<u8>>);

impl Lines {
    /// The most that is kept of one file of lines, compressed: about a million objects.
    pub(super) const LARGEST: usize = 64 << 20;

    pub(super) fn new() -> io::Result<Self> {
        zstd::Encoder::new(Vec::new(), LEVEL).map(Self)
    }

    pub(super) fn add<T: Serialize>(&mut self, line: &T) -> io::Result<()> {
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
    pub(super) fn done(self) -> io::Result<Vec<u8>> {
        self.0.finish()
    }
}
