//! Points for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    Attempt, BackupName, Begin, Entry, Manifest, PointId, PointPhase, PointResult, PointVolume, PointWriter,
    Snapshot,
};
use crate::seal::Seal;
use crate::store::{MemoryStore, Store};

pub(crate) fn store() -> Store {
    Arc::new(MemoryStore::new())
}

/// A point of a number, 0 to 9.
pub(crate) fn id(number: u8) -> PointId {
    PointId::new(format!("0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5{number}")).unwrap()
}

pub(crate) fn begin(point: u8, attempt: &str) -> Begin {
    Begin {
        id: id(point),
        attempt: Attempt::new(attempt).unwrap(),
        cluster: "3f2a7c1e-0000-4000-8000-00000000c1a5".to_owned(),
        backup: BackupName {
            namespace: "shop".to_owned(),
            name: "nightly".to_owned(),
        },
        instance: "shop".to_owned(),
        started: "2026-11-21T01:00:00Z".parse().unwrap(),
    }
}

pub(crate) fn result() -> PointResult {
    PointResult {
        finished: "2026-11-21T01:05:00Z".parse().unwrap(),
        phase: PointPhase::Completed,
        unread: ["widgets.example.com".to_owned()].into(),
        inconsistent: [].into(),
        first_of: [].into(),
        volumes: vec![PointVolume {
            namespace: "shop".to_owned(),
            claim: "orders".to_owned(),
            snapshot: Some(Snapshot {
                driver: "disk.csi.example.com".to_owned(),
                handle: "snap-1".to_owned(),
                size_bytes: Some(1 << 30),
            }),
            storage_class: Some("fast".to_owned()),
            consistency: None,
            skipped: None,
            frozen_millis: Some(12),
        }],
    }
}

/// An object with a body of so many bytes at least.
pub(crate) fn entry(group_resource: &str, namespace: Option<&str>, name: &str, bytes: usize) -> Entry {
    let filling = "x".repeat(bytes);
    let json = serde_json::json!({"metadata": {"name": name, "namespace": namespace}, "data": filling});
    Entry {
        group_resource: group_resource.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        labels: BTreeMap::from([("app".to_owned(), "shop".to_owned())]),
        json: Bytes::from(json.to_string()),
    }
}

/// A few objects, with names as they come: long ones, and with a colon.
pub(crate) fn entries() -> Vec<Entry> {
    vec![
        entry("namespaces", None, "shop", 0),
        entry(
            "clusterroles.rbac.authorization.k8s.io",
            None,
            "system:controller:shop",
            10,
        ),
        entry("secrets", Some("shop"), "canary", 2000),
        entry("deployments.apps", Some("shop"), "a", 700),
        entry("deployments.apps", Some("shop"), &"b".repeat(253), 700),
        entry("configmaps", Some("other"), "a", 0),
    ]
}

pub(crate) async fn write(
    store: &Store,
    begin: Begin,
    seal: Seal,
    entries: impl IntoIterator<Item = Entry>,
) -> Result<Manifest, super::PointError> {
    let mut writer = PointWriter::begin(store.clone(), begin, seal).await?;
    for entry in entries {
        writer.add(entry).await?;
    }
    writer.commit(result()).await
}
