//! One blob on its way to the store: sealed, hashed and written once.

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::compression::LEVEL;
use super::layout::{self, Attempt, Part, PartFile};
use super::lines::Lines;
use super::{Damage, Digest, PointError, PointId, Stored};
use crate::seal::Seal;
use crate::store::{Key, Put, Store};

/// Where the parts of one attempt go.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) store: Store,
    pub(super) id: PointId,
    pub(super) attempt: Attempt,
    pub(super) seal: Seal,
}

/// Whether a part is compressed before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    AsIs,
    Zstd,
}

/// The largest part that is stored, with what sealing adds.
pub(crate) const LARGEST: u64 = (Lines::LARGEST + (1 << 20)) as u64;

impl Destination {
    /// Stores a part under its name. Compressing, sealing and hashing are done off the threads that wait for the network.
    pub(super) async fn write(
        &self,
        part: Part,
        content: Vec<u8>,
        packing: Packing,
    ) -> Result<(PartFile, Stored), PointError> {
        let seal = if part == Part::Begin {
            Seal::Clear
        } else {
            self.seal.clone()
        };
        let file = PartFile {
            part,
            sealed: seal != Seal::Clear,
        };
        let key = layout::part(&self.id, &self.attempt, file)?;
        let packed = spawn_blocking(move || pack(&seal, content, packing)).await;
        let (body, stored) = packed
            .map_err(|_| PointError::Interrupted)?
            .map_err(|error| PointError::make(&key, error))?;
        write_once(&self.store, &key, body, stored).await?;
        Ok((file, stored))
    }
}

fn pack(seal: &Seal, content: Vec<u8>, packing: Packing) -> std::io::Result<(Bytes, Stored)> {
    let content = match packing {
        Packing::AsIs => content,
        Packing::Zstd => zstd::encode_all(content.as_slice(), LEVEL)?,
    };
    let body = Bytes::from(seal.close(content)?);
    let stored = Stored {
        size: body.len() as u64,
        sha256: Digest::of(&body),
    };
    Ok((body, stored))
}

/// A request whose answer was lost is sent again by the store's client, and then finds its own blob. That is told from a
/// blob of somebody else by reading it.
pub(crate) async fn write_once(
    store: &Store,
    key: &Key,
    body: Bytes,
    stored: Stored,
) -> Result<(), PointError> {
    let put = store.put_if_absent(key, body).await;
    match put.map_err(|source| PointError::store(key, source))? {
        Put::Stored => Ok(()),
        Put::Exists => match fetch(store, key, stored).await {
            Ok(_) => Ok(()),
            Err(PointError::Damaged { key, .. }) => Err(PointError::NotFresh { key }),
            Err(error) => Err(error),
        },
    }
}

/// The stored bytes of a part, if they are those that were written down. Holds no more of them than were.
pub(crate) async fn fetch(store: &Store, key: &Key, stored: Stored) -> Result<Bytes, PointError> {
    if stored.size > LARGEST {
        return Err(PointError::damaged(key, Damage::TooLarge(LARGEST)));
    }
    let bytes = store.get_range(key, 0..stored.size + 1).await;
    let bytes = bytes.map_err(|source| PointError::store(key, source))?;
    let found = bytes.len() as u64;
    if found != stored.size {
        let expected = stored.size;
        return Err(PointError::damaged(key, Damage::Length { expected, found }));
    }
    if Digest::of(&bytes) != stored.sha256 {
        return Err(PointError::damaged(key, Damage::Hash));
    }
    Ok(bytes)
}
