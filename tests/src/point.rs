//! Recovery points that a test writes itself, of objects of its own.

use anyhow::{Context as _, Result};
use clusterbackup_vault::point::{
    Attempt, BackupName, Begin, Entry, Manifest, PointId, PointPhase, PointResult, PointWriter,
};
use clusterbackup_vault::seal::Seal;
use clusterbackup_vault::store::Store;
use kube::api::{ApiResource, GroupVersionKind};
use serde_json::Value;

/// Writes a point with this id, of a Backup of this name.
pub async fn write(store: &Store, id: &str, backup: &str, seal: Seal, objects: &[Value]) -> Result<Manifest> {
    let begin = Begin {
        id: PointId::new(id)?,
        attempt: Attempt::new("first")?,
        cluster: "3f2a7c1e-0000-4000-8000-00000000c1a5".to_owned(),
        backup: BackupName {
            namespace: "shop".to_owned(),
            name: backup.to_owned(),
        },
        instance: "shop".to_owned(),
        started: jiff::Timestamp::now(),
    };
    let mut point = PointWriter::begin(store.clone(), begin, seal).await?;
    for object in objects {
        point.add(entry(object)?).await?;
    }
    let result = PointResult {
        finished: jiff::Timestamp::now(),
        phase: PointPhase::Completed,
        unread: [].into(),
        inconsistent: [].into(),
        first_of: [].into(),
        volumes: Vec::new(),
    };
    Ok(point.commit(result).await?)
}

fn entry(object: &Value) -> Result<Entry> {
    let text = |field: &str| object.pointer(field).and_then(Value::as_str);
    let api_version = text("/apiVersion").context("the object has no apiVersion")?;
    let kind = text("/kind").context("the object has no kind")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let plural = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)).plural;
    let labels = object["metadata"]["labels"].clone();
    Ok(Entry {
        group_resource: if group.is_empty() {
            plural
        } else {
            format!("{plural}.{group}")
        },
        namespace: text("/metadata/namespace").map(str::to_owned),
        name: text("/metadata/name")
            .context("the object has no name")?
            .to_owned(),
        labels: serde_json::from_value::<Option<_>>(labels)?.unwrap_or_default(),
        json: object.to_string().into(),
    })
}
