//! What becomes of one object.

use clusterbackup_core::modifier::{Rename, RuleOutcome, RuleSet};
use clusterbackup_core::object::{ObjectId, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use clusterbackup_core::restore::{ORIGINAL_NAMESPACE, Prepared, RESTORE, RESTORE_UID, Ready, Wave, prepare};
use clusterbackup_vault::point::Entry;
use serde::Serialize;
use serde_json::Value;

use super::Plan;
use crate::fields::{self, Field};
use crate::input::shown;
use crate::mask::Mask;
use crate::print::leave_to_server;
use crate::store::told;
use crate::{Error, rule_text};

/// More fields of one object are counted only.
const MOST_FIELDS: usize = 20;

/// A file with rules.
pub(super) struct RuleFile<'a> {
    name: &'a str,
    rules: RuleSet,
}

/// What becomes of an object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fate {
    pub(super) wave: &'static str,
    pub(super) action: Action,
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// Why it is not created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Where it goes, where that is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    /// What is another one than before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<Field>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more_fields: usize,
    /// The rules whose conditions hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<RuleFate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<String>,
    /// The object that would be created.
    #[serde(skip)]
    pub(super) created_as: Option<ObjectId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Action {
    Create,
    LeftOut,
    Fail,
}

/// What a rule does to an object.
#[derive(Debug, Serialize)]
pub(super) struct RuleFate {
    pub(super) file: String,
    /// Its index in resourceModifierRules.
    pub(super) rule: usize,
    pub(super) outcome: RuleAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum RuleAction {
    Applied,
    Unchanged,
    TestFailed,
    Failed,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl<'a> RuleFile<'a> {
    pub(super) fn read(file: &'a str) -> Result<Self, Error> {
        Ok(Self {
            name: shown(file),
            rules: rule_text::only(file)?,
        })
    }

    /// Changes an object as the rules do; which of them concerned it.
    fn act(&self, origin: &ObjectId, draft: &mut Draft) -> Vec<RuleFate> {
        let target = Target {
            group_resource: &origin.kind,
            name: ObjectName::Exact(&origin.name),
            original_namespace: origin.namespace.as_deref(),
        };
        let selection = self.rules.select(&target, draft.value());
        let results = self.rules.apply(&selection, draft, &Rename::Allowed.into());
        let fate = results.into_iter().map(|result| {
            let (outcome, message) = match result.outcome {
                RuleOutcome::Applied => (RuleAction::Applied, None),
                RuleOutcome::Unchanged => (RuleAction::Unchanged, None),
                RuleOutcome::TestFailed => (RuleAction::TestFailed, None),
                RuleOutcome::Failed(error) => (RuleAction::Failed, Some(error.to_string())),
            };
            RuleFate {
                file: self.name.to_owned(),
                rule: result.rule.into(),
                outcome,
                message,
            }
        });
        fate.collect()
    }
}

impl Fate {
    pub(super) fn of(entry: &Entry, wave: Wave, plan: &Plan<'_>) -> Result<Self, Error> {
        let origin = entry.id();
        let stored: Value = serde_json::from_slice(&entry.json).map_err(|error| told(&error))?;
        let mut fate = Self {
            wave: wave.as_str(),
            action: Action::LeftOut,
            kind: origin.kind.to_string(),
            namespace: origin.namespace.clone(),
            name: origin.name.clone(),
            reason: None,
            target: None,
            fields: Vec::new(),
            more_fields: 0,
            rules: Vec::new(),
            warning: None,
            created_as: None,
        };
        match prepare(stored.clone(), &origin.kind, plan.terms, plan.survey) {
            Prepared::LeftOut(reason) => fate.reason = Some(reason.to_string()),
            Prepared::WithoutData(reason) => {
                fate.action = Action::Fail;
                fate.reason = Some(reason.to_string());
            }
            Prepared::Create(ready) => fate.create(&stored, *ready, plan),
        }
        Ok(fate)
    }

    fn create(&mut self, stored: &Value, ready: Ready, plan: &Plan<'_>) {
        let elsewhere = ready.target != ready.origin;
        self.action = Action::Create;
        self.target = elsewhere.then(|| match &ready.target.namespace {
            Some(namespace) => format!("{namespace}/{}", ready.target.name),
            None => ready.target.name.clone(),
        });
        self.warning = ready.warning.map(|warning| warning.to_string());
        let mut draft = Draft::new(ready.object);
        for file in plan.rules {
            self.rules.extend(file.act(&ready.origin, &mut draft));
        }
        self.created_as = Some(ready.target);
        let (mut before, mut after) = (stored.clone(), draft.value().clone());
        if !plan.show_secrets {
            let mask = Mask::of([&before, &after]);
            (before, after) = mask.pair(&before, &after);
            for rule in &mut self.rules {
                rule.message = rule.message.take().map(|message| mask.text(&message));
            }
        }
        leave_out(&mut before);
        leave_out(&mut after);
        self.fields = fields::compare(&before, &after);
        self.more_fields = self.fields.len().saturating_sub(MOST_FIELDS);
        self.fields.truncate(MOST_FIELDS);
    }

    /// Whether a rule fails on it.
    pub(super) fn rule_fails(&self) -> bool {
        self.rules.iter().any(|rule| rule.outcome == RuleAction::Failed)
    }
}

/// Takes out what every restored object loses or gets, and what its place says.
fn leave_out(object: &mut Value) {
    leave_to_server(object);
    let Some(object) = object.as_object_mut() else {
        return;
    };
    object.remove("status");
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    for field in ["generateName", "namespace", "ownerReferences", "selfLink"] {
        metadata.remove(field);
    }
    for (map, names) in [
        ("labels", &[RESTORE][..]),
        ("annotations", &[RESTORE_UID, ORIGINAL_NAMESPACE]),
    ] {
        let Some(members) = metadata.get_mut(map).and_then(Value::as_object_mut) else {
            continue;
        };
        members.retain(|name, _| !names.contains(&name.as_str()));
        if members.is_empty() {
            metadata.remove(map);
        }
    }
}
