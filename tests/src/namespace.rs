//! A namespace for one test.

use anyhow::{Context as _, Result};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::core::Resource;
use kube::{Api, Client};
use tokio::runtime::Handle;

/// A namespace with a name of its own; deleted, with all in it, when dropped.
pub struct TestNamespace {
    name: String,
    client: Client,
    runtime: Handle,
}

impl TestNamespace {
    pub(crate) async fn create(client: Client, prefix: &str) -> Result<Self> {
        let wanted = Namespace {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let created = Api::<Namespace>::all(client.clone())
            .create(&PostParams::default(), &wanted)
            .await
            .with_context(|| format!("failed to create a namespace {prefix}-…"))?;
        let name = created.metadata.name.context("the namespace has no name")?;
        Ok(Self {
            name,
            client,
            runtime: Handle::current(),
        })
    }

    /// Its name. The API server labels it with `kubernetes.io/metadata.name`, by which selectors find it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The objects of one kind in it, with every right.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Creates a `ServiceAccount` in it, which may do nothing yet.
    pub async fn create_service_account(&self, name: &str) -> Result<()> {
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        self.api::<ServiceAccount>()
            .create(&PostParams::default(), &account)
            .await?;
        Ok(())
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let name = std::mem::take(&mut self.name);
        // Nobody waits for it: names are never used twice, and a cluster that is gone has no namespaces.
        self.runtime.spawn(async move {
            namespaces
                .delete(&name, &DeleteParams::background())
                .await
                .map(drop)
        });
    }
}
