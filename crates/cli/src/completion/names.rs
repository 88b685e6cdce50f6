//! The names of objects that may be typed, as the cluster has them. Who types doesn't wait for long, and is told of no error.

use std::fmt::Debug;
use std::time::Duration;

use clusterbackup_api::{Backup, BackupInstance, BackupPolicy, BackupVault, RecoveryPoint, Restore};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::candidates::{Named, Objects, Word};
use crate::cluster;

/// Longer nobody waits at a prompt.
const LIMIT: Duration = Duration::from_secs(2);
/// More is no help.
const MOST: u32 = 500;

/// Those that begin like this.
pub(super) fn of(objects: &Objects, typed: &str) -> Vec<Word> {
    let asked = cluster::without(async || {
        let ask = async {
            let client = cluster::client().await.ok()?;
            list(&client, objects).await.ok()
        };
        Ok(timeout(LIMIT, ask).await.ok().flatten())
    });
    let mut found = asked.ok().flatten().unwrap_or_default();
    found.retain(|(name, _)| name.starts_with(typed));
    found
}

async fn list(client: &Client, objects: &Objects) -> kube::Result<Vec<Word>> {
    let namespace = objects.namespace.as_deref();
    let namespace = namespace.unwrap_or_else(|| client.default_namespace());
    match objects.kind {
        Named::Vault => names(inside::<BackupVault>(client, namespace)).await,
        Named::Policy => names(inside::<BackupPolicy>(client, namespace)).await,
        Named::Instance => names(inside::<BackupInstance>(client, namespace)).await,
        Named::Backup => names(inside::<Backup>(client, namespace)).await,
        Named::Restore => names(inside::<Restore>(client, namespace)).await,
        Named::Namespace => names(Api::<Namespace>::all(client.clone())).await,
        Named::Point => points(inside(client, namespace)).await,
    }
}

fn inside<K>(client: &Client, namespace: &str) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), namespace)
}

async fn names<K: Clone + Debug + DeserializeOwned>(objects: Api<K>) -> kube::Result<Vec<Word>> {
    let listed = objects.list_metadata(&ListParams::default().limit(MOST)).await?;
    let names = listed.items.into_iter().filter_map(|object| object.metadata.name);
    Ok(names.map(|name| (name, String::new())).collect())
}

/// Their names say nothing: the newest first, with what they are of.
async fn points(points: Api<RecoveryPoint>) -> kube::Result<Vec<Word>> {
    let mut listed = points.list(&ListParams::default().limit(MOST)).await?.items;
    listed.sort_by_key(|point| std::cmp::Reverse(point.spec.finished_at.0));
    let word = |point: &RecoveryPoint| {
        let spec = &point.spec;
        (
            point.name_any(),
            format!("{} at {:.0}", spec.instance, spec.finished_at.0),
        )
    };
    Ok(listed.iter().map(word).collect())
}
