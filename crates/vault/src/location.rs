//! The place in a store that is a vault's: known by its marker, and checked by what a vault will do there.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::{BadKey, Key, Prefixed, Put, Store, StoreError};

/// Lies on top of everything that a vault has.
const MARKER: &str = "vault.json";

/// What [`Location::check`] writes lies below it.
const PROBES: &str = "probe";

/// A marker is far shorter; what isn't is none.
const LONGEST_MARKER: u64 = 4096;

/// What this program reads and writes.
const FORMAT: u32 = 1;

/// A vault's place.
#[derive(Clone, Debug)]
pub struct Location {
    store: Store,
    id: String,
}

/// What can be done with what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It can be deleted.
    Possible,
    /// The store keeps it for a while, whoever asks; so it keeps a probe.
    Refused,
}

/// Why a place is no vault's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The store said so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else's files.
    #[error(
        "the location holds files, such as {example}, but no {MARKER}: it is not a vault's; name an empty container, bucket, \
         folder or prefix"
    )]
    Foreign {
        /// One of the files.
        example: Key,
    },
    /// A vault was here, and nothing is left of it.
    #[error(
        "the location holds no {MARKER}, and the vault {expected} was there: is another disk mounted, or was the store emptied? \
         Bring it back; for a new beginning make another vault"
    )]
    Gone {
        /// What it is called.
        expected: String,
    },
    /// Another vault is here.
    #[error(
        "the location is that of vault {found}, and the vault is {expected}: is another disk mounted, or another copy? Bring \
         the right one back, or make another vault"
    )]
    Another {
        /// What the marker says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// The marker can't be read.
    #[error(
        "{MARKER} is no marker of a vault ({message}); name another location, or bring the file back as it was"
    )]
    BadMarker {
        /// What is wrong with it.
        message: String,
    },
    /// Made by a later version.
    #[error("the vault has the format {found}, and this version reads up to {FORMAT}: update clusterbackup")]
    LaterFormat {
        /// What the marker says.
        found: u32,
    },
    /// What is written isn't what is read.
    #[error("the store doesn't give back what was written to {probe}: don't use it")]
    Corrupts {
        /// What was written.
        probe: Key,
    },
    /// No marker is there.
    #[error("there is no {MARKER}: it is no vault's; check the name of the location, and its prefix")]
    NoVault,
    /// Writing where nothing is to be is no more than writing.
    #[error(
        "the store writes over a blob where it was told to write only if there is none (`If-None-Match: *`): two backups could \
         destroy each other; use a store that knows conditional writes, or a newer version of it"
    )]
    Overwrites,
    /// A blob is still there after it was deleted.
    #[error("the store says that it has deleted {probe}, and still has it: don't use it")]
    KeepsDeleted {
        /// What was deleted.
        probe: Key,
    },
    /// No name for a probe.
    #[error(transparent)]
    Key(#[from] BadKey),
}

impl LocationError {
    /// Whether trying again may help without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    id: String,
    format: u32,
}

impl Location {
    /// The vault in this store, or below these segments of it. An empty place becomes one.
    pub async fn open(store: &Store, prefix: Option<&Key>) -> Result<Self, LocationError> {
        let store = below(store, prefix);
        let id = match read_marker(&store).await? {
            Some(marker) => marker.id,
            None => begin(&store).await?,
        };
        Ok(Self { store, id })
    }

    /// The vault that is there, for who only reads: nothing is written where there is none.
    pub async fn find(store: &Store, prefix: Option<&Key>) -> Result<Self, LocationError> {
        let store = below(store, prefix);
        let marker = read_marker(&store).await?.ok_or(LocationError::NoVault)?;
        Ok(Self { store, id: marker.id })
    }

    /// The vault of that name in this store, or below these segments of it. No other is taken for it, and an empty place
    /// stays empty.
    pub async fn known(store: &Store, prefix: Option<&Key>, id: &str) -> Result<Self, LocationError> {
        let store = below(store, prefix);
        let expected = id.to_owned();
        match read_marker(&store).await? {
            Some(Marker { id, .. }) if id == expected => Ok(Self { store, id }),
            Some(Marker { id: found, .. }) => Err(LocationError::Another { found, expected }),
            None => Err(LocationError::Gone { expected }),
        }
    }

    /// What lies in it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What it is called, for ever.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Does once what a vault does all the time, with a probe.
    pub async fn check(&self) -> Result<Deletion, LocationError> {
        let probe = Key::new(format!("{PROBES}/{}", Uuid::new_v4()))?;
        let tried = self.try_out(&probe).await;
        // Also the probe that failed.
        let deleted = self.store.delete(&probe).await;
        tried?;
        match deleted {
            Err(StoreError::Immutable { .. }) => return Ok(Deletion::Refused),
            other => other?,
        }
        match self.store.get_range(&probe, 0..1).await {
            Err(StoreError::NotFound { .. }) => Ok(Deletion::Possible),
            Ok(_) => Err(LocationError::KeepsDeleted { probe }),
            Err(error) => Err(error.into()),
        }
    }

    async fn try_out(&self, probe: &Key) -> Result<(), LocationError> {
        let text = Bytes::from(format!("{} was here", self.id));
        let corrupts = || LocationError::Corrupts { probe: probe.clone() };
        if self.store.put_if_absent(probe, text.clone()).await? != Put::Stored {
            return Err(corrupts());
        }
        if self.store.get_range(probe, 0..LONGEST_MARKER).await? != text {
            return Err(corrupts());
        }
        match self
            .store
            .put_if_absent(probe, Bytes::from("overwritten"))
            .await?
        {
            Put::Stored => Err(LocationError::Overwrites),
            Put::Exists => Ok(()),
        }
    }
}

fn below(store: &Store, prefix: Option<&Key>) -> Store {
    match prefix {
        Some(prefix) => Arc::new(Prefixed::new(Arc::clone(store), prefix.clone())),
        None => Arc::clone(store),
    }
}

/// Makes an empty place a vault's, and says what it is called.
async fn begin(store: &Store) -> Result<String, LocationError> {
    if let Some(found) = store.list(None).next().await {
        // Somebody may have begun at the same time.
        return match read_marker(store).await? {
            Some(marker) => Ok(marker.id),
            None => Err(LocationError::Foreign { example: found?.key }),
        };
    }
    let marker = Marker {
        id: Uuid::new_v4().to_string(),
        format: FORMAT,
    };
    let text = serde_json::to_vec(&marker).map_err(|error| bad_marker(&error))?;
    store.put_if_absent(&Key::new(MARKER)?, text.into()).await?;
    // Whoever was first: it is his.
    let written = read_marker(store).await?;
    written
        .map(|marker| marker.id)
        .ok_or_else(|| bad_marker(&"it is gone"))
}

async fn read_marker(store: &Store) -> Result<Option<Marker>, LocationError> {
    let text = match store.get_range(&Key::new(MARKER)?, 0..LONGEST_MARKER).await {
        Err(StoreError::NotFound { .. }) => return Ok(None),
        other => other?,
    };
    let marker: Marker = serde_json::from_slice(&text).map_err(|error| bad_marker(&error))?;
    if marker.format > FORMAT {
        return Err(LocationError::LaterFormat { found: marker.format });
    }
    Ok(Some(marker))
}

fn bad_marker(message: &dyn ToString) -> LocationError {
    LocationError::BadMarker {
        message: message.to_string(),
    }
}

#[cfg(test)]
mod tests;
