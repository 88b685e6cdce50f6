//! The Secret that a vault names: read whenever the vault is opened, and kept no longer than that.

use clusterbackup_vault::place::SecretData;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client};

use super::error::VaultError;
use crate::leader::error::Doing as _;

/// What it holds. The leader may `list` Secrets, and not `get` them.
pub(super) async fn read(client: &Client, namespace: &str, name: &str) -> Result<SecretData, VaultError> {
    let secret = format!("{namespace}/{name}");
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let found = secrets
        .list(&named)
        .await
        .doing(format!("read Secret {secret}"))?;
    let found = found.items.into_iter().next();
    let found = found.ok_or(VaultError::NoSecret(secret))?;
    Ok(found.data.unwrap_or_default())
}
