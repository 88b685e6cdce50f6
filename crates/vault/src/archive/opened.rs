//! The archive without its compression, within the limits.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::error::Refusal;
use super::limits::Limits;
use super::source::Source;
use crate::store::StoreError;

/// Decompresses a blob, and stops at the first limit.
pub(super) struct Opened {
    decoder: MultiGzDecoder<Source>,
    limits: Limits,
    given: u64,
    refusal: Option<Refusal>,
}

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Fault {
    Store(StoreError),
    Refused { file: Option<String>, refusal: Refusal },
}

impl Opened {
    pub(super) fn new(source: Source, limits: Limits) -> Self {
        Self {
            decoder: MultiGzDecoder::new(source),
            limits,
            given: 0,
            refusal: None,
        }
    }

    /// How many bytes were read so far.
    pub(super) const fn given(&self) -> u64 {
        self.given
    }

    /// What a failure to read comes from. Readers on top wrap errors each in their own way, so it is asked here.
    pub(super) fn fault(&mut self, error: &io::Error) -> Fault {
        if let Some(failed) = self.decoder.get_mut().failed() {
            return Fault::Store(failed);
        }
        let damage = match error.kind() {
            io::ErrorKind::UnexpectedEof => Refusal::NoEnd,
            _ => Refusal::Damaged,
        };
        Fault::from(self.refusal.take().unwrap_or(damage))
    }

    fn exceeded(&self) -> Option<Refusal> {
        let Limits {
            opened, ratio, slack, ..
        } = self.limits;
        let swollen = slack.saturating_add(self.decoder.get_ref().taken().saturating_mul(ratio));
        if self.given > opened {
            Some(Refusal::TooLarge(opened))
        } else if self.given > swollen {
            Some(Refusal::Swells(ratio))
        } else {
            None
        }
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.decoder.read(buffer)?;
        self.given += length as u64;
        if let Some(refusal) = self.exceeded() {
            let text = refusal.to_string();
            self.refusal = Some(refusal);
            return Err(io::Error::other(text));
        }
        Ok(length)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { file: None, refusal }
    }
}
