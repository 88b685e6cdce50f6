//! Writes a recovery point as a backup of Velero's, in clear text: the way to Velero for whoever wants to restore by it.
//!
//! As in Velero's own backups the description is written last. It has no time at which Velero would delete the backup.
//!
//! - `pack`: the objects as a compressed tar archive

mod pack;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tokio::sync::mpsc;

use self::pack::Pack;
use super::layout;
use crate::point::{Manifest, PointError, PointPhase, PointReader};
use crate::store::{BadKey, Key, Put, Store, StoreError};

/// The format of the archive: the one of all versions of Velero.
pub(super) const FORMAT: &str = "1.1.0";

/// How many pieces of the archive wait for the store.
const AHEAD: usize = 2;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What Velero calls the backup: as the Backup that made the point.
    pub name: String,
    /// How many objects are in it.
    pub objects: u64,
    /// How large its archive is.
    pub bytes: u64,
}

/// Why a point couldn't be written as a backup of Velero's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The point can't be read.
    #[error(transparent)]
    Point(#[from] PointError),
    /// The store didn't do its part.
    #[error("{key}: {source}")]
    Store {
        /// What was to be written.
        key: Key,
        /// What the store says.
        source: StoreError,
    },
    /// A backup of that name is there.
    #[error("{0} exists already: export to another place, or remove the backup that is there")]
    Exists(Key),
    /// An object that can't stand in an archive.
    #[error("{kind} {name:?} can't be exported: {message}")]
    Object {
        /// The plural name and the group.
        kind: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// The archive can't be made.
    #[error("the archive can't be made: {0}")]
    Make(String),
    /// A name that is no key.
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// Writes all objects of a point as a backup, where there is none of that name.
pub async fn export(point: &PointReader, store: &Store) -> Result<Exported, ExportError> {
    let name = &point.manifest().begin.backup.name;
    let description = layout::description(name)?;
    match store.get_range(&description, 0..1).await {
        Err(StoreError::NotFound { .. }) => {}
        Ok(_) => return Err(ExportError::Exists(description)),
        Err(error) => return Err(at(&description)(error)),
    }
    let archive = layout::archive(name)?;
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    let body = stream::poll_fn(move |context| pieces.poll_recv(context)).boxed();
    let (stored, packed) = futures::join!(store.put_stream(&archive, body), pack(point, sender));
    // What can't be read is why it isn't stored.
    let listed = packed?;
    let bytes = stored.map_err(at(&archive))?;
    let list = layout::resource_list(name)?;
    store.put(&list, listed.file()?).await.map_err(at(&list))?;
    let text = describe(point.manifest(), &listed).to_string();
    match store.put_if_absent(&description, text.into()).await {
        Ok(Put::Stored) => Ok(Exported {
            name: name.clone(),
            objects: listed.objects,
            bytes,
        }),
        Ok(Put::Exists) => Err(ExportError::Exists(description)),
        Err(error) => Err(at(&description)(error)),
    }
}

/// What went into the archive.
#[derive(Debug, Default)]
struct Listed {
    /// `<ns>/<name>` by `<group>/<version>/<Kind>`.
    kinds: BTreeMap<String, Vec<String>>,
    namespaces: BTreeSet<String>,
    objects: u64,
}

impl Listed {
    fn file(&self) -> Result<Bytes, ExportError> {
        let text = serde_json::to_vec(&self.kinds).map_err(|error| ExportError::Make(error.to_string()))?;
        Ok(pack::compress(&text)?)
    }
}

type Pieces = mpsc::Sender<Result<Bytes, StoreError>>;

/// Sends the archive on its way. Where that fails the store is told, so that it keeps nothing.
async fn pack(point: &PointReader, pieces: Pieces) -> Result<Listed, ExportError> {
    let packed = pack_all(point, &pieces).await;
    if let Err(error) = &packed {
        let message = error.to_string();
        // It may have given up itself.
        _ = pieces.send(Err(StoreError::Source { message })).await;
    }
    packed
}

async fn pack_all(point: &PointReader, pieces: &Pieces) -> Result<Listed, ExportError> {
    let mut pack = Pack::begin()?;
    let mut objects = point.objects(|_| true);
    while let Some(entry) = objects.try_next().await? {
        if let Some(piece) = pack.add(&entry)?
            && pieces.send(Ok(piece)).await.is_err()
        {
            // The store's own error says why.
            break;
        }
    }
    let (listed, last) = pack.end()?;
    _ = pieces.send(Ok(last)).await;
    Ok(listed)
}

/// As Velero describes a backup. It tells apart what is complete and what isn't, and knows nothing between.
fn describe(manifest: &Manifest, listed: &Listed) -> serde_json::Value {
    let phase = match manifest.phase {
        PointPhase::Completed => "Completed",
        PointPhase::CompletedWithWarnings => "PartiallyFailed",
    };
    json!({
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": manifest.begin.backup.name,
            "namespace": "velero",
            "annotations": { "clusterbackup.io/recovery-point": manifest.begin.id },
        },
        "spec": {
            "includedNamespaces": listed.namespaces,
            "snapshotVolumes": false,
            "storageLocation": "default",
        },
        "status": {
            "version": 1,
            "formatVersion": FORMAT,
            "phase": phase,
            "startTimestamp": format!("{:.0}", manifest.begin.started),
            "completionTimestamp": format!("{:.0}", manifest.finished),
            "progress": { "totalItems": listed.objects, "itemsBackedUp": listed.objects },
        },
    })
}

fn at(key: &Key) -> impl FnOnce(StoreError) -> ExportError {
    move |source| ExportError::Store {
        key: key.clone(),
        source,
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Make(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{self, Archive};
    use crate::point::{Entry, sample};
    use crate::seal::{Identity, Seal};

    fn entries() -> Vec<Entry> {
        let object = |api_version: &str, kind: &str, entry: Entry| {
            let metadata =
                json!({ "name": entry.name, "namespace": entry.namespace, "labels": entry.labels });
            let json = json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata });
            Entry {
                json: json.to_string().into(),
                ..entry
            }
        };
        let pods = (0..2000).map(|number| sample::entry("pods", Some("shop"), &format!("web-{number}"), 0));
        let long = sample::entry("deployments.apps", Some("shop"), &"b".repeat(253), 0);
        let role = sample::entry("clusterroles.rbac.authorization.k8s.io", None, "system:shop", 0);
        pods.map(|pod| object("v1", "Pod", pod))
            .chain([
                object("apps/v1", "Deployment", long),
                object("rbac.authorization.k8s.io/v1", "ClusterRole", role),
            ])
            .collect()
    }

    async fn point(identity: &Identity, entries: Vec<Entry>) -> PointReader {
        let store = sample::store();
        let seal = Seal::to(vec![identity.recipient()]);
        sample::write(&store, sample::begin(0, "a"), seal, entries)
            .await
            .unwrap();
        let identity = Some(identity.clone());
        PointReader::open(store, &sample::id(0), identity).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_exported_is_read_as_a_backup_of_velero() {
        let identity = Identity::generate();
        let (point, store) = (point(&identity, entries()).await, sample::store());
        let exported = export(&point, &store).await.unwrap();
        assert_eq!((&*exported.name, exported.objects), ("nightly", 2002));
        let archive = Archive::open(store.clone(), "nightly").await.unwrap();
        let read: Vec<Entry> = archive.objects().try_collect().await.unwrap();
        assert_eq!(read, entries());
        let counted = archive.resource_list().await.unwrap();
        assert_eq!(
            counted,
            BTreeMap::from([
                ("apps/v1/Deployment".to_owned(), 1),
                ("rbac.authorization.k8s.io/v1/ClusterRole".to_owned(), 1),
                ("v1/Pod".to_owned(), 2000),
            ])
        );
        let backup = archive::find(&store, "nightly").await.unwrap().unwrap();
        assert_eq!(backup.included_namespaces, ["shop"]);
        assert_eq!((&*backup.phase, backup.expires), ("Completed", None));
    }

    #[tokio::test]
    async fn a_backup_of_that_name_is_left_as_it_is() {
        let identity = Identity::generate();
        let (point, store) = (point(&identity, entries()).await, sample::store());
        export(&point, &store).await.unwrap();
        let before: Vec<_> = store.list(None).try_collect().await.unwrap();
        let refused = export(&point, &store).await;
        let description = Key::new("backups/nightly/velero-backup.json").unwrap();
        assert_eq!(refused, Err(ExportError::Exists(description)));
        let after: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert_eq!(after, before);
    }

    #[tokio::test]
    async fn what_is_no_object_leaves_no_backup() {
        let identity = Identity::generate();
        let mut entries = entries();
        entries[1000].json = "[]".into();
        let (point, store) = (point(&identity, entries).await, sample::store());
        let refused = export(&point, &store).await;
        assert!(
            matches!(&refused, Err(ExportError::Object { name, .. }) if name == "web-1000"),
            "{refused:?}"
        );
        assert_eq!(store.list(None).count().await, 0);
    }
}
