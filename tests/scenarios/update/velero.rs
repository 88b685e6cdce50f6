//! What Velero 1.18 does to an object that exists, under `existingResourcePolicy: update`: one merge patch of all that
//! differs from the backup; if that is refused, another of its labels alone.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::Cluster;
use kube::Client;
use serde_json::{Map, Value, json};

use super::sending::{Answer, Update};
use crate::steps::{api_of, create, name_of};

const BACKUP_LABEL: &str = "velero.io/backup-name";

/// What Velero takes off both sides before it compares them.
const SERVER_METADATA: [&str; 9] = [
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
];

/// A restore of that name into a namespace.
pub(crate) struct Restore<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

/// What came of one object.
pub(crate) struct Restored {
    /// The answer to the patch of all that differs.
    pub(crate) patch: Answer,
    /// The answer to the patch of labels after a refusal.
    pub(crate) fallback: Option<Answer>,
    /// The object before and after.
    pub(crate) before: Value,
    pub(crate) after: Value,
}

/// The object as a backup holds it: what becomes of it in a namespace of its own.
pub(crate) async fn backup(cluster: &Cluster, object: &Value) -> Result<Value> {
    let origin = cluster.namespace("origin").await?;
    let client = cluster.admin();
    create(&client, Some(origin.name()), object).await?;
    let stored = api_of(&client, object, Some(origin.name()))?
        .get(&name_of(object))
        .await?;
    Ok(serde_json::to_value(stored)?)
}

impl Restore<'_> {
    /// Restores a backup over the object that is there.
    pub(crate) async fn over_existing(&self, backup: &Value) -> Result<Restored> {
        let before = self.live(backup).await?;
        let update = Update::of(self.client, self.namespace, backup);
        let patch = update.send(&self.patch(&before, backup)?).await?;
        let fallback = match patch.status {
            200 => None,
            _ => Some(update.send(&self.labels()).await?),
        };
        Ok(Restored {
            patch,
            fallback,
            after: self.live(backup).await?,
            before,
        })
    }

    async fn live(&self, object: &Value) -> Result<Value> {
        let api = api_of(self.client, object, self.namespace)?;
        Ok(serde_json::to_value(api.get(&name_of(object)).await?)?)
    }

    /// From the object in the cluster to the one in the backup, as Velero prepares both.
    pub(crate) fn patch(&self, live: &Value, backup: &Value) -> Result<Value> {
        let mut wanted = reset(backup)?;
        let mut live = reset(live)?;
        wanted["metadata"]["namespace"] = json!(self.namespace);
        if wanted["kind"] == "Service" {
            let spec = wanted["spec"].as_object_mut().context("a Service has a spec")?;
            if spec["clusterIP"] != "None" {
                spec.retain(|field, _| field != "clusterIP" && field != "clusterIPs");
            }
        }
        let stamped = self.labels();
        for object in [&mut wanted, &mut live] {
            merge(object, &stamped);
        }
        for label in [labels::VELERO_RESTORE, BACKUP_LABEL] {
            live["metadata"]["labels"][label] = json!("");
        }
        Ok(difference(&live, &wanted))
    }

    fn labels(&self) -> Value {
        json!({ "metadata": { "labels": { labels::VELERO_RESTORE: self.name, BACKUP_LABEL: "backup" } } })
    }
}

fn reset(object: &Value) -> Result<Value> {
    let mut object = object.clone();
    let fields = object.as_object_mut().context("no object")?;
    fields.remove("status");
    fields["metadata"]
        .as_object_mut()
        .context("no metadata")?
        .retain(|field, _| !SERVER_METADATA.contains(&field.as_str()));
    Ok(object)
}

fn merge(object: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (field, value) in patch {
        merge(&mut object[field], value);
    }
}

/// The merge patch (RFC 7386) that makes `to` of `from`.
fn difference(from: &Value, to: &Value) -> Value {
    let (Some(from), Some(to)) = (from.as_object(), to.as_object()) else {
        return to.clone();
    };
    let gone = from
        .keys()
        .filter(|field| !to.contains_key(*field))
        .map(|field| (field.clone(), Value::Null));
    let other = to.iter().filter_map(|(field, wanted)| match from.get(field) {
        Some(found) if found == wanted => None,
        Some(found) => Some((field.clone(), difference(found, wanted))),
        None => Some((field.clone(), wanted.clone())),
    });
    Value::Object(gone.chain(other).collect::<Map<_, _>>())
}

impl Restored {
    /// The patch got in, and the object is the same one as before.
    pub(crate) fn accepted(&self) -> Result<&Self> {
        ensure!(
            self.patch.status == 200,
            "the patch is refused: {:#}",
            self.patch.body
        );
        self.is_the_same_object()
    }

    /// The patch was refused, the labels got in, and the object is the same one as before.
    pub(crate) fn labels_alone(&self) -> Result<&Self> {
        let fallback = self.fallback.as_ref().context("the patch got in")?;
        ensure!(fallback.status == 200, "the labels are refused: {fallback:#?}");
        self.is_unchanged_but_for_labels()
    }

    /// Nothing of the object is different but the restore's labels.
    pub(crate) fn is_unchanged_but_for_labels(&self) -> Result<&Self> {
        let [before, after] = [&self.before, &self.after].map(|object| {
            let mut object = object.clone();
            // What others write at any time.
            object["status"].take();
            object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].take();
            for field in ["resourceVersion", "managedFields"] {
                object["metadata"][field].take();
            }
            for label in [labels::VELERO_RESTORE, BACKUP_LABEL] {
                object["metadata"]["labels"][label].take();
            }
            object
        });
        ensure!(before == after, "{before:#} became {after:#}");
        self.is_the_same_object()
    }

    fn is_the_same_object(&self) -> Result<&Self> {
        let [before, after] = [&self.before, &self.after].map(|object| &object["metadata"]);
        ensure!(
            before["uid"] == after["uid"] && before["creationTimestamp"] == after["creationTimestamp"],
            "{before:#} became {after:#}"
        );
        Ok(self)
    }
}
