//! Backups as Velero writes them, for the tests of this module.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::layout;
use crate::store::{MemoryStore, Store};

/// A file of an archive.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
    pub(super) kind: EntryType,
}

pub(super) fn store() -> Store {
    Arc::new(MemoryStore::new())
}

pub(super) fn file(path: &str, content: impl Into<Vec<u8>>) -> File {
    File {
        path: path.to_owned(),
        content: content.into(),
        kind: EntryType::Regular,
    }
}

pub(super) fn version() -> File {
    file("metadata/version", "1.1.0\n")
}

/// An object where Velero puts it.
pub(super) fn object(
    api_version: &str,
    kind: &str,
    plural: &str,
    namespace: Option<&str>,
    name: &str,
) -> File {
    let group = api_version.split_once('/').map(|(group, _)| format!(".{group}"));
    let group_resource = format!("{plural}{}", group.unwrap_or_default());
    let path = crate::point::segment::path(&group_resource, namespace, name);
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    file(&path, object.to_string())
}

/// The objects of the sample, and the copies of two of them: Velero writes one of each.
pub(super) fn files() -> Vec<File> {
    let pod = object("v1", "Pod", "pods", Some("shop"), "web");
    let copy = |path: &str| File {
        path: path.to_owned(),
        ..pod.clone()
    };
    vec![
        version(),
        pod.clone(),
        copy("resources/pods/v1-preferredversion/namespaces/shop/web.json"),
        object("v1", "Namespace", "namespaces", None, "shop"),
        file(
            "resources/deployments.apps/v1-preferredversion/namespaces/shop/old.json",
            "{}",
        ),
        object(
            "apps/v1",
            "Deployment",
            "deployments",
            Some("shop"),
            &"b".repeat(253),
        ),
    ]
}

/// A tar archive, with long paths as Go writes them.
pub(super) fn pack(files: &[File]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for file in files {
        append(&mut archive, file);
    }
    archive.into_inner().unwrap()
}

fn append(archive: &mut Builder<Vec<u8>>, file: &File) {
    let mut header = Header::new_ustar();
    header.set_entry_type(file.kind);
    header.set_size(file.content.len() as u64);
    header.set_mode(0o755);
    let fits = file.path.len() <= 100;
    if !fits {
        archive
            .append_pax_extensions([("path", file.path.as_bytes())])
            .unwrap();
    }
    // The path as it is: the library wouldn't write one that leads elsewhere.
    let name = &mut header.as_old_mut().name;
    let length = file.path.len().min(name.len());
    name[..length].copy_from_slice(&file.path.as_bytes()[..length]);
    header.set_cksum();
    archive.append(&header, file.content.as_slice()).unwrap();
}

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A backup of these files.
pub(super) async fn write(store: &Store, name: &str, files: &[File]) {
    write_archive(store, name, compress(&pack(files))).await;
}

/// A backup with whatever there is in place of its archive.
pub(super) async fn write_archive(store: &Store, name: &str, archive: Vec<u8>) {
    let description = json!({
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": { "name": name, "namespace": "velero" },
        "spec": { "includedNamespaces": ["shop"], "ttl": "720h0m0s" },
        "status": {
            "version": 1,
            "formatVersion": "1.1.0",
            "phase": "PartiallyFailed",
            "startTimestamp": "2026-11-21T01:00:00Z",
            "completionTimestamp": "2026-11-21T01:05:00Z",
            "expiration": "2026-12-21T01:00:00Z",
            "progress": { "totalItems": 4, "itemsBackedUp": 3 },
            "errors": 1,
        },
    });
    let list = json!({ "v1/Pod": ["shop/web"], "apps/v1/Deployment": null, "v1/Namespace": ["shop", "b"] });
    for (key, body) in [
        (layout::archive(name), archive),
        (layout::resource_list(name), compress(list.to_string().as_bytes())),
        (layout::description(name), description.to_string().into_bytes()),
    ] {
        store.put(&key.unwrap(), body.into()).await.unwrap();
    }
}
