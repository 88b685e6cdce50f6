//! Every kind of patch, on objects of every sort that a real API server stores.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Plan, create, holds, opted_in, refusal};
use crate::widgets::Widgets;

scenarios! {
    Webhook: [
        every_json_operation_changes_what_is_stored,
        a_merge_patch_changes_what_is_nested_and_leaves_the_rest,
        text_fields_stay_text_whatever_their_values_look_like,
        a_custom_resource_is_changed_like_any_other_object,
        a_strategic_patch_finds_items_of_a_custom_resource_by_the_keys_of_its_definition,
    ],
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

const MERGE: &str = r#"
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps}
  mergePatches:
  - patchData: |
      {
        "metadata": {
          "labels": {"tier": "back", "restored": "true"},
          "annotations": {"example.com/drop": null, "example.com/missing": null}
        },
        "spec": {"replicas": 2, "template": {"spec": {"nodeSelector": {"pool": "restored"}}}}
      }
  - patchData: |
      spec:
        strategy: {type: Recreate, rollingUpdate: null}
        template:
          metadata:
            labels: {generation: 2}
"#;

async fn a_merge_patch_changes_what_is_nested_and_leaves_the_rest(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let interception = Plan::new(namespace, MERGE)
        .in_force(context.cluster.admin())
        .await?;
    let stored = interception.restore(Some(namespace), deployment()).await?;
    holds(
        &stored,
        &[
            ("/metadata/labels/app", json!("web")),
            ("/metadata/labels/tier", json!("back")),
            ("/metadata/labels/restored", json!("true")),
            ("/metadata/annotations/example.com~1drop", Value::Null),
            ("/metadata/annotations/example.com~1old", json!("value")),
            ("/spec/replicas", json!(2)),
            ("/spec/strategy", json!({ "type": "Recreate" })),
            (
                "/spec/template/metadata/labels",
                json!({ "app": "web", "generation": "2" }),
            ),
            ("/spec/template/spec/nodeSelector", json!({ "pool": "restored" })),
            (
                "/spec/template/spec/containers/0/image",
                json!("registry.old/web:1"),
            ),
        ],
    )
}

const TEXT: &str = r#"
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  patches:
  - {operation: add, path: /data/port, value: "8080"}
  - {operation: add, path: /metadata/labels, value: '{"on": true, "ratio": 1.50}'}
- conditions: {groupResource: configmaps}
  mergePatches:
  - patchData: |
      metadata: {annotations: {count: 5}}
      data: {debug: false}
- conditions: {groupResource: deployments.apps}
  patches:
  - operation: add
    path: /spec/template/spec/containers/0/env
    value: '[{"name": "PORT", "value": "8080"}]'
  - {operation: add, path: /spec/template/spec/containers/0/env/-, value: {name: LEVEL, value: 7}}
  - {operation: replace, path: /spec/template/spec/containers/0/env/0/value, value: "9090"}
"#;

async fn text_fields_stay_text_whatever_their_values_look_like(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let interception = Plan::new(namespace, TEXT)
        .in_force(context.cluster.admin())
        .await?;
    let config_map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "settings" },
        "data": { "port": "80" },
    });
    let stored = interception.restore(Some(namespace), config_map).await?;
    holds(
        &stored,
        &[
            ("/data", json!({ "port": "8080", "debug": "false" })),
            ("/metadata/annotations/count", json!("5")),
            ("/metadata/labels/on", json!("true")),
        ],
    )?;
    let stored = interception.restore(Some(namespace), deployment()).await?;
    let env = json!([{ "name": "PORT", "value": "9090" }, { "name": "LEVEL", "value": "7" }]);
    holds(&stored, &[("/spec/template/spec/containers/0/env", env)])
}

async fn a_custom_resource_is_changed_like_any_other_object(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let properties = json!({
        "size": { "type": "integer" },
        "parts": { "type": "array", "items": { "type": "string" } },
        "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    });
    let widgets = Widgets::served(client.clone(), namespace, &properties).await?;
    let group = &widgets.group;
    let widget = widgets.widget(
        "blue",
        &json!({ "size": 1, "parts": ["wheel"], "free": { "unknown": { "to": "anybody" } } }),
    );

    let rules = format!(
        r#"
version: v1
resourceModifierRules:
- conditions: {{groupResource: "widgets.{group}", matches: [{{path: /spec/size, value: "1"}}]}}
  patches:
  - {{operation: replace, path: /spec/size, value: "2"}}
  - {{operation: add, path: /spec/parts/-, value: axle}}
- conditions: {{groupResource: "widgets.{group}"}}
  mergePatches:
  - patchData: '{{"metadata": {{"labels": {{"restored": "true"}}}}, "spec": {{"free": {{"more": 1}}}}}}'
"#
    );
    let stored = Plan::new(namespace, &rules)
        .in_force(client)
        .await?
        .restore(Some(namespace), widget)
        .await?;
    holds(
        &stored,
        &[
            ("/spec/size", json!(2)),
            ("/spec/parts", json!(["wheel", "axle"])),
            ("/spec/free", json!({ "unknown": { "to": "anybody" }, "more": 1 })),
            ("/metadata/labels/restored", json!("true")),
        ],
    )?;
    widgets.remove().await
}

async fn a_strategic_patch_finds_items_of_a_custom_resource_by_the_keys_of_its_definition(
    context: &Context,
) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let text = json!({ "type": "string" });
    let parts = json!({
        "type": "array",
        "items": { "type": "object", "required": ["name"], "properties": { "name": text, "of": text } },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    });
    let widgets = Widgets::served(client.clone(), namespace, &json!({ "parts": parts })).await?;
    let rules = format!(
        r#"
version: v1
resourceModifierRules:
- conditions: {{groupResource: "widgets.{}"}}
  strategicPatches:
  - patchData: '{{"spec": {{"parts": [{{"name": "wheel", "of": "steel"}}]}}}}'
"#,
        widgets.group
    );
    let widget = |name: &str| {
        let parts = json!([{ "name": "axle", "of": "wood" }, { "name": "wheel", "of": "wood" }]);
        widgets.widget(name, &json!({ "parts": parts }))
    };
    let refusing = Plan::new(namespace, &rules).in_force(client.clone()).await?;
    let message = refusal(refusing.restore(Some(namespace), widget("refused")).await)?;
    ensure!(
        message.contains("customResourceStrategy: ListMapKeys"),
        "{message}"
    );

    let name = format!("{namespace}-keys");
    let mut plan = Plan::new(&name, &rules);
    plan.spec = json!({ "customResourceStrategy": "ListMapKeys" });
    let merging = plan.in_force(client).await?;
    let stored = merging.restore(Some(namespace), widget("merged")).await?;
    let parts = json!([{ "name": "axle", "of": "wood" }, { "name": "wheel", "of": "steel" }]);
    holds(&stored, &[("/spec/parts", parts)])?;
    widgets.remove().await
}
