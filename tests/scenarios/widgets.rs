//! A custom kind for one scenario.

use std::time::Duration;

use anyhow::Result;
use clusterbackup_tests::eventually;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::steps::{api_of, create};

const LIMIT: Duration = Duration::from_secs(20);

/// The kind `Widget` of a group of its own.
pub(crate) struct Widgets {
    /// The group, by which no other scenario's are meant.
    pub(crate) group: String,
    client: Client,
}

impl Widgets {
    /// Defines the kind by the properties of its spec, and waits until it is served in the namespace, after which its
    /// group is named.
    pub(crate) async fn served(client: Client, namespace: &str, spec: &Value) -> Result<Self> {
        let widgets = Self {
            group: format!("{namespace}.example.com"),
            client,
        };
        create(&widgets.client, None, &widgets.definition(spec)).await?;
        let api = api_of(
            &widgets.client,
            &widgets.widget("any", &json!({})),
            Some(namespace),
        )?;
        eventually("widgets are served", LIMIT, || async {
            Ok(api.list(&ListParams::default()).await?)
        })
        .await?;
        Ok(widgets)
    }

    /// One of them.
    pub(crate) fn widget(&self, name: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": format!("{}/v1", self.group),
            "kind": "Widget",
            "metadata": { "name": name },
            "spec": spec,
        })
    }

    /// Removes the kind and every object of it.
    pub(crate) async fn remove(self) -> Result<()> {
        Api::<CustomResourceDefinition>::all(self.client)
            .delete(&format!("widgets.{}", self.group), &DeleteParams::default())
            .await?;
        Ok(())
    }

    fn definition(&self, spec: &Value) -> Value {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("widgets.{}", self.group) },
            "spec": {
                "group": self.group,
                "scope": "Namespaced",
                "names": { "kind": "Widget", "plural": "widgets" },
                "versions": [{
                    "name": "v1",
                    "served": true,
                    "storage": true,
                    "schema": { "openAPIV3Schema": {
                        "type": "object",
                        "properties": { "spec": { "type": "object", "properties": spec } },
                    } },
                }],
            },
        })
    }
}
