//! `/validate`: what users write for us is checked when they write it. Every loader checks again, so that this
//! webhook may be absent.
//!
//! - `backups`: instances, restores and hooks, and the rights of who wrote them
//! - `promises`: what a vault promises, and instances, policies and recovery points that would break it

mod backups;
mod promises;

use std::sync::Arc;

use clusterbackup_api::{GROUP, HOOK_GROUP, RestoreInterception, RestoreInterceptionSpec};
use clusterbackup_core::modifier::RuleSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde::de::DeserializeOwned;

use self::backups::Backups;
use self::promises::Promises;
use crate::deadline::Deadline;
use crate::interceptions::rule_text;
use crate::review::{AdmissionRequest, AdmissionResponse, Operation};
use crate::velero::VeleroRestores;

/// The handler.
pub struct Validate {
    velero: Arc<VeleroRestores>,
    backups: Backups,
    promises: Promises,
}

/// The warnings, or why it is refused.
type Verdict = Result<Vec<String>, Refusal>;

/// Why something is refused, and with which HTTP status.
struct Refusal {
    code: u16,
    message: String,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self { code: 422, message }
    }
}

impl Validate {
    /// Warns of Restores of Velero that may not be read, as far as `velero` sees; asks about rights with `client`.
    pub fn new(velero: Arc<VeleroRestores>, client: Client) -> Self {
        Self {
            velero,
            backups: Backups::new(client.clone()),
            promises: Promises::new(client),
        }
    }

    /// Answers one review.
    pub async fn review(&self, request: &AdmissionRequest<'_>) -> AdmissionResponse {
        let uid = request.uid.as_ref();
        if !matches!(request.operation, Operation::Create | Operation::Update) {
            return AdmissionResponse::allow(uid);
        }
        // In boxes where they ask for objects: no other review carries their weight.
        let checked = match (request.kind.group.as_ref(), request.kind.kind.as_ref()) {
            (GROUP, "RestoreInterception") => self.interception(request).await,
            (GROUP, "BackupInstance") => Box::pin(self.instance(request)).await,
            (GROUP, "BackupPolicy") => Box::pin(self.promises.policy(request)).await,
            (GROUP, "RecoveryPoint") => Box::pin(self.promises.point(request)).await,
            (GROUP, "Restore") => backups::restore(request),
            (HOOK_GROUP, "BackupHook") => self.backups.backup_hook(request).await,
            (HOOK_GROUP, "RestoreHook") => self.backups.restore_hook(request).await,
            ("", "ConfigMap") => read(request).and_then(|object| Ok(rules(&object)?)),
            _ => Ok(Vec::new()),
        };
        match checked {
            Ok(warnings) => AdmissionResponse::allow(uid).with_warnings(warnings),
            Err(Refusal { code, message }) => AdmissionResponse::deny(uid, code, &message),
        }
    }

    async fn instance(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let mut warnings = self.backups.instance(request).await?;
        warnings.extend(self.promises.instance(request).await?);
        Ok(warnings)
    }

    /// The warnings, or everything that is wrong.
    async fn interception(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let spec = read::<RestoreInterception>(request)?.spec;
        let problems: Vec<_> = spec.problems().iter().map(ToString::to_string).collect();
        if !problems.is_empty() {
            return Err(problems.join("\n").into());
        }
        Ok(self.missing_rights(&spec).await)
    }

    /// The commands that will be missed during a restore, each a warning of its own: it may not be cut short.
    async fn missing_rights(&self, spec: &RestoreInterceptionSpec) -> Vec<String> {
        let namespaces = spec.velero_namespaces.iter().map(String::as_str);
        let remedies = self.velero.missing_rights(namespaces, Deadline::from_now()).await;
        if remedies.is_empty() {
            return remedies;
        }
        let consequence =
            "Velero's Restores may not be read yet, and what they restore would be refused; allow it with:";
        std::iter::once(consequence.to_owned()).chain(remedies).collect()
    }
}

fn read<T: DeserializeOwned>(request: &AdmissionRequest<'_>) -> Result<T, Refusal> {
    serde_json::from_str(request.object.get())
        .map_err(|error| format!("the object can't be read: {error}").into())
}

/// The object as it was; nothing where it is new.
fn read_old<T: DeserializeOwned>(request: &AdmissionRequest<'_>) -> Result<Option<T>, Refusal> {
    let old = request.existing().map(|old| serde_json::from_str(old.get()));
    old.transpose()
        .map_err(|error| format!("the object as it was can't be read: {error}").into())
}

fn forbidden(message: String) -> Refusal {
    Refusal { code: 403, message }
}

fn rules(config_map: &ConfigMap) -> Result<Vec<String>, String> {
    let text = rule_text(config_map)?;
    let rules = RuleSet::parse(text).map_err(|problems| problems.to_string())?;
    Ok(rules.warnings().iter().map(ToString::to_string).collect())
}
