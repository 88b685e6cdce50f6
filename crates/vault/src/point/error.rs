//! What can go wrong with a recovery point, where, and what to do.

use std::error::Error;

use super::{Attempt, PointId};
use crate::seal::Recipient;
use crate::store::{BadKey, Key, StoreError};

/// Why a point couldn't be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The store didn't do its part.
    #[error("{key}: {source}")]
    Store {
        /// What was to be read or written.
        key: Key,
        /// What the store says.
        source: StoreError,
    },
    /// What the store gives back is not what was written.
    #[error(
        "{key} is damaged: {damage}; use another recovery point, or put this file back from a copy of the store"
    )]
    Damaged {
        /// The part.
        key: Key,
        /// What is wrong with it.
        damage: Damage,
    },
    /// There is no manifest.
    #[error("there is no recovery point {0} in this vault; list the points, or check the vault's location")]
    NoSuchPoint(PointId),
    /// Its parts are encrypted, and no key was given.
    #[error("recovery point {0} is sealed: give the identity of one of its recipients")]
    Sealed(PointId),
    /// It is encrypted, and no key was given.
    #[error("{0} is sealed: give the identity of one of its recipients")]
    SealedPart(Key),
    /// Its parts are encrypted for others.
    #[error("{key} is not sealed for {recipient}: give the identity of one of its recipients")]
    WrongIdentity {
        /// The part.
        key: Key,
        /// The public half of the key that was given.
        recipient: Recipient,
    },
    /// A later version wrote it.
    #[error(
        "{key} has format {found}, and this version reads up to {read}: use the version that wrote it, or a later one"
    )]
    NewerFormat {
        /// The manifest.
        key: Key,
        /// What it has.
        found: u32,
        /// What is read.
        read: u32,
    },
    /// Another attempt was first.
    #[error("recovery point {id} exists already, written by attempt {by}; nothing more is to be done for it")]
    Superseded {
        /// The point.
        id: PointId,
        /// The attempt that was first.
        by: Attempt,
    },
    /// Others wrote all the time, or too much was written.
    #[error(
        "nothing could be recorded for recovery point {0}: others always came first, or it has too many records; try again"
    )]
    Contended(PointId),
    /// It was taken for a leftover, and is a point.
    #[error("attempt {attempt} is recovery point {id}: its parts are removed only with the point")]
    Committed {
        /// The point.
        id: PointId,
        /// The attempt.
        attempt: Attempt,
    },
    /// The attempt's name was used before.
    #[error("{key} exists already with other content: the attempt's name isn't fresh; begin another attempt")]
    NotFresh {
        /// What is there.
        key: Key,
    },
    /// An upload failed, and the point was to be committed all the same.
    #[error("recovery point {0} is not complete: a part of it wasn't stored; begin another attempt")]
    Incomplete(PointId),
    /// An object that can't stand in a point.
    #[error("{group_resource} {name:?} can't be stored: {reason}")]
    BadEntry {
        /// The plural name and the group.
        group_resource: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A part couldn't be made.
    #[error("{what} can't be made: {message}")]
    Make {
        /// The part.
        what: String,
        /// What happened.
        message: String,
    },
    /// A name that is no key.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The process is ending.
    #[error("the work on a recovery point was interrupted: the process is ending")]
    Interrupted,
}

/// In which way a part is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Nothing is there.
    #[error("it is missing")]
    Missing,
    /// It is longer or shorter.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// What the manifest says.
        expected: u64,
        /// What is there, as far as it was read.
        found: u64,
    },
    /// Its bytes are others.
    #[error("its SHA-256 is not the one that was written down")]
    Hash,
    /// It is larger than any that we write.
    #[error("it is larger than {0} bytes, which none is")]
    TooLarge(u64),
    /// It is not what its name says.
    #[error("{0}")]
    Unreadable(String),
}

impl PointError {
    pub(crate) fn store(key: &Key, source: StoreError) -> Self {
        let key = key.clone();
        match source {
            StoreError::NotFound { .. } => Self::Damaged {
                key,
                damage: Damage::Missing,
            },
            source => Self::Store { key, source },
        }
    }

    pub(crate) fn damaged(key: &Key, damage: Damage) -> Self {
        Self::Damaged {
            key: key.clone(),
            damage,
        }
    }

    pub(crate) fn unreadable(key: &Key, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::damaged(key, Damage::Unreadable(why.into().to_string()))
    }

    pub(crate) fn make(what: &impl ToString, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Make {
            what: what.to_string(),
            message: why.into().to_string(),
        }
    }

    /// Whether trying again may help without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_transient())
    }
}
