//! How somebody reaches a test cluster: a kubeconfig for other programs, a client for this one.

use std::path::Path;

use anyhow::{Context as _, Result};
use k8s_openapi::ByteString;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::pki::Identity;

/// Who calls.
pub enum Caller<'a> {
    /// Somebody with a client certificate.
    Certificate(&'a Identity),
    /// Somebody with a bearer token.
    Token(&'a str),
    /// Somebody for whom an administrator speaks: any user and groups, without a certificate of their own.
    Impersonated {
        /// The administrator.
        by: &'a Identity,
        /// The user's name.
        user: &'a str,
        /// The user's groups.
        groups: &'a [&'a str],
    },
}

/// A kubeconfig for `caller` at the API server `server`.
pub fn kubeconfig(server: &str, authority: &str, caller: &Caller<'_>) -> Result<Kubeconfig> {
    let base64 = |pem: &str| serde_json::to_value(ByteString(pem.as_bytes().to_vec()));
    let certificate = |identity: &Identity| -> Result<Value> {
        Ok(json!({
            "client-certificate-data": base64(&identity.certificate)?,
            "client-key-data": base64(&identity.key)?,
        }))
    };
    let user = match caller {
        Caller::Certificate(identity) => certificate(identity)?,
        Caller::Token(token) => json!({ "token": token }),
        Caller::Impersonated { by, user, groups } => {
            let mut entry = certificate(by)?;
            entry["as"] = json!(user);
            entry["as-groups"] = json!(groups);
            entry
        }
    };
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "test",
            "cluster": { "server": server, "certificate-authority-data": base64(authority)? },
        }],
        "users": [{ "name": "caller", "user": user }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "caller" } }],
        "current-context": "test",
    });
    serde_json::from_value(document).context("failed to put a kubeconfig together")
}

/// Writes it where another program reads it (JSON, which every reader of YAML takes).
pub fn write(kubeconfig: &Kubeconfig, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(kubeconfig)?;
    std::fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))
}

/// A client with what the kubeconfig says. It retries nothing: a test sees each answer of the API server.
pub async fn client(kubeconfig: Kubeconfig) -> Result<Client> {
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(clusterbackup_kit::client::of(config)?)
}
