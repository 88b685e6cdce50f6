//! An object that is there already: whose it is, whether it is as the point has it, and what becomes of it if it isn't.

use std::sync::Arc;

use clusterbackup_api::labels::RESTORE_UID;
use clusterbackup_core::clash::Field;
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::restore::{PATCHED_BY, REPLACES, Ready, Treatment};
use serde_json::Value;

use super::object::{Creator, Fate, Hindrance, hindrance, told};
use super::stand_in::Made;

/// What is said of an object that is there and stays.
const DIFFERENT: &str = "it exists, and is different";

/// What becomes of an object that is there and different. Nothing of it is known where this restore changed it before its
/// leader died.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// What it was before it was changed.
    pub(super) before: Option<Value>,
    /// What became of its fields.
    pub(super) fields: Vec<Field>,
    /// What of it is not as it should be, and why.
    pub(super) remark: Option<String>,
}

/// What is next with an object that is there.
pub(super) enum Step {
    /// Nothing: that became of it.
    Done(Fate),
    /// It is to be deleted, and created anew.
    Replace(Value),
}

impl Creator {
    /// What becomes of an object that is there: created by this restore before its leader died or an answer was lost, or by
    /// somebody else.
    pub(super) async fn meet(&self, ready: &Ready, live: Value) -> Result<Step, Hindrance> {
        if live["metadata"]["deletionTimestamp"].is_string() {
            return Err(Hindrance::Passing(
                "an object of that name is being deleted, and is still there".to_owned(),
            ));
        }
        if let Some(fate) = self.known(&live) {
            return Ok(Step::Done(fate));
        }
        let custom = self.kind(ready, &live).await?;
        if !self.rules.expected(ready).differs(&live, custom.as_deref()) {
            return Ok(Step::Done(Fate::Unchanged));
        }
        Ok(match self.treatment(ready, &live) {
            Ok(Treatment::Leave) => Step::Done(Fate::Skipped(DIFFERENT.to_owned())),
            Ok(Treatment::Patch) => Step::Done(self.patch(ready, live, custom.as_deref()).await?),
            Ok(Treatment::Replace) => Step::Replace(live),
            Err(reason) => Step::Done(Fate::Skipped(reason)),
        })
    }

    /// What is there, compared with what was to be, and left as it is.
    pub(super) async fn compare(&self, expected: &Ready, live: &Value) -> Result<Fate, String> {
        if let Some(fate) = self.known(live) {
            return Ok(fate);
        }
        let custom = self.kinds.of(&expected.target, live).await;
        let custom = custom.map_err(|error| told(&expected.target, &error))?;
        Ok(if expected.differs(live, custom.as_deref()) {
            Fate::Skipped(DIFFERENT.to_owned())
        } else {
            Fate::Unchanged
        })
    }

    /// What is known of an object's kind that is not built in.
    pub(super) async fn kind(
        &self,
        ready: &Ready,
        live: &Value,
    ) -> Result<Option<Arc<CustomKind>>, Hindrance> {
        let custom = self.kinds.of(&ready.target, live).await;
        custom.map_err(|error| hindrance(&ready.target, &error))
    }

    /// What this restore has done to it already.
    pub(super) fn known(&self, live: &Value) -> Option<Fate> {
        let metadata = &live["metadata"];
        let annotation = |name: &str| metadata["annotations"][name].as_str();
        if annotation(RESTORE_UID) == Some(&self.uid) {
            let created = self.created(Made::of(live), true);
            return Some(match annotation(REPLACES) {
                Some(_) => Fate::Replaced(created, Box::default()),
                None => Fate::Created(created),
            });
        }
        (annotation(PATCHED_BY) == Some(&self.uid)).then(|| Fate::Patched(Box::default()))
    }

    /// What is to become of one that is different; or why it stays, whatever the restore asks for.
    fn treatment(&self, ready: &Ready, live: &Value) -> Result<Treatment, String> {
        let treatment = self.conflicts.treatment(&ready.target.kind);
        if treatment == Treatment::Leave {
            return Ok(treatment);
        }
        if ready.along {
            return Err(format!(
                "{DIFFERENT}; it stays as it is, since nobody asked for it but what needs it"
            ));
        }
        let owners = live["metadata"]["ownerReferences"].as_array();
        let mut owners = owners.into_iter().flatten();
        match owners.find(|owner| owner["controller"] == true) {
            Some(owner) => Err(format!(
                "{DIFFERENT}; it is left to what controls it, the {} {}",
                owner["kind"].as_str().unwrap_or_default(),
                owner["name"].as_str().unwrap_or_default(),
            )),
            None => Ok(treatment),
        }
    }
}
