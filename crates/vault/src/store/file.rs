//! A store in a folder of files, each blob a file by its key: what lies there can be read with nothing but a shell.
//!
//! - `disk`: files that are there whole and for good, or not at all
//! - `unfinished`: what a crash leaves of others
//! - `walk`: the files in the order of their keys

mod disk;
mod unfinished;
mod walk;

use std::fmt;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use tempfile::{NamedTempFile, TempDir};
use tokio::io::AsyncReadExt as _;

use self::disk::Disk;
use super::{Blob, BlobStore, Bytestream, Key, PART, Put, StoreError, Upload};

/// How the names of temporary folders begin.
const TEMPORARY: &str = "clusterbackup-";

/// What is read of a file at once.
const PIECE: usize = 256 << 10;

/// Blobs as files below a folder, which has to be there: where a disk isn't mounted, nothing is written into the place for it.
#[derive(Clone)]
pub struct FileStore {
    disk: Disk,
    /// The folder, where it is to go with the store.
    _temporary: Option<Arc<TempDir>>,
}

impl FileStore {
    /// The blobs below this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            disk: Disk::new(root.into()),
            _temporary: None,
        }
    }

    /// Blobs in a new folder below this one, which goes with the last clone of the store.
    pub fn temporary(below: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(below)?;
        Ok(Self {
            disk: Disk::new(folder.path().to_owned()),
            _temporary: Some(Arc::new(folder)),
        })
    }

    /// Removes the folders of temporary stores that a process has left here when it died.
    pub fn remove_temporary(below: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(below)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes files that were begun so long ago and never got their keys, and says how many: their writers have died.
    pub async fn remove_unfinished(&self, age: Duration) -> Result<u64, StoreError> {
        let disk = self.disk.clone();
        blocking(move || unfinished::remove(&disk, age)).await
    }

    /// Carries out what blocks on a thread for that.
    async fn blocking<T: Send + 'static>(
        &self,
        key: &Key,
        work: impl FnOnce(&Disk, &Key) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (disk, key) = (self.disk.clone(), key.clone());
        blocking(move || work(&disk, &key)).await
    }
}

/// Carries out what blocks on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(StoreError::Other {
            message: error.to_string(),
        })
    })
}

impl BlobStore for FileStore {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blocking(key, move |disk, key| {
            let file = disk.write(key, |mut file| file.write_all(&body))?;
            disk.replace(key, file)
        })
        .boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        self.blocking(key, move |disk, key| {
            if disk.has(key)? {
                return Ok(Put::Exists);
            }
            let file = disk.write(key, |mut file| file.write_all(&body))?;
            disk.add(key, file)
        })
        .boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        async {
            let file = self
                .blocking(key, |disk, key| disk.write(key, |_| Ok(())))
                .await?;
            Ok(Box::new(FileUpload {
                store: self.clone(),
                key: key.clone(),
                file: Arc::new(Mutex::new(Some(file))),
            }) as _)
        }
        .boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        async {
            let file = self.blocking(key, Disk::open).await?;
            let file = tokio::fs::File::from_std(file);
            let place = self.disk.path(key);
            let pieces = stream::try_unfold((file, place), async |(mut file, place)| {
                let mut piece = BytesMut::with_capacity(PIECE);
                let read = file.read_buf(&mut piece).await;
                read.map_err(|error| disk::told(&place, &error))?;
                Ok((!piece.is_empty()).then(|| (piece.freeze(), (file, place))))
            });
            Ok(pieces.boxed())
        }
        .boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        self.blocking(key, move |disk, key| {
            let mut file = disk.open(key)?;
            let mut part = Vec::new();
            file.seek(SeekFrom::Start(range.start))
                .and_then(|_| {
                    file.take(range.end.saturating_sub(range.start))
                        .read_to_end(&mut part)
                })
                .map_err(|error| disk::told(&disk.path(key), &error))?;
            Ok(part.into())
        })
        .boxed()
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        walk::blobs(self.disk.clone(), below.cloned()).boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blocking(key, Disk::remove).boxed()
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "files in {}", self.disk.root().display())
    }
}

/// A file that has no name yet by which it could be found.
#[derive(Debug)]
struct FileUpload {
    store: FileStore,
    key: Key,
    file: Arc<Mutex<Option<NamedTempFile>>>,
}

impl FileUpload {
    fn take(&self) -> Result<NamedTempFile, StoreError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        file.ok_or_else(over)
    }
}

fn over() -> StoreError {
    StoreError::Other {
        message: "that this upload is over".to_owned(),
    }
}

impl Upload for FileUpload {
    fn part(&self, number: u32, body: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let file = file.as_ref().ok_or_else(over)?;
            let place = u64::from(number) * PART as u64;
            let written = file.as_file().write_all_at(&body, place);
            written.map_err(|error| disk::told(file.path(), &error))
        })
        .boxed()
    }

    fn complete(&self, _count: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        async {
            let file = self.take()?;
            let replace = move |disk: &Disk, key: &Key| disk.replace(key, file);
            self.store.blocking(&self.key, replace).await
        }
        .boxed()
    }

    fn abort(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async {
            let file = self.take()?;
            let remove = move |disk: &Disk, key: &Key| {
                let removed = file.close();
                removed.map_err(|error| disk::told(&disk.path(key), &error))
            };
            self.store.blocking(&self.key, remove).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use futures::TryStreamExt as _;

    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn files_keep_what_every_store_promises() {
        let folder = tempfile::tempdir().unwrap();
        conformance::holds(Arc::new(FileStore::new(folder.path()))).await;
    }

    #[tokio::test]
    async fn a_blob_is_a_file_by_its_key_and_leaves_no_folders_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let key = Key::new("data/1/part.json").unwrap();
        store.put(&key, Bytes::from("{}")).await.unwrap();
        assert_eq!(fs::read(folder.path().join("data/1/part.json")).unwrap(), b"{}");
        store.delete(&key).await.unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_is_no_blob_is_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let key = Key::new("data/part.json").unwrap();
        store.put(&key, Bytes::from("{}")).await.unwrap();
        // As a killed process leaves it.
        fs::write(folder.path().join("data/~unfinished"), "{").unwrap();
        fs::create_dir(folder.path().join("lost+found")).unwrap();
        symlink("/etc/hosts", folder.path().join("data/link")).unwrap();
        let blobs: Vec<Blob> = store.list(None).try_collect().await.unwrap();
        assert_eq!(blobs, [Blob { key, size: 2 }]);
    }

    #[tokio::test]
    async fn nothing_is_written_where_no_disk_is_mounted() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("vault"));
        let key = Key::new("a/b").unwrap();
        let failures = [
            store.put(&key, Bytes::new()).await.err(),
            store.put_if_absent(&key, Bytes::new()).await.err(),
            store.upload(&key).await.err(),
            store.stream(&key).await.err(),
            store.get_range(&key, 0..1).await.err(),
            store.delete(&key).await.err(),
            store.list(None).try_collect::<Vec<_>>().await.err(),
            store.list(Some(&key)).try_collect::<Vec<_>>().await.err(),
        ];
        for failure in failures {
            assert!(
                matches!(failure, Some(StoreError::NoLocation { .. })),
                "{failure:?}"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_failure_of_the_disk_is_told_as_such() {
        let told = |code| disk::told("/vault/a".as_ref(), &std::io::Error::from_raw_os_error(code));
        for code in [28, 122] {
            assert!(matches!(told(code), StoreError::Full { .. }), "{code}");
        }
        assert!(matches!(told(30), StoreError::ReadOnly { .. }));
        assert!(matches!(told(13), StoreError::Denied { .. }));
        assert!(told(116).is_transient() && !told(5).is_transient());
        assert_eq!(
            told(28).to_string(),
            "the store is full: /vault/a: No space left on device (os error 28)"
        );
    }
}
