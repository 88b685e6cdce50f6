//! A stored blob, for readers that wait for it: decompression and tar do.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use futures::TryStreamExt as _;
use tokio::runtime::Handle;

use crate::store::{Bytestream, StoreError};

/// The bytes of a blob as they come. To be read where waiting is allowed: not on a thread of the runtime.
pub(super) struct Source {
    runtime: Handle,
    stream: Bytestream,
    piece: Bytes,
    taken: u64,
    failed: Option<StoreError>,
}

impl Source {
    /// Within a runtime.
    pub(super) fn new(stream: Bytestream) -> Self {
        Self {
            runtime: Handle::current(),
            stream,
            piece: Bytes::new(),
            taken: 0,
            failed: None,
        }
    }

    /// How many bytes were read so far.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// What the store failed with, told apart from whatever its readers make of it.
    pub(super) fn failed(&mut self) -> Option<StoreError> {
        self.failed.take()
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(self.stream.try_next()) {
                Ok(Some(piece)) => self.piece = piece,
                Ok(None) => return Ok(0),
                Err(error) => {
                    let text = error.to_string();
                    self.failed = Some(error);
                    return Err(io::Error::other(text));
                }
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        self.taken += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};

    use super::*;
    use crate::archive::files;
    use crate::archive::limits::Limits;
    use crate::archive::opened::Fault;
    use crate::archive::sample::{compress, files as sample_files, pack};

    #[tokio::test]
    async fn a_store_that_fails_in_the_middle_is_not_taken_for_damage() {
        let mut begun = compress(&pack(&sample_files()));
        begun.truncate(begun.len() / 2);
        let failure = StoreError::Unreachable {
            message: "it hung up".to_owned(),
            retry_after: None,
        };
        let stream = stream::iter([Ok(Bytes::from(begun)), Err(failure.clone())]).boxed();
        let source = Source::new(stream);
        let walked = tokio::task::spawn_blocking(move || {
            files::walk(source, Limits::DEFAULT, |_, _| {
                Ok(std::ops::ControlFlow::Continue(()))
            })
        });
        let fault = walked.await.unwrap().unwrap_err();
        assert!(
            matches!(&fault, Fault::Store(error) if *error == failure),
            "{fault:?}"
        );
    }
}
