//! Where blobs lie. Every store behaves alike: one suite of tests runs against all of them.
//!
//! - `key`: the name of a blob
//! - `upload`: a blob of unknown length, in parts
//! - `memory`, `file`, `azure`, `s3`: the stores
//! - `refusal`: what Azure and S3 say when they refuse, and what it means
//! - `secret`: a value that nobody is to read in a log
//! - `prefixed`, `read_only`, `retry`: a store below some segments of another, one for who only reads, and one that tries
//!   again
//! - `conformance`: what all of them promise, as tests

mod azure;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod file;
mod key;
mod memory;
mod prefixed;
mod read_only;
mod refusal;
mod retry;
mod s3;
mod secret;
mod upload;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use self::azure::{AzureCredentials, AzureLocation, AzureStore};
pub use self::file::FileStore;
pub use self::key::{BadKey, Key};
pub use self::memory::MemoryStore;
pub use self::prefixed::Prefixed;
pub use self::read_only::ReadOnly;
pub use self::retry::{Patience, Retrying};
pub use self::s3::{S3Credentials, S3Location, S3Store};
pub use self::secret::Secret;
pub use self::upload::{PART, Upload};

/// The bytes of a blob, in pieces of whatever length.
pub type Bytestream = BoxStream<'static, Result<Bytes, StoreError>>;

/// A store, whichever it is.
pub type Store = Arc<dyn BlobStore>;

/// Keeps blobs by their keys. A blob is there whole or not at all, at every moment and for every reader. No blob's key lies
/// below another's: in a folder of files it couldn't.
///
/// Besides, every store has [`put_stream`](<dyn BlobStore>::put_stream).
pub trait BlobStore: Debug + Send + Sync {
    /// Writes a blob, over whatever is there.
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Writes a blob where none is. Of several at once, exactly one is told `Stored`.
    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>>;

    /// Begins a blob that is written in parts, over whatever is there.
    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>>;

    /// A whole blob, in pieces.
    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>>;

    /// A part of a blob; shorter where the blob ends before it.
    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>>;

    /// All blobs below these segments, or all, in the order of their keys. Files whose names are no keys are left out.
    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>>;

    /// Removes a blob. That none is there is no error.
    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// What came of writing where nothing was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there now.
    Stored,
    /// Another blob was there, and still is.
    Exists,
}

/// A blob of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its key.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
}

/// Why a store didn't do what it was asked for. The texts hold no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such blob.
    #[error("there is no blob {key}")]
    NotFound {
        /// The blob.
        key: Key,
    },
    /// The credentials are wrong, expired, or have not this right.
    #[error("the store denies access: {message}; check the credentials of the vault, and their rights")]
    Denied {
        /// What the store says.
        message: String,
    },
    /// There is no such bucket, container or folder.
    #[error("the location is not there: {message}; create it, or correct the vault's name of it")]
    NoLocation {
        /// What the store says.
        message: String,
    },
    /// It takes no more.
    #[error("the store is full: {message}")]
    Full {
        /// What the store says.
        message: String,
    },
    /// It takes nothing.
    #[error("the store is read-only: {message}")]
    ReadOnly {
        /// What the store says.
        message: String,
    },
    /// The blob may not be changed or removed yet.
    #[error("{key} is immutable: {message}")]
    Immutable {
        /// The blob.
        key: Key,
        /// What the store says.
        message: String,
    },
    /// It doesn't answer, answers too slowly, or stops in the middle; trying again may help.
    #[error("the store can't be reached: {message}")]
    Unreachable {
        /// What happened.
        message: String,
        /// How long the store asks to wait.
        retry_after: Option<Duration>,
    },
    /// A stream that was to be written failed.
    #[error("what was to be stored can't be read: {message}")]
    Source {
        /// What happened.
        message: String,
    },
    /// Anything else.
    #[error("the store answers {message}")]
    Other {
        /// What the store says.
        message: String,
    },
}

impl StoreError {
    /// Whether the same request may succeed later without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// What reading a body failed with, told apart from what storing it fails with.
    fn of_source(self) -> Self {
        match self {
            Self::Source { .. } => self,
            other => Self::Source {
                message: other.to_string(),
            },
        }
    }
}

/// A range as a store can be asked for it, which takes no empty one and counts to 2^63; and how much of it was meant.
fn askable(range: &Range<u64>) -> (Range<u64>, usize) {
    const END: u64 = i64::MAX.cast_unsigned();
    let start = range.start.min(END - 1);
    let asked = start..range.end.clamp(start + 1, END);
    let meant = range.end.saturating_sub(range.start);
    (asked, usize::try_from(meant).unwrap_or(usize::MAX))
}
