//! The place in a store that is a vault's: known by its marker, and checked by what a vault will do there.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::{BadKey, Key, Prefixed, Put, Store, StoreError};

/// Lies on top of everything that a vault has.
const MARKER: &str = "vault.json";

/// What [`Location::check`] writes lies below it.
const PROBES: &str = "probe";

/// A check takes no longer; its probe is its own for so long.
const AT_WORK: SignedDuration = SignedDuration::from_mins(4);

/// An older probe says nothing of what the store does today.
const TODAY: SignedDuration = SignedDuration::from_hours(24);

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

    /// Does once what a vault does all the time, with a probe. A store that keeps what it has keeps one probe a day: with that
    /// the rest is tried.
    pub async fn check(&self) -> Result<Deletion, LocationError> {
        self.check_at(Timestamp::now()).await
    }

    async fn check_at(&self, now: Timestamp) -> Result<Deletion, LocationError> {
        if let Some(probe) = self.kept(now).await? {
            self.read_back(&probe).await?;
            return Ok(Deletion::Refused);
        }
        // By its name the next check knows how old it is.
        let probe = Key::new(format!("{PROBES}/{}-{}", now.as_second(), Uuid::new_v4()))?;
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

    /// A probe of today that the store keeps. Others that are left go, the oldest first, as far as the store lets them.
    async fn kept(&self, now: Timestamp) -> Result<Option<Key>, LocationError> {
        let folder = Key::new(PROBES)?;
        let listed = self.store.list(Some(&folder)).map_ok(|blob| blob.key);
        let listed: Vec<Key> = listed.try_collect().await?;
        let aged = listed
            .into_iter()
            .filter_map(|probe| Some((age(&probe, now)?, probe)));
        let mut left: Vec<_> = aged.filter(|(age, _)| *age > AT_WORK).collect();
        left.sort_unstable_by(|one, other| other.cmp(one));
        for (_, probe) in &left {
            match self.store.delete(probe).await {
                Err(StoreError::Immutable { .. }) => {
                    let newest = left.pop().filter(|(age, _)| *age < TODAY);
                    return Ok(newest.map(|(_, probe)| probe));
                }
                other => other?,
            }
        }
        Ok(None)
    }

    async fn try_out(&self, probe: &Key) -> Result<(), LocationError> {
        if self.store.put_if_absent(probe, self.text()).await? != Put::Stored {
            return Err(LocationError::Corrupts { probe: probe.clone() });
        }
        self.read_back(probe).await
    }

    fn text(&self) -> Bytes {
        Bytes::from(format!("{} was here", self.id))
    }

    /// Whether a probe is there as it was written, and nobody can write over it.
    async fn read_back(&self, probe: &Key) -> Result<(), LocationError> {
        let corrupts = || LocationError::Corrupts { probe: probe.clone() };
        let text = self.text();
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

/// How long ago a probe was written, by the seconds in its name.
fn age(probe: &Key, now: Timestamp) -> Option<SignedDuration> {
    let name = probe.as_str().rsplit('/').next()?;
    let second = name.split_once('-')?.0.parse().ok()?;
    Some(now.duration_since(Timestamp::from_second(second).ok()?))
}

/// What lies below these segments of a store, or all of it.
pub fn below(store: &Store, prefix: Option<&Key>) -> Store {
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
