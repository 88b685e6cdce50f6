//! What can go wrong with an archive, where, and what to do. No error shows what is in an object.

use crate::store::{BadKey, Key, StoreError};

/// Why a backup of Velero couldn't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The store didn't do its part.
    #[error("{key}: {source}")]
    Store {
        /// What was to be read.
        key: Key,
        /// What the store says.
        source: StoreError,
    },
    /// It has no `velero-backup.json`.
    #[error(
        "there is no backup {0:?} in this container; list the backups, or check the container and its folder"
    )]
    NoSuchBackup(String),
    /// Its description is there, and this file isn't.
    #[error("{key} is missing: the backup failed, or the file was removed; use another backup")]
    Missing {
        /// The file.
        key: Key,
    },
    /// What is there is not what Velero writes.
    #[error("{key} is refused: {}{refusal}; use another backup, or put a whole copy of this one there", at(file.as_ref()))]
    Refused {
        /// The stored file.
        key: Key,
        /// The file in the archive.
        file: Option<String>,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// A name that is no key.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The process is ending.
    #[error("the reading of an archive was interrupted: the process is ending")]
    Interrupted,
}

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It can't be decompressed, or isn't a tar archive. The library's words aren't shown: it may take the content of an object
    /// for a header, and cite it.
    #[error("it is damaged, or not what Velero writes")]
    Damaged,
    /// It has no end.
    #[error("its end is missing")]
    NoEnd,
    /// It is no text.
    #[error("it is not UTF-8")]
    Encoding,
    /// It goes on after its end.
    #[error("something follows its end")]
    AfterEnd,
    /// It is larger than any that is read.
    #[error("it is larger than {0} bytes without its compression")]
    TooLarge(u64),
    /// It swells.
    #[error("it becomes more than {0} times larger without its compression, as no backup does")]
    Swells(u64),
    /// It has too many objects or kinds.
    #[error("it has more than {most} {what}")]
    TooMany {
        /// How many are read.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// It is of another format.
    #[error("its format is {0:?}, and this version reads format 1")]
    Format(String),
    /// It doesn't say of which format it is.
    #[error("it has no metadata/version")]
    NoFormat,
    /// The path leads out of the archive.
    #[error("its path leads elsewhere")]
    LeadsElsewhere,
    /// The path is none of Velero's.
    #[error("Velero writes no file with such a path")]
    NoPlace,
    /// A link, a device, a sparse file.
    #[error("it is neither a file nor a folder")]
    NoFile,
    /// A file in the archive is larger than any object.
    #[error("it has {size} bytes, and an object has {most} at most")]
    HugeFile {
        /// What it has.
        size: u64,
        /// What is read.
        most: u64,
    },
    /// A header of the archive that says more than a path.
    #[error("the header before it can't be read")]
    Header,
    /// It is there a second time.
    #[error("it is there twice")]
    Twice,
    /// It is no JSON, or not that of an object.
    #[error("it is not the JSON of {what}: line {line}, column {column}")]
    Json {
        /// What it ought to be.
        what: &'static str,
        /// Where it ceases to be.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// The object is another one than its path says.
    #[error("its {field} is {found:?} and not {expected:?}")]
    Other {
        /// What differs.
        field: &'static str,
        /// What the object says.
        found: String,
        /// What it ought to be.
        expected: String,
    },
}

impl ArchiveError {
    pub(super) fn store(key: &Key, source: StoreError) -> Self {
        let key = key.clone();
        match source {
            StoreError::NotFound { .. } => Self::Missing { key },
            source => Self::Store { key, source },
        }
    }

    pub(super) fn refused(key: &Key, refusal: Refusal) -> Self {
        Self::Refused {
            key: key.clone(),
            file: None,
            refusal,
        }
    }

    /// Whether trying again may help without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_transient())
    }
}

impl Refusal {
    /// Not the error itself: it may show values.
    pub(super) fn json(what: &'static str, error: &serde_json::Error) -> Self {
        Self::Json {
            what,
            line: error.line(),
            column: error.column(),
        }
    }

    /// Two names that differ; of a long one, its beginning.
    pub(super) fn other(field: &'static str, found: &str, expected: &str) -> Self {
        Self::Other {
            field,
            found: shown(found),
            expected: shown(expected),
        }
    }
}

/// As much of a name as an error shows.
pub(super) fn shown(name: &str) -> String {
    const MOST: usize = 300;
    name.chars().take(MOST).collect()
}

fn at(file: Option<&String>) -> String {
    file.map(|file| format!("{file:?} in it: ")).unwrap_or_default()
}
