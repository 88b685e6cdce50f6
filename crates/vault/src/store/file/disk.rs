//! Files that are there whole and for good, or not at all. All of it blocks.
//!
//! A file gets its name when it is written and synced, and counts as written when its folder is synced too. Before, it has
//! a name that is no key's: what a crash leaves of it is never listed.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;

use super::super::{Key, Put, StoreError};

/// No key has this letter.
const UNFINISHED: &str = "~";

/// What follows it.
const RANDOM: usize = 6;

/// So often is a folder made again that somebody else removes, since it is empty, before anything is in it.
const TRIES: usize = 16;

/// A folder, and what lies below it.
#[derive(Clone)]
pub(super) struct Disk {
    root: Arc<Path>,
}

impl Disk {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root: root.into() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Opens a blob to read it.
    pub(super) fn open(&self, key: &Key) -> Result<File, StoreError> {
        let path = self.path(key);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.is_file(), file)));
        match opened {
            Ok((true, file)) => Ok(file),
            Ok((false, _)) => Err(StoreError::NotFound { key: key.clone() }),
            Err(error) if is_absence(&error) => {
                self.is_there()?;
                Err(StoreError::NotFound { key: key.clone() })
            }
            Err(error) => Err(told(&path, &error)),
        }
    }

    /// Whether there is such a blob.
    pub(super) fn has(&self, key: &Key) -> Result<bool, StoreError> {
        match self.open(key) {
            Err(StoreError::NotFound { .. }) => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// Writes a file that has no key yet, beside where it is to be.
    pub(super) fn write(
        &self,
        key: &Key,
        content: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<NamedTempFile, StoreError> {
        let path = self.path(key);
        let file = self.unfinished(folder_of(&path))?;
        content(file.as_file()).map_err(|error| told(&path, &error))?;
        Ok(file)
    }

    /// Gives a file its key, in place of what has it.
    pub(super) fn replace(&self, key: &Key, file: NamedTempFile) -> Result<(), StoreError> {
        let path = self.path(key);
        file.as_file()
            .sync_all()
            .and_then(|()| file.persist(&path).map_err(|failed| failed.error))
            .and_then(|_| self.sync_folders(&path))
            .map_err(|error| told(&path, &error))
    }

    /// Gives a file its key, if nothing has it.
    pub(super) fn add(&self, key: &Key, file: NamedTempFile) -> Result<Put, StoreError> {
        let path = self.path(key);
        let added = file
            .as_file()
            .sync_all()
            .and_then(|()| file.persist_noclobber(&path).map_err(|failed| failed.error));
        match added {
            Ok(_) => self.sync_folders(&path).map(|()| Put::Stored),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::Exists),
            Err(error) => Err(error),
        }
        .map_err(|error| told(&path, &error))
    }

    /// Removes a blob, and the folders that are empty without it.
    pub(super) fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.path(key);
        let folder = folder_of(&path);
        match fs::remove_file(&path).and_then(|()| sync(folder)) {
            Err(error) if is_absence(&error) => return self.is_there(),
            other => other.map_err(|error| told(&path, &error))?,
        }
        self.remove_empty(folder);
        Ok(())
    }

    /// Removes a folder, and those above it, as far as they are empty.
    pub(super) fn remove_empty(&self, mut folder: &Path) {
        while folder != self.root() && fs::remove_dir(folder).is_ok() {
            folder = folder_of(folder);
        }
    }

    /// An error where there is no folder at all.
    pub(super) fn is_there(&self) -> Result<(), StoreError> {
        match fs::metadata(self.root()) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(StoreError::NoLocation {
                message: format!("{} is no folder", self.root.display()),
            }),
            Err(error) if is_absence(&error) => Err(StoreError::NoLocation {
                message: format!("{}: {error}", self.root.display()),
            }),
            Err(error) => Err(told(self.root(), &error)),
        }
    }

    fn unfinished(&self, folder: &Path) -> Result<NamedTempFile, StoreError> {
        self.is_there()?;
        let mut tries = TRIES;
        loop {
            let mut unfinished = tempfile::Builder::new();
            unfinished.prefix(UNFINISHED).rand_bytes(RANDOM);
            let file = fs::create_dir_all(folder).and_then(|()| unfinished.tempfile_in(folder));
            tries -= 1;
            match file {
                Err(error) if error.kind() == ErrorKind::NotFound && tries > 0 => {}
                other => return other.map_err(|error| told(folder, &error)),
            }
        }
    }

    /// Syncs all folders above a file: another thread may have made them, and not be done with it.
    fn sync_folders(&self, file: &Path) -> io::Result<()> {
        let folders = file.ancestors().skip(1);
        folders
            .take_while(|folder| folder.starts_with(self.root()))
            .try_for_each(sync)
    }
}

/// Whether a file of that name has no key yet.
pub(super) fn is_unfinished(name: &str) -> bool {
    let random = name.strip_prefix(UNFINISHED);
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Keys have no beginning slash, so that their files always lie in a folder.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Whether there is no such file: also where a file lies in place of a folder above it.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// What a failure means for the store.
pub(super) fn told(path: &Path, error: &io::Error) -> StoreError {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { message },
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { message },
        ErrorKind::PermissionDenied => StoreError::Denied { message },
        ErrorKind::TimedOut
        | ErrorKind::StaleNetworkFileHandle
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkDown => StoreError::Unreachable {
            message,
            retry_after: None,
        },
        _ => StoreError::Other { message },
    }
}
