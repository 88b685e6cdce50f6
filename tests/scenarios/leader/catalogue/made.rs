//! A point in a vault's folder that no leader made: of another cluster, or of long ago.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use clusterbackup_core::retention::Period;
use clusterbackup_vault::location::Location;
use clusterbackup_vault::point::{
    Attempt, BackupName, Begin, Entry, PointId, PointPhase, PointResult, PointWriter,
};
use clusterbackup_vault::seal::Seal;
use clusterbackup_vault::store::{FileStore, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// One to be written.
pub(in crate::leader) struct Made {
    /// Its name.
    pub(in crate::leader) id: String,
    /// The cluster that it is of.
    pub(in crate::leader) cluster: String,
    /// The namespace of its Backup.
    pub(in crate::leader) namespace: String,
    /// Its instance.
    pub(in crate::leader) instance: String,
    /// How many days ago it was made.
    pub(in crate::leader) days_ago: i64,
    /// The periods that it is the first complete point of.
    pub(in crate::leader) first_of: BTreeSet<Period>,
    /// Whether everything is in it.
    pub(in crate::leader) phase: PointPhase,
}

impl Made {
    /// A complete point of now.
    pub(in crate::leader) fn new(number: u8, cluster: &str, namespace: &str) -> Self {
        Self {
            id: format!("0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6{number:03}"),
            cluster: cluster.to_owned(),
            namespace: namespace.to_owned(),
            instance: "shop".to_owned(),
            days_ago: 0,
            first_of: BTreeSet::new(),
            phase: PointPhase::Completed,
        }
    }

    /// Writes it as the leader would.
    pub(in crate::leader) async fn write(&self, folder: &Path) -> Result<()> {
        self.write_into(&in_folder(folder)).await
    }

    /// The same, in any store.
    pub(in crate::leader) async fn write_into(&self, store: &Store) -> Result<()> {
        let mut writer = self.begin_in(store).await?;
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "colours", "namespace": self.namespace },
            "data": { "sky": "blue" },
        });
        let object = Entry {
            group_resource: "configmaps".to_owned(),
            namespace: Some(self.namespace.clone()),
            name: "colours".to_owned(),
            labels: [].into(),
            json: object.to_string().into(),
        };
        writer.add(object).await?;
        let result = PointResult {
            finished: self.time(),
            phase: self.phase,
            unread: [].into(),
            inconsistent: [].into(),
            volumes: Vec::new(),
            first_of: self.first_of.clone(),
        };
        writer.commit(result).await?;
        Ok(())
    }

    /// Begins to write it.
    pub(in crate::leader) async fn begin(&self, folder: &Path) -> Result<PointWriter> {
        self.begin_in(&in_folder(folder)).await
    }

    /// The same, in any store.
    pub(in crate::leader) async fn begin_in(&self, store: &Store) -> Result<PointWriter> {
        let begin = Begin {
            id: PointId::new(self.id.as_str())?,
            attempt: Attempt::new("made")?,
            cluster: self.cluster.clone(),
            backup: BackupName {
                namespace: self.namespace.clone(),
                name: "made".to_owned(),
            },
            instance: self.instance.clone(),
            started: self.time(),
        };
        let location = Location::open(store, None).await?;
        Ok(PointWriter::begin(location.store().clone(), begin, Seal::Clear).await?)
    }

    fn time(&self) -> Timestamp {
        Timestamp::now() - SignedDuration::from_hours(24 * self.days_ago)
    }
}

fn in_folder(folder: &Path) -> Store {
    Arc::new(FileStore::new(folder))
}
