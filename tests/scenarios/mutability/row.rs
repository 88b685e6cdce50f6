//! One row of the table: an object, and what becomes of changes to it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::clash::Existing;
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::patch::Draft;
use clusterbackup_tests::{Cluster, eventually};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::steps::{api_of, name_of};

/// The controllers look at some things only now and then.
const LIMIT: Duration = Duration::from_mins(1);

/// An object, and changes to it.
pub(super) struct Row {
    object: Value,
    status: Option<Value>,
    /// What the controllers make of it before anything is tried.
    until: Option<(&'static str, Value)>,
    /// What is changed before anything is tried.
    then: Option<Value>,
    is_own: bool,
    scope: Scope,
    changes: Vec<Change>,
}

/// Where an object is.
#[derive(Clone, Copy)]
enum Scope {
    /// In the namespace of the scenario.
    Own,
    /// In the namespace `default`, where events are that regard nothing in a namespace.
    Default,
    Cluster,
}

/// A change as JSON patch, and what becomes of it.
struct Change {
    operations: Value,
    fate: Fate,
}

/// What the API server and the table make of a change.
enum Fate {
    /// It is refused, with this in the message, and put back.
    Refused(&'static str),
    /// It is accepted, and left alone.
    Accepted,
    /// It is accepted and has no effect; it is put back, so that somebody is told.
    Ignored,
    /// It is accepted by this version and put back, since another supported one refuses it.
    PutBack,
}

impl Row {
    /// An object in a namespace.
    pub(super) fn of(object: Value) -> Self {
        Self {
            object,
            status: None,
            until: None,
            then: None,
            is_own: true,
            scope: Scope::Own,
            changes: Vec::new(),
        }
    }

    /// An object of the cluster.
    pub(super) fn cluster_wide(object: Value) -> Self {
        Self {
            scope: Scope::Cluster,
            ..Self::of(object)
        }
    }

    /// An object in the namespace `default`.
    pub(super) fn in_default(object: Value) -> Self {
        Self {
            scope: Scope::Default,
            ..Self::of(object)
        }
    }

    /// One that is there already, and stays as it is.
    pub(super) fn there(object: Value) -> Self {
        Self {
            is_own: false,
            ..Self::cluster_wide(object)
        }
    }

    /// Gives it a status.
    pub(super) fn with_status(mut self, status: Value) -> Self {
        self.status = Some(status);
        self
    }

    /// Waits until the controllers have given a field this value.
    pub(super) fn until(mut self, path: &'static str, value: impl Into<Value>) -> Self {
        self.until = Some((path, value.into()));
        self
    }

    /// Changes it, once it is there.
    pub(super) fn then(mut self, operations: Value) -> Self {
        self.then = Some(operations);
        self
    }

    pub(super) fn refuses(self, operations: Value, message: &'static str) -> Self {
        self.change(operations, Fate::Refused(message))
    }

    pub(super) fn accepts(self, operations: Value) -> Self {
        self.change(operations, Fate::Accepted)
    }

    pub(super) fn ignores(self, operations: Value) -> Self {
        self.change(operations, Fate::Ignored)
    }

    pub(super) fn accepts_though_put_back(self, operations: Value) -> Self {
        self.change(operations, Fate::PutBack)
    }

    fn change(mut self, operations: Value, fate: Fate) -> Self {
        self.changes.push(Change { operations, fate });
        self
    }
}

/// The object with more fields in one of its members, or at its root.
pub(super) fn extended(mut object: Value, member: &str, fields: &Value) -> Value {
    let members = object.pointer_mut(member).and_then(Value::as_object_mut);
    if let (Some(members), Some(fields)) = (members, fields.as_object()) {
        members.extend(fields.clone());
    }
    object
}

/// Gives a member its value.
pub(super) fn set(path: &str, value: impl Into<Value>) -> Value {
    json!({ "op": "add", "path": path, "value": value.into() })
}

/// Takes a member away.
pub(super) fn unset(path: &str) -> Value {
    json!({ "op": "remove", "path": path })
}

/// Creates the object of each row in a namespace of its own, and tries the changes.
pub(super) async fn check(cluster: &Cluster, subject: &str, rows: &[Row]) -> Result<()> {
    check_of_kind(cluster, subject, rows, None).await
}

/// The same for objects of a custom kind.
pub(super) async fn check_of_kind(
    cluster: &Cluster,
    subject: &str,
    rows: &[Row],
    custom: Option<&CustomKind>,
) -> Result<()> {
    let namespace = cluster.namespace(subject).await?;
    let mut trials = Vec::new();
    for row in rows {
        let place = match row.scope {
            Scope::Own => Some(namespace.name()),
            Scope::Default => Some("default"),
            Scope::Cluster => None,
        };
        let api = api_of(&cluster.admin(), &row.object, place)?;
        trials.push(Trial { row, api, custom });
    }
    let surprises = tried(&trials).await;
    for trial in &trials {
        trial.clear().await?;
    }
    let surprises = surprises?;
    ensure!(surprises.is_empty(), "{}", surprises.join("\n"));
    Ok(())
}

/// Creates all objects, since some need others; then tries all changes.
async fn tried(trials: &[Trial<'_>]) -> Result<Vec<String>> {
    for trial in trials {
        trial.prepare().await.with_context(|| trial.what())?;
    }
    let mut surprises = Vec::new();
    for trial in trials {
        for change in &trial.row.changes {
            if let Err(error) = trial.attempt(change).await {
                surprises.push(format!("{}: {}: {error:#}", trial.what(), change.operations));
            }
        }
    }
    Ok(surprises)
}

struct Trial<'a> {
    row: &'a Row,
    api: Api<DynamicObject>,
    custom: Option<&'a CustomKind>,
}

impl Trial<'_> {
    async fn prepare(&self) -> Result<()> {
        if self.row.is_own {
            // The ServiceAccount that pods need comes a little after its namespace.
            let object = serde_json::from_value(self.row.object.clone())?;
            eventually("it is created", LIMIT, || async {
                Ok(self.api.create(&PostParams::default(), &object).await.map(drop)?)
            })
            .await?;
        }
        if let Some(status) = &self.row.status {
            let patch = Patch::Merge(json!({ "status": status }));
            let name = name_of(&self.row.object);
            self.api
                .patch_status(&name, &PatchParams::default(), &patch)
                .await?;
        }
        if let Some((path, value)) = &self.row.until {
            eventually("the controllers have seen it", LIMIT, || async {
                let live = self.live().await?;
                ensure!(live.pointer(path) == Some(value), "{live:#}");
                Ok(())
            })
            .await?;
        }
        if let Some(operations) = &self.row.then {
            eventually("it is changed", LIMIT, || async {
                let object = serde_json::from_value(changed(&self.live().await?, operations)?)?;
                let name = name_of(&self.row.object);
                Ok(self
                    .api
                    .replace(&name, &PostParams::default(), &object)
                    .await
                    .map(drop)?)
            })
            .await?;
        }
        Ok(())
    }

    async fn clear(&self) -> Result<()> {
        if !self.row.is_own {
            return Ok(());
        }
        let now = DeleteParams::default().grace_period(0);
        match self.api.delete(&name_of(&self.row.object), &now).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => Ok(deleted.map(drop)?),
        }
    }

    async fn live(&self) -> Result<Value> {
        Ok(serde_json::to_value(
            self.api.get(&name_of(&self.row.object)).await?,
        )?)
    }

    fn what(&self) -> String {
        format!("{} {}", self.row.object["kind"], name_of(&self.row.object))
    }

    /// Tries a change to the object as it is in the cluster, and to the object as it was created. A controller may
    /// write in between.
    async fn attempt(&self, change: &Change) -> Result<()> {
        eventually(
            "the change fares as the table says",
            Duration::from_secs(5),
            || async {
                let live = self.live().await?;
                let sent = changed(&live, &change.operations)?;
                let settled = self.put_back(&live, sent.clone())?;
                let answer = self.put(&sent).await;
                match (&change.fate, answer) {
                    (Fate::Refused(message), Err(refusal)) => {
                        ensure!(refusal.contains(message), "refused otherwise: {refusal}");
                        ensure!(settled != sent, "nothing is put back");
                    }
                    (Fate::Refused(_), Ok(_)) => anyhow::bail!("it is accepted"),
                    (_, Err(refusal)) => anyhow::bail!("it is refused: {refusal}"),
                    (Fate::Accepted, Ok(_)) => ensure!(settled == sent, "put back to {settled}"),
                    (Fate::PutBack, Ok(_)) => ensure!(settled != sent, "nothing is put back"),
                    (Fate::Ignored, Ok(stored)) => {
                        ensure!(settled != sent, "nothing is put back");
                        ensure!(
                            self.put_back(&live, stored.clone())? == stored,
                            "it has an effect"
                        );
                    }
                }
                let accepted = self.put(&settled).await;
                accepted.map_err(|refusal| anyhow::anyhow!("refused after all: {refusal}"))?;
                self.restore(&live, change).await
            },
        )
        .await
    }

    /// The same as a restore would send it: the object as it was created, without what the cluster made of it since.
    async fn restore(&self, live: &Value, change: &Change) -> Result<()> {
        // Not every change to the object in the cluster is one to what was sent.
        let Ok(mut sent) = changed(&self.row.object, &change.operations) else {
            return Ok(());
        };
        for field in ["uid", "resourceVersion", "namespace"] {
            if let Some(value) = live["metadata"].get(field) {
                sent["metadata"][field] = value.clone();
            }
        }
        let mut draft = Draft::new(sent);
        Existing::new(&self.group_resource()?, live, self.custom).add_onto(&mut draft)?;
        let merged = self.put_back(live, draft.into_parts().0)?;
        let accepted = self.put(&merged).await;
        accepted.map_err(|refusal| anyhow::anyhow!("restored, it is refused: {refusal}: {merged}"))?;
        Ok(())
    }

    fn put_back(&self, live: &Value, sent: Value) -> Result<Value> {
        let mut draft = Draft::new(sent);
        Existing::new(&self.group_resource()?, live, self.custom).put_back(&mut draft)?;
        Ok(draft.into_parts().0)
    }

    fn group_resource(&self) -> Result<GroupResource> {
        let api_version = self.row.object["apiVersion"].as_str().context("no apiVersion")?;
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let url = self.api.resource_url();
        let resource = url.rsplit('/').next().context("no resource")?;
        Ok(GroupResource::new(group, resource))
    }

    /// What would be stored, or the message of the refusal.
    async fn put(&self, object: &Value) -> Result<Value, String> {
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let object = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
        let answer = self
            .api
            .replace(&name_of(&self.row.object), &dry_run, &object)
            .await;
        match answer {
            Ok(stored) => serde_json::to_value(stored).map_err(|error| error.to_string()),
            Err(kube::Error::Api(status)) => Err(format!("{} {}", status.code, status.message)),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn changed(object: &Value, operations: &Value) -> Result<Value> {
    let mut object = object.clone();
    let patch: json_patch::Patch = serde_json::from_value(operations.clone())?;
    json_patch::patch(&mut object, &patch)?;
    Ok(object)
}
