//! Backups into a vault that take a while, and what the vault has at any moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clusterbackup_tests::eventually;
use clusterbackup_tests::stores::Place;
use clusterbackup_vault::catalogue;
use clusterbackup_vault::point::{Manifest, verify};
use clusterbackup_vault::store::{FileStore, Store};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use serde_json::json;

use super::{Ground, LIMIT};

const EACH: usize = 100_000;
/// The folder of the vault.
const VAULT: &str = "vault";

impl Ground {
    /// So many ConfigMaps are made in the shop: a hundred take a segment and more.
    pub(in crate::leader) const FILLING: u32 = 400;

    /// Makes a vault, and enough objects that storing them takes a while.
    pub(in crate::leader) async fn fill(&self) -> Result<()> {
        self.fillings().await?;
        self.vault(VAULT).await
    }

    /// The same, with the vault in a store of blobs.
    pub(in crate::leader) async fn fill_into(&mut self, place: &Place) -> Result<()> {
        self.fillings().await?;
        self.blobs = Some(place.store()?);
        self.credentials("keys", &place.secret()).await?;
        let location = place.location("keys");
        self.vault_of(VAULT, &json!({ "operational": location })).await
    }

    async fn fillings(&self) -> Result<()> {
        stream::iter(0..Self::FILLING)
            .map(Ok)
            .try_for_each_concurrent(16, |number| self.filling(number))
            .await
    }

    /// Makes one of these objects.
    pub(in crate::leader) async fn filling(&self, number: u32) -> Result<()> {
        let mut object = ConfigMap {
            data: Some(BTreeMap::from([("some".to_owned(), "x".repeat(EACH))])),
            ..ConfigMap::default()
        };
        object.metadata.name = Some(filling(number));
        self.shop.api().create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Waits until objects are on their way.
    pub(in crate::leader) async fn stores(&self) -> Result<()> {
        let store = self.store();
        eventually("the first objects are stored", LIMIT, || async {
            let left: Vec<_> = catalogue::leftovers(&store).try_collect().await?;
            ensure!(left.iter().any(|attempt| attempt.parts > 1), "{left:?}");
            Ok(())
        })
        .await
    }

    /// What the vault lists, all of it whole.
    pub(in crate::leader) async fn listed(&self) -> Result<Vec<Manifest>> {
        let store = self.store();
        let listed: Vec<_> = catalogue::list(&store).try_collect().await?;
        for manifest in &listed {
            let verified = verify(Arc::clone(&store), &manifest.begin.id, None).await?;
            ensure!(verified.is_good(), "{verified:#?}");
        }
        Ok(listed)
    }

    /// What the vault is.
    pub(in crate::leader) fn store(&self) -> Store {
        let files = || Arc::new(FileStore::new(self.leaders.vaults().join(VAULT))) as Store;
        self.blobs.clone().unwrap_or_else(files)
    }
}

/// The name of one of these objects.
pub(in crate::leader) fn filling(number: u32) -> String {
    format!("filling-{number:04}")
}
