//! One object that is backed up, harmed, and restored onto what is there.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::restore::RestoreStatus;
use clusterbackup_core::restore::PATCHED_BY;
use clusterbackup_tests::steps::{api_of, create, gone, kind_of, name_of};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PropagationPolicy};
use serde_json::Value;

use crate::leader::stage::Ground;

/// An object, what somebody makes of it, and what the restore makes of that.
pub(super) struct Row {
    object: Value,
    is_namespaced: bool,
    harm: Harm,
    becomes: Vec<(&'static str, Value)>,
    stays: Option<&'static str>,
}

/// What somebody does to an object.
enum Harm {
    /// A merge patch.
    Changed(Value),
    /// Another object takes its place.
    Exchanged(Value),
}

impl Row {
    /// An object that somebody changes.
    pub(super) fn changed(object: Value, patch: Value) -> Self {
        Self::new(object, Harm::Changed(patch))
    }

    /// An object in whose place somebody puts another one.
    pub(super) fn exchanged(object: Value, other: Value) -> Self {
        Self::new(object, Harm::Exchanged(other))
    }

    fn new(object: Value, harm: Harm) -> Self {
        Self {
            object,
            is_namespaced: true,
            harm,
            becomes: Vec::new(),
            stays: None,
        }
    }

    /// It is outside of namespaces.
    pub(super) fn of_the_cluster(mut self) -> Self {
        self.is_namespaced = false;
        self
    }

    /// After the restore it has this there; null for nothing.
    pub(super) fn becomes(mut self, path: &'static str, value: impl Into<Value>) -> Self {
        self.becomes.push((path, value.into()));
        self
    }

    /// This of it stays as it was found, and the restore says so.
    pub(super) fn but_stays(mut self, path: &'static str) -> Self {
        self.stays = Some(path);
        self
    }

    /// Whether the restore changes anything of it.
    pub(super) fn changes(&self) -> bool {
        !self.becomes.is_empty()
    }

    /// Puts it there before the backup.
    pub(super) async fn create(&self, ground: &Ground) -> Result<()> {
        self.put(ground, &self.object).await
    }

    /// Does to it what somebody does after the backup.
    pub(super) async fn harm(&self, ground: &Ground) -> Result<()> {
        let (api, name) = (self.api(ground)?, name_of(&self.object));
        match &self.harm {
            Harm::Changed(patch) => {
                let patched = api
                    .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
                    .await;
                patched.with_context(|| format!("harming {}", self.object))?;
            }
            Harm::Exchanged(other) => {
                let params = DeleteParams {
                    propagation_policy: Some(PropagationPolicy::Background),
                    ..DeleteParams::default()
                };
                api.delete(&name, &params).await?;
                gone(&api, &name).await?;
                self.put(ground, other).await?;
            }
        }
        Ok(())
    }

    /// Whether it is as it should be; then what it is.
    pub(super) async fn is_restored(&self, ground: &Ground, status: &RestoreStatus) -> Result<Value> {
        let live = self.live(ground).await?;
        for (path, value) in &self.becomes {
            let found = live.pointer(path).cloned().unwrap_or_default();
            ensure!(
                found == *value,
                "{path} is {found} instead of {value}: {live:#}\n{status:#?}"
            );
        }
        let kind = kind_of(&self.object)?;
        let told = status
            .problems
            .iter()
            .find(|problem| problem.group_resource == kind.as_str() && problem.name == name_of(&self.object));
        let told = told.map(|problem| problem.message.as_str()).unwrap_or_default();
        match self.stays {
            Some(path) => ensure!(told.contains(path), "{path} of {kind}: it says {told:?}"),
            None => ensure!(told.is_empty(), "{kind}: {told}"),
        }
        let is_marked = live["metadata"]["annotations"][PATCHED_BY].is_string();
        ensure!(is_marked == self.changes(), "{live:#}");
        Ok(live)
    }

    /// What it is now.
    pub(super) async fn live(&self, ground: &Ground) -> Result<Value> {
        Ok(serde_json::to_value(
            self.api(ground)?.get(&name_of(&self.object)).await?,
        )?)
    }

    async fn put(&self, ground: &Ground, object: &Value) -> Result<()> {
        let created = create(&ground.cluster.admin(), self.namespace(ground), object).await;
        created.with_context(|| format!("creating {object}")).map(drop)
    }

    fn api(&self, ground: &Ground) -> Result<Api<DynamicObject>> {
        api_of(&ground.cluster.admin(), &self.object, self.namespace(ground))
    }

    fn namespace<'g>(&self, ground: &'g Ground) -> Option<&'g str> {
        self.is_namespaced.then(|| ground.shop.name())
    }
}
