//! What the system is set up with in a namespace, as the API server has it: its vaults, policies, instances and hooks, the hooks
//! elsewhere that instances name, and the rules that lie there, with the interceptions that go by them.

use std::collections::BTreeSet;
use std::fmt::Debug;

use clusterbackup_api::{
    BackupHook, BackupInstance, BackupPolicy, BackupVault, RestoreHook, RestoreInterception, labels,
};
use clusterbackup_core::configuration::{Configuration, NeededSecret};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::leader::error::{Doing as _, DriveError, OrGone as _};
use crate::leader::listed;

/// All of it.
pub(super) async fn of(client: &Client, namespace: &str) -> Result<Configuration, DriveError> {
    let mut gathering = Gathering {
        client,
        namespace,
        objects: Vec::new(),
    };
    let all = ListParams::default;
    gathering.add(&everywhere::<Namespace>(client, named(namespace)).await?);
    let vaults = gathering.inside::<BackupVault>(all()).await?;
    gathering.add(&vaults);
    let policies = gathering.inside::<BackupPolicy>(all()).await?;
    gathering.add(&policies);
    let instances = gathering.inside::<BackupInstance>(all()).await?;
    gathering.add(&instances);
    gathering.hooks(&instances).await?;
    gathering.rules().await?;
    let secrets = vaults.iter().flat_map(|vault| vault.spec.secrets());
    let secrets = secrets.map(|name| NeededSecret {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    });
    Ok(Configuration::of(gathering.objects, secrets))
}

struct Gathering<'a> {
    client: &'a Client,
    namespace: &'a str,
    objects: Vec<Value>,
}

impl Gathering<'_> {
    /// Those of the namespace, and those that instances name.
    async fn hooks(&mut self, instances: &[BackupInstance]) -> Result<(), DriveError> {
        let own = self.inside::<BackupHook>(ListParams::default()).await?;
        self.add(&own);
        let own = self.inside::<RestoreHook>(ListParams::default()).await?;
        self.add(&own);
        let named_by = instances.iter().flat_map(|instance| &instance.spec.backup_hooks);
        let elsewhere: BTreeSet<_> = named_by
            .filter(|hook| hook.namespace != self.namespace)
            .map(|hook| (&hook.namespace, &hook.name))
            .collect();
        for (namespace, name) in elsewhere {
            let hooks = inside::<BackupHook>(self.client, namespace, named(name)).await?;
            self.add(&hooks);
        }
        Ok(())
    }

    /// Rules by their label, or by the interceptions that go by them.
    async fn rules(&mut self) -> Result<(), DriveError> {
        let labelled = format!("{}={}", labels::RESOURCE_MODIFIER, labels::ENABLED);
        let labelled = self
            .inside::<ConfigMap>(ListParams::default().labels(&labelled))
            .await?;
        self.add(&labelled);
        let mut interceptions = everywhere::<RestoreInterception>(self.client, ListParams::default()).await?;
        interceptions
            .retain(|interception| interception.spec.resource_modifier_reference.namespace == self.namespace);
        self.add(&interceptions);
        let references = interceptions
            .iter()
            .map(|interception| &interception.spec.resource_modifier_reference.name);
        for name in references.collect::<BTreeSet<_>>() {
            let rules = self.inside::<ConfigMap>(named(name)).await?;
            self.add(&rules);
        }
        Ok(())
    }

    fn add(&mut self, objects: &[impl Serialize]) {
        // What can't be written as JSON didn't come from an API server.
        let values = objects
            .iter()
            .filter_map(|object| serde_json::to_value(object).ok());
        self.objects.extend(values);
    }

    async fn inside<K>(&self, selected: ListParams) -> Result<Vec<K>, DriveError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        inside(self.client, self.namespace, selected).await
    }
}

async fn inside<K>(client: &Client, namespace: &str, selected: ListParams) -> Result<Vec<K>, DriveError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    list(&Api::<K>::namespaced(client.clone(), namespace), selected).await
}

async fn everywhere<K>(client: &Client, selected: ListParams) -> Result<Vec<K>, DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    list(&Api::<K>::all(client.clone()), selected).await
}

/// Nothing where the kind isn't installed.
async fn list<K>(objects: &Api<K>, selected: ListParams) -> Result<Vec<K>, DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let found = listed::all(objects, selected).await.or_gone();
    let found = found.doing(format!("list objects of the kind {}", K::kind(&())))?;
    Ok(found.unwrap_or_default())
}

fn named(name: &str) -> ListParams {
    ListParams::default().fields(&format!("metadata.name={name}"))
}
