//! Where objects go: into the point, one at a time. What they need, what could not be read and how far it is are noted on
//! the way.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::backup::ObjectCounts;
use clusterbackup_core::inclusion::{Belongings, Kind};
use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_core::selection::Name;
use clusterbackup_vault::point::{Added, PointError, PointWriter};
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use super::page::Object;
use crate::leader::point_failure::PointFailure;

/// Takes objects from several readers.
pub(in crate::leader) struct Sink {
    taken: Mutex<Taken>,
    progress: watch::Sender<ObjectCounts>,
}

struct Taken {
    writer: PointWriter,
    belongings: Belongings,
    /// The namespaces that something went in of.
    filled: BTreeSet<String>,
    /// The kinds that something went in of, so that their definitions are needed.
    kinds: BTreeSet<GroupResource>,
    unread: BTreeMap<String, BTreeSet<String>>,
    inconsistent: BTreeSet<String>,
    remarks: Vec<String>,
}

/// What has become of everything.
pub(in crate::leader) struct Stored {
    /// The point, not committed.
    pub(in crate::leader) writer: PointWriter,
    /// What was counted.
    pub(in crate::leader) counts: ObjectCounts,
    /// Kinds that could not be read, or not all of them, and why.
    pub(in crate::leader) unread: BTreeMap<String, BTreeSet<String>>,
    /// Kinds whose lists are of several states of the cluster.
    pub(in crate::leader) inconsistent: BTreeSet<String>,
    /// What else is not as it should be.
    pub(in crate::leader) remarks: Vec<String>,
}

impl Sink {
    /// For one attempt at a point.
    pub(super) fn new(writer: PointWriter, progress: watch::Sender<ObjectCounts>) -> Self {
        progress.send_replace(ObjectCounts::default());
        let taken = Taken {
            writer,
            belongings: Belongings::default(),
            filled: BTreeSet::new(),
            kinds: BTreeSet::new(),
            unread: BTreeMap::new(),
            inconsistent: BTreeSet::new(),
            remarks: Vec::new(),
        };
        Self {
            taken: Mutex::new(taken),
            progress,
        }
    }

    /// So many kinds will be read.
    pub(super) fn expect(&self, kinds: usize) {
        let total = u32::try_from(kinds).unwrap_or(u32::MAX);
        self.progress.send_modify(|counts| counts.kinds_total = total);
    }

    /// Puts an object into the point. One that can't stand in a point is told of, as what can't be read is.
    pub(super) async fn add(&self, kind: &Kind, object: Object<'_>) -> Result<(), PointFailure> {
        let group_resource = &kind.group_resource;
        let looked_into = Belongings::concern(group_resource)
            .then(|| serde_json::from_str::<Value>(object.raw()))
            .transpose();
        let looked_into = looked_into.map_err(|error| PointFailure::Final(error.to_string()))?;
        let entry = object.entry(kind);
        let (namespace, name) = (entry.namespace.clone(), entry.name.clone());
        let bytes = entry.json.len();

        let mut taken = self.taken.lock().await;
        match taken.writer.add(entry).await {
            Ok(Added::New) => {}
            Ok(Added::Repeated) => return Ok(()),
            Err(bad @ PointError::BadEntry { .. }) => {
                taken.note_unread(group_resource.as_str(), &bad.to_string());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(object) = looked_into {
            let belongings = &mut taken.belongings;
            belongings.note(group_resource, namespace.as_deref(), &name, &object);
        }
        if !taken.kinds.contains(group_resource) {
            taken.belongings.note_kind(group_resource);
            taken.kinds.insert(group_resource.clone());
        }
        if let Some(namespace) = namespace
            && !taken.filled.contains(&namespace)
        {
            taken.filled.insert(namespace);
        }
        drop(taken);
        self.progress.send_modify(|counts| {
            counts.stored += 1;
            counts.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        });
        Ok(())
    }

    /// A kind could not be read, or not all of it.
    pub(super) async fn unread(&self, kind: &str, reason: &str) {
        self.taken.lock().await.note_unread(kind, reason);
    }

    /// The objects of a kind are of several states of the cluster.
    pub(super) async fn inconsistent(&self, kind: &str) {
        self.taken.lock().await.inconsistent.insert(kind.to_owned());
    }

    /// Something else is not as it should be.
    pub(super) async fn remark(&self, remark: String) {
        self.taken.lock().await.remarks.push(remark);
    }

    /// A kind was read to its end, or as far as it could be.
    pub(super) fn kind_done(&self) {
        self.progress.send_modify(|counts| counts.kinds += 1);
    }

    /// Takes out what is needed by objects that went in, and is not there yet.
    pub(super) async fn needed(&self) -> BTreeSet<ObjectId> {
        self.taken.lock().await.belongings.take()
    }

    /// The service accounts that went in.
    pub(super) async fn accounts(&self) -> BTreeSet<Name> {
        self.taken.lock().await.belongings.accounts().clone()
    }

    /// The namespaces that something went in of.
    pub(super) async fn filled(&self) -> BTreeSet<String> {
        self.taken.lock().await.filled.clone()
    }

    /// Everything was read.
    pub(super) fn done(self) -> Stored {
        let taken = self.taken.into_inner();
        let mut counts = *self.progress.borrow();
        counts.kinds_unread = u32::try_from(taken.unread.len()).unwrap_or(u32::MAX);
        self.progress.send_replace(counts);
        Stored {
            writer: taken.writer,
            counts,
            unread: taken.unread,
            inconsistent: taken.inconsistent,
            remarks: taken.remarks,
        }
    }
}

impl Taken {
    fn note_unread(&mut self, kind: &str, reason: &str) {
        let reasons = self.unread.entry(kind.to_owned()).or_default();
        reasons.insert(reason.to_owned());
    }
}
