//! The original namespace of an object, of which the rules' `namespaces` conditions speak.

use anyhow::{Result, ensure};
use clusterbackup_api::labels;
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Plan, holds, mark, refusal};

scenarios! {
    Webhook: [
        an_object_comes_from_the_namespace_that_is_mapped_to_its_own,
        an_object_in_a_namespace_that_is_no_target_comes_from_there,
        several_origins_are_refused_when_the_rules_differ_by_them,
        several_origins_are_one_when_the_rules_come_to_the_same,
        marks_of_an_earlier_restore_count_for_nothing,
    ],
}

/// One rule for each namespace, which leaves a label of its own.
fn rules(namespaces: &[&str]) -> String {
    let rules = namespaces.iter().enumerate().map(|(number, namespace)| {
        format!(
            "
- conditions: {{groupResource: configmaps, namespaces: [{namespace}]}}
  patches:
  - {{operation: add, path: /data/from-{number}, value: {namespace}}}"
        )
    });
    let rules: Vec<String> = rules.collect();
    format!("version: v1\nresourceModifierRules:{}\n", rules.concat())
}

fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name },
        "data": { "key": "value" },
    })
}

async fn an_object_comes_from_the_namespace_that_is_mapped_to_its_own(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let rules = rules(&["shop", namespace]);
    let mut plan = Plan::new(namespace, &rules);
    plan.spec = json!({ "namespaceMappings": { "shop": namespace, "till": "elsewhere" } });
    let interception = plan.in_force(context.cluster.admin()).await?;
    let stored = interception
        .restore(Some(namespace), config_map("settings"))
        .await?;
    holds(&stored, &[("/data", json!({ "key": "value", "from-0": "shop" }))])
}

async fn an_object_in_a_namespace_that_is_no_target_comes_from_there(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let rules = rules(&["shop", namespace]);
    let mut plan = Plan::new(namespace, &rules);
    plan.spec = json!({ "namespaceMappings": { "shop": "elsewhere" } });
    let interception = plan.in_force(context.cluster.admin()).await?;
    let stored = interception
        .restore(Some(namespace), config_map("settings"))
        .await?;
    holds(
        &stored,
        &[("/data", json!({ "key": "value", "from-1": namespace }))],
    )
}

async fn several_origins_are_refused_when_the_rules_differ_by_them(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let rules = rules(&["shop"]);
    let mut plan = Plan::new(namespace, &rules);
    plan.spec = json!({ "namespaceMappings": { "shop": namespace, "till": namespace } });
    let interception = plan.in_force(context.cluster.admin()).await?;
    let message = refusal(
        interception
            .restore(Some(namespace), config_map("settings"))
            .await,
    )?;
    for part in ["shop, till", "configmaps", "settings", namespace, "map each"] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }
    Ok(())
}

/// Two rules for two namespaces, and yet whichever of them acts the object becomes the same.
const ALIKE: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps, namespaces: [shop]}
  patches:
  - {operation: add, path: /data/stage, value: staging}
- conditions: {groupResource: configmaps, namespaces: [till]}
  mergePatches:
  - patchData: '{\"data\": {\"stage\": \"staging\"}}'
";

async fn several_origins_are_one_when_the_rules_come_to_the_same(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let mut plan = Plan::new(namespace, ALIKE);
    plan.spec = json!({ "namespaceMappings": { "shop": namespace, "till": namespace } });
    let interception = plan.in_force(context.cluster.admin()).await?;
    let stored = interception
        .restore(Some(namespace), config_map("settings"))
        .await?;
    holds(&stored, &[("/data/stage", json!("staging"))])
}

async fn marks_of_an_earlier_restore_count_for_nothing(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let rules = rules(&["shop", namespace]);
    let interception = Plan::new(namespace, &rules)
        .in_force(context.cluster.admin())
        .await?;
    let mut object = config_map("settings");
    object["metadata"]["annotations"] = json!({
        labels::ORIGINAL_NAMESPACE: "shop",
        labels::RESTORE_UID: "9d2c6f4e-0000-4000-8000-000000000000",
        labels::MODIFIED: r#"[{"interception":"earlier","hash":"0","rules":[0,1,2]}]"#,
    });
    let stored = interception.restore(Some(namespace), object).await?;
    holds(
        &stored,
        &[("/data", json!({ "key": "value", "from-1": namespace }))],
    )?;
    let held = mark(&stored)?;
    ensure!(held == [(namespace.to_owned(), vec![1])], "{held:?}");
    Ok(())
}
