//! Every kind of patch and every condition, on objects that a real API server stores.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Plan, create, opted_in};

scenarios! {
    Webhook: [every_json_operation_changes_what_is_stored],
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "labels": { "app": "web", "tier": "front" },
            "annotations": { "example.com/drop": "me", "example.com/old": "value" },
        },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "registry.old/web:1" }] },
            },
        },
    })
}

const OPERATIONS: &str = r#"
version: v1
resourceModifierRules:
- conditions:
    groupResource: deployments.apps
    resourceNameRegex: ^we
    labelSelector:
      matchLabels: {tier: front}
    matches:
    - {path: /spec/replicas, value: "3"}
  patches:
  - {operation: test, path: /spec/template/spec/containers/0/name, value: web}
  - {operation: replace, path: /spec/replicas, value: "1"}
  - {operation: add, path: /metadata/labels/restored, value: "true"}
  - {operation: remove, path: /metadata/annotations/example.com~1drop}
  - {operation: copy, from: /spec/template/spec/containers/0, path: /spec/template/spec/containers/1}
  - {operation: replace, path: /spec/template/spec/containers/1/name, value: twin}
  - {operation: move, from: /metadata/annotations/example.com~1old, path: /metadata/annotations/example.com~1new}
"#;

async fn every_json_operation_changes_what_is_stored(context: &Context) -> Result<()> {
    let client = context.cluster.admin();
    let namespace = context.namespace.name();
    let interception = Plan::new(namespace, OPERATIONS).in_force(client.clone()).await?;
    let stored = create(
        &client,
        Some(namespace),
        &opted_in(deployment(), &interception.name),
    )
    .await?;
    ensure!(stored["spec"]["replicas"] == 1, "{stored:#}");
    ensure!(
        stored["metadata"]["labels"]["restored"] == "true",
        "a label stays text: {stored:#}"
    );
    let annotations = &stored["metadata"]["annotations"];
    ensure!(annotations.get("example.com/drop").is_none(), "{annotations:#}");
    ensure!(annotations["example.com/new"] == "value", "{annotations:#}");
    let containers = &stored["spec"]["template"]["spec"]["containers"];
    ensure!(
        containers[1]["name"] == "twin" && containers[1]["image"] == "registry.old/web:1",
        "{containers:#}"
    );
    Ok(())
}
