//! Which objects of a point a restore takes: its index is read, and of the objects those that decide about others.

use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{Choice, Survey, Taken};
use futures::TryStreamExt as _;
use serde_json::Value;

use super::{Entry, IndexEntry, PointError, PointReader};

impl IndexEntry {
    /// Which object it is.
    pub fn id(&self) -> ObjectId {
        id(&self.group_resource, self.namespace.as_deref(), &self.name)
    }
}

impl Entry {
    /// Which object it is.
    pub fn id(&self) -> ObjectId {
        id(&self.group_resource, self.namespace.as_deref(), &self.name)
    }
}

fn id(group_resource: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    ObjectId {
        kind: group_resource.into(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

/// Gets to know the point: which objects are taken, and what of them decides about others.
pub async fn survey(point: &PointReader, choice: &Choice) -> Result<Survey, PointError> {
    let mut survey = Survey::default();
    let mut pending = Vec::new();
    let mut entries = point.entries();
    while let Some(entry) = entries.try_next().await? {
        let object = entry.id();
        match choice.takes(&object, &entry.labels) {
            Taken::Yes => survey.choose(object),
            Taken::IfNeeded if !Survey::reads(&object.kind) => pending.push((object, Value::Null)),
            Taken::IfNeeded | Taken::No => {}
        }
    }
    let reads = |entry: &IndexEntry| {
        let object = entry.id();
        Survey::reads(&object.kind) && choice.takes(&object, &entry.labels) != Taken::No
    };
    let mut objects = point.objects(reads);
    while let Some(entry) = objects.try_next().await? {
        let object = entry.id();
        // What is no JSON is told of when its turn comes.
        let content = serde_json::from_slice(&entry.json).unwrap_or_default();
        if survey.takes(&object) {
            survey.note(&object, &content);
        } else {
            pending.push((object, content));
        }
    }
    survey.settle(pending);
    Ok(survey)
}
