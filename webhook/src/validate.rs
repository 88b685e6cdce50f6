//! `/validate`: what users write for us is checked when they write it. Every loader checks again, so that this
//! webhook may be absent.

use clusterbackup_api::RestoreInterception;
use clusterbackup_core::modifier::RuleSet;
use k8s_openapi::api::core::v1::ConfigMap;
use serde::de::DeserializeOwned;

use crate::interceptions::rule_text;
use crate::review::{AdmissionRequest, AdmissionResponse, Operation};

/// Answers one review.
pub fn validate(request: &AdmissionRequest<'_>) -> AdmissionResponse {
    let uid = request.uid.as_ref();
    if !matches!(request.operation, Operation::Create | Operation::Update) {
        return AdmissionResponse::allow(uid);
    }
    let checked = match (request.kind.group.as_ref(), request.kind.kind.as_ref()) {
        ("clusterbackup.io", "RestoreInterception") => read(request).and_then(|object| interception(&object)),
        ("", "ConfigMap") => read(request).and_then(|object| rules(&object)),
        _ => Ok(Vec::new()),
    };
    match checked {
        Ok(warnings) => AdmissionResponse::allow(uid).with_warnings(warnings),
        Err(message) => AdmissionResponse::deny(uid, 422, &message),
    }
}

fn read<T: DeserializeOwned>(request: &AdmissionRequest<'_>) -> Result<T, String> {
    serde_json::from_str(request.object.get()).map_err(|error| format!("the object can't be read: {error}"))
}

/// The warnings, or everything that is wrong.
fn interception(object: &RestoreInterception) -> Result<Vec<String>, String> {
    let problems: Vec<_> = object.spec.problems().iter().map(ToString::to_string).collect();
    if problems.is_empty() {
        Ok(Vec::new())
    } else {
        Err(problems.join("\n"))
    }
}

fn rules(config_map: &ConfigMap) -> Result<Vec<String>, String> {
    let text = rule_text(config_map)?;
    let rules = RuleSet::parse(text).map_err(|problems| problems.to_string())?;
    Ok(rules.warnings().iter().map(ToString::to_string).collect())
}
