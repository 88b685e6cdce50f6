//! Updates of objects that exist already, as a restore sends them: which of them reach the webhook, and what becomes of
//! the object in the cluster.
//!
//! - `sending`: any form of update, with all that is answered
//! - `velero`: the patches that Velero makes of a backup

pub(crate) mod door;
pub(crate) mod forms;
pub(crate) mod patch;
pub(crate) mod rules;
mod sending;
pub(crate) mod skip;
mod velero;

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};

use crate::steps::{Intercepted, Plan};

/// Shows on every object on which rules act.
const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: '**'}
  mergePatches:
  - patchData: '{\"metadata\": {\"annotations\": {\"restored\": \"by a rule\"}}}'
";

/// An interception of that name that answers to these restores.
async fn in_force(client: &Client, name: &str, restores: &str, spec: Value) -> Result<Intercepted> {
    let mut plan = Plan::new(name, RULES);
    plan.spec = spec;
    plan.spec["match"] = json!({ "veleroRestores": [restores] });
    plan.in_force(client.clone()).await
}
