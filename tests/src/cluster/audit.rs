//! The API server's audit log, of what is done to Secrets: without their contents, but with what webhooks note.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

/// Writes the policy into `folder`; the flags that have the API server follow it and write there, too.
pub(super) fn flags(folder: &Path) -> Result<[String; 2]> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            { "level": "Metadata", "resources": [{ "group": "", "resources": ["secrets"] }] },
            { "level": "None" },
        ],
    });
    let file = folder.join("audit-policy.json");
    fs::write(&file, policy.to_string()).with_context(|| format!("failed to write {}", file.display()))?;
    Ok([
        format!("--audit-policy-file={}", file.display()),
        format!("--audit-log-path={}", log(folder).display()),
    ])
}

/// The log of a cluster whose logs are in `folder`.
pub(super) fn log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}
