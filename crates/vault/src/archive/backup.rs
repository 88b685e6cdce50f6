//! Which backups there are: each has a `velero-backup.json`, and nothing else says so.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use serde::Deserialize;

use super::error::{ArchiveError, Refusal};
use super::layout;
use crate::point::PointPhase;
use crate::store::{Blob, Key, Store, StoreError};

/// How many descriptions are read at a time.
const AT_A_TIME: usize = 8;

/// The largest description: it was an object of an API server.
const LARGEST: u64 = 4 << 20;

/// A backup as Velero describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// The namespace that its object was in.
    pub namespace: String,
    /// How it ended: `Completed`, `PartiallyFailed`, …; empty if Velero never said.
    pub phase: String,
    /// When it was begun.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// When Velero means to delete it.
    pub expires: Option<Timestamp>,
    /// The namespaces that were asked for; empty or `*` for all.
    pub included_namespaces: Vec<String>,
    /// The namespaces that were left out.
    pub excluded_namespaces: Vec<String>,
    /// How many objects were found.
    pub objects_found: u64,
    /// How many were written.
    pub objects_written: u64,
    /// How many warnings there were.
    pub warnings: u64,
    /// How many errors there were.
    pub errors: u64,
    /// The format of the archive.
    pub format: Option<String>,
}

/// How a backup ended that left something to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether something is missing.
    pub phase: PointPhase,
    /// When it was begun.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
}

/// A backup by its name; nothing where there is no such backup.
pub async fn find(store: &Store, name: &str) -> Result<Option<Backup>, ArchiveError> {
    let key = layout::description(name)?;
    match store.get_range(&key, 0..LARGEST + 1).await {
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(ArchiveError::store(&key, error)),
        Ok(bytes) => read(&bytes, name)
            .map(Some)
            .map_err(|refusal| ArchiveError::refused(&key, refusal)),
    }
}

/// Which backups there are by their names, and how many bytes the archive of each has.
pub async fn names(store: &Store) -> Result<BTreeMap<String, u64>, ArchiveError> {
    let folder = layout::backups()?;
    let mut blobs = store.list(Some(folder));
    let (mut described, mut sizes) = (Vec::new(), BTreeMap::new());
    while let Some(blob) = blobs.next().await {
        let Blob { key, size } = blob.map_err(|error| ArchiveError::store(folder, error))?;
        if let Some(name) = layout::described(&key) {
            described.push(name.to_owned());
        } else if let Some(name) = layout::archived(&key) {
            sizes.insert(name.to_owned(), size);
        }
    }
    let with_size = described.into_iter().map(|name| {
        let size = sizes.remove(&name).unwrap_or_default();
        (name, size)
    });
    Ok(with_size.collect())
}

/// All backups of a container, or of the folder of a storage location, in the order of their names. One that is damaged is an
/// error of its own among them.
pub fn list(store: &Store) -> BoxStream<'_, Result<Backup, ArchiveError>> {
    let folder = match layout::backups() {
        Ok(folder) => folder,
        Err(error) => return stream::once(future::ready(Err(error.into()))).boxed(),
    };
    let described = store.list(Some(folder)).filter_map(async |blob| match blob {
        Ok(Blob { key, .. }) => layout::described(&key).map(|name| Ok(name.to_owned())),
        Err(error) => Some(Err(ArchiveError::store(folder, error))),
    });
    // A backup that is removed while it is listed isn't one any more.
    described
        .map(async |name| find(store, &name?).await)
        .buffered(AT_A_TIME)
        .filter_map(async |found| found.transpose())
        .boxed()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Option<Spec>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    included_namespaces: Option<Vec<String>>,
    excluded_namespaces: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    format_version: Option<String>,
    start_timestamp: Option<Timestamp>,
    completion_timestamp: Option<Timestamp>,
    expiration: Option<Timestamp>,
    progress: Option<Progress>,
    warnings: u64,
    errors: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Progress {
    total_items: u64,
    items_backed_up: u64,
}

fn read(bytes: &Bytes, name: &str) -> Result<Backup, Refusal> {
    if bytes.len() as u64 > LARGEST {
        return Err(Refusal::TooLarge(LARGEST));
    }
    let description: Description =
        serde_json::from_slice(bytes).map_err(|error| Refusal::json("a Backup", &error))?;
    for (field, found, expected) in [
        ("kind", &*description.kind, "Backup"),
        ("name", &*description.metadata.name, name),
    ] {
        if found != expected {
            return Err(Refusal::other(field, found, expected));
        }
    }
    let spec = description.spec.unwrap_or_default();
    let status = description.status.unwrap_or_default();
    let progress = status.progress.unwrap_or_default();
    Ok(Backup {
        name: description.metadata.name,
        namespace: description.metadata.namespace,
        phase: status.phase,
        started: status.start_timestamp,
        finished: status.completion_timestamp,
        expires: status.expiration,
        included_namespaces: spec.included_namespaces.unwrap_or_default(),
        excluded_namespaces: spec.excluded_namespaces.unwrap_or_default(),
        objects_found: progress.total_items,
        objects_written: progress.items_backed_up,
        warnings: status.warnings,
        errors: status.errors,
        format: status.format_version,
    })
}

impl Backup {
    /// When it was begun and ended, and how, if it is one that can be restored: Velero restores no others either.
    pub fn outcome(&self) -> Option<Outcome> {
        Some(Outcome {
            phase: match self.phase.as_str() {
                "Completed" => PointPhase::Completed,
                "PartiallyFailed" => PointPhase::CompletedWithWarnings,
                _ => return None,
            },
            started: self.started?,
            finished: self.finished?,
        })
    }

    /// What its archive is called, if it is one that can be read.
    pub(super) fn archive(&self) -> Result<Key, ArchiveError> {
        if let Some(format) = &self.format {
            let key = layout::description(&self.name)?;
            check_format(format).map_err(|refusal| ArchiveError::refused(&key, refusal))?;
        }
        Ok(layout::archive(&self.name)?)
    }
}

/// Format 1, whichever its minor version: it is the one of all versions of Velero.
pub(super) fn check_format(text: &str) -> Result<(), Refusal> {
    let text = text.trim_ascii();
    let mut numbers = text.split('.');
    let good = numbers.next() == Some("1") && numbers.all(|number| number.parse::<u32>().is_ok());
    good.then_some(())
        .ok_or_else(|| Refusal::Format(super::error::shown(text)))
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;
    use crate::archive::sample;

    #[tokio::test]
    async fn a_damaged_backup_hides_no_other() {
        let store = sample::store();
        for name in ["a", "b", "c", "d"] {
            sample::write(&store, name, &sample::files()).await;
        }
        let listed: Vec<_> = list(&store)
            .map_ok(|backup| backup.name)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(listed, ["a", "b", "c", "d"]);
        let named = names(&store).await.unwrap();
        assert!(
            named.keys().eq(&listed) && named.values().all(|size| *size > 0),
            "{named:?}"
        );
        for (backup, body) in [
            ("b", &b"{"[..]),
            ("c", br#"{"kind":"Backup","metadata":{"name":"a"}}"#),
        ] {
            let key = layout::description(backup).unwrap();
            store.put(&key, Bytes::copy_from_slice(body)).await.unwrap();
        }
        // Neither an unfinished upload nor the files of restores are backups.
        for key in ["backups/e/e.tar.gz", "restores/f/velero-backup.json"] {
            store.put(&Key::new(key).unwrap(), "{}".into()).await.unwrap();
        }
        let listed: Vec<_> = list(&store).collect().await;
        let whole: Vec<_> = listed.iter().map(Result::is_ok).collect();
        assert_eq!(whole, [true, false, false, true]);
        let text = listed[2].clone().unwrap_err().to_string();
        assert!(text.contains("backups/c/velero-backup.json is refused"), "{text}");
    }

    #[tokio::test]
    async fn a_backup_is_shown_as_velero_describes_it() {
        let store = sample::store();
        sample::write(&store, "nightly", &sample::files()).await;
        let backup = find(&store, "nightly").await.unwrap().unwrap();
        assert_eq!(
            backup,
            Backup {
                name: "nightly".to_owned(),
                namespace: "velero".to_owned(),
                phase: "PartiallyFailed".to_owned(),
                started: Some("2026-11-21T01:00:00Z".parse().unwrap()),
                finished: Some("2026-11-21T01:05:00Z".parse().unwrap()),
                expires: Some("2026-12-21T01:00:00Z".parse().unwrap()),
                included_namespaces: vec!["shop".to_owned()],
                excluded_namespaces: Vec::new(),
                objects_found: 4,
                objects_written: 3,
                warnings: 0,
                errors: 1,
                format: Some("1.1.0".to_owned()),
            }
        );
        assert_eq!(find(&store, "weekly").await, Ok(None));
        assert!(matches!(
            find(&store, "../weekly").await,
            Err(ArchiveError::Key(_))
        ));
    }

    #[tokio::test]
    async fn a_description_that_is_too_large_is_refused() {
        let store = sample::store();
        let key = layout::description("a").unwrap();
        store.put(&key, vec![b' '; 5 << 20].into()).await.unwrap();
        let refused = find(&store, "a").await;
        assert!(
            matches!(
                refused,
                Err(ArchiveError::Refused {
                    refusal: Refusal::TooLarge(LARGEST),
                    ..
                })
            ),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn what_velero_does_not_restore_is_not_restored() {
        let store = sample::store();
        sample::write(&store, "nightly", &sample::files()).await;
        let backup = find(&store, "nightly").await.unwrap().unwrap();
        for (phase, expected) in [
            ("Completed", Some(PointPhase::Completed)),
            ("PartiallyFailed", Some(PointPhase::CompletedWithWarnings)),
            ("Failed", None),
            ("InProgress", None),
            ("Deleting", None),
            ("", None),
        ] {
            let backup = Backup {
                phase: phase.to_owned(),
                ..backup.clone()
            };
            assert_eq!(backup.outcome().map(|outcome| outcome.phase), expected, "{phase}");
        }
        let endless = Backup {
            finished: None,
            ..backup
        };
        assert_eq!(endless.outcome(), None);
    }

    #[test]
    fn formats_of_version_1_are_read() {
        for format in ["1", "1\n", "1.1.0\n", "1.2"] {
            assert_eq!(check_format(format), Ok(()), "{format:?}");
        }
        for format in ["", "2", "2.0.0", "1.x", "11.0", "1.1.0-beta"] {
            assert!(check_format(format).is_err(), "{format:?}");
        }
    }
}
