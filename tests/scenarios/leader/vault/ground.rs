//! Vaults on the ground that leaders run on.

use std::collections::BTreeMap;
use std::path::Path as Folder;

use anyhow::{Result, ensure};
use clusterbackup_api::BackupVault;
use clusterbackup_api::backup::BackupStatus;
use clusterbackup_api::backup_vault::BackupVaultStatus;
use clusterbackup_tests::eventually;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::contents::{Path, contents};
use crate::leader::stage::{Ground, LIMIT};

impl Ground {
    /// Makes a vault in a folder of its own.
    pub(in crate::leader) async fn vault(&self, name: &str) -> Result<()> {
        let folder = self.leaders.vaults().join(name);
        std::fs::create_dir_all(&folder)?;
        self.vault_at(name, &folder).await
    }

    /// Makes a vault in a folder, which may not be there.
    pub(super) async fn vault_at(&self, name: &str, folder: &Folder) -> Result<()> {
        let place = json!({ "fileSystem": { "path": folder } });
        self.vault_of(name, &json!({ "operational": place })).await
    }

    /// Makes a vault of this spec.
    pub(in crate::leader) async fn vault_of(&self, name: &str, spec: &Value) -> Result<()> {
        let vault = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "BackupVault",
            "metadata": { "name": name },
            "spec": spec,
        }))?;
        let vaults = self.home.api::<BackupVault>();
        vaults.create(&PostParams::default(), &vault).await?;
        Ok(())
    }

    /// Waits until the vault says this, and tells the rest of its status.
    pub(in crate::leader) async fn vault_says(&self, name: &str, reason: &str) -> Result<BackupVaultStatus> {
        let vaults = self.home.api::<BackupVault>();
        eventually(&format!("the vault says {reason}"), LIMIT, || async {
            let status = vaults.get(name).await?.status.unwrap_or_default();
            let mut conditions = status.conditions.iter();
            let said = conditions.any(|condition| condition.reason == reason);
            ensure!(said, "{status:#?}");
            Ok(status)
        })
        .await
    }

    /// Puts this into the Secret that vaults here have their credentials in, whatever it held.
    pub(in crate::leader) async fn credentials(&self, name: &str, values: &Value) -> Result<()> {
        let values = values.as_object().into_iter().flatten();
        let data = values.map(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            (key.clone(), ByteString(value.as_bytes().to_vec()))
        });
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data.collect()),
            ..Secret::default()
        };
        // What was in it and isn't any more goes.
        let params = PatchParams::apply("tests").force();
        let secrets = self.home.api::<Secret>();
        secrets.patch(name, &params, &Patch::Apply(secret)).await?;
        Ok(())
    }

    /// What stands in the point of a backup.
    pub(in crate::leader) fn stored(&self, status: &BackupStatus) -> Result<BTreeMap<Path, Value>> {
        let id = status.recovery_point.as_deref().unwrap_or_default();
        contents(&self.leaders.vaults().join("vault"), id, None)
    }

    /// What the API server answers who asks for one path. Of a kind that is new it first says that it isn't ready.
    pub(in crate::leader) async fn ask_for(&self, path: &str) -> Result<Value> {
        let admin = self.cluster.admin();
        eventually("the API server answers", LIMIT, || async {
            let request = http::Request::get(path).body(Vec::new())?;
            Ok(admin.request(request).await?)
        })
        .await
    }
}
