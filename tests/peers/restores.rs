//! Restores into another namespace by a real Velero: once with its own modifiers, once with the same rules by us.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::runner::{VeleroContext, scenarios};
use clusterbackup_tests::steps::{Intercepted, Plan, bind, create, mark};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::application::{Application, LABEL};

scenarios! {
    Velero: [
        thirty_kinds_are_restored_as_by_the_modifiers_of_velero,
        what_velero_lets_in_unmodified_is_refused_and_named_by_its_restore,
    ],
}

/// Where Velero keeps its Restores.
const VELERO: &str = "velero";
const READER: &str = "clusterbackup-velero-reader";

/// Rules as people write them for Velero; each of them holds on some object of the application.
fn rules(source: &str, cluster_scoped: &str) -> String {
    format!(
        r#"version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    namespaces: [{source}]
    matches:
    - {{path: /spec/storageClassName, value: standard}}
  patches:
  - {{operation: replace, path: /spec/storageClassName, value: premium}}
- conditions: {{groupResource: deployments.apps, namespaces: [{source}]}}
  mergePatches:
  - patchData: |
      {{"spec": {{"replicas": 0}}}}
- conditions: {{groupResource: "{{deployments,daemonsets,replicasets}}.apps", namespaces: ["{source}*"]}}
  patches:
  - {{operation: test, path: /spec/template/spec/containers/1/name, value: proxy}}
  - {{operation: replace, path: /spec/template/spec/containers/1/image, value: "registry.new.example/shop/proxy:1.9.0"}}
  - {{operation: add, path: /spec/template/spec/containers/-1/env, value: '[{{"name": "A", "value": "true"}}]'}}
- conditions:
    groupResource: configmaps
    resourceNameRegex: ^settings$
    namespaces: [{source}]
    matches:
    - {{path: /data/size, value: '"12"'}}
    - {{path: /data/gone, value: "null"}}
  patches:
  - {{operation: replace, path: /data/level, value: debug}}
  - {{operation: add, path: /data/count, value: '"3"'}}
- conditions: {{groupResource: configmaps, resourceNameRegex: ^renamed$, namespaces: [{source}]}}
  patches:
  - {{operation: replace, path: /metadata/name, value: new-name}}
- conditions: {{groupResource: ingresses.networking.k8s.io, namespaces: [{source}]}}
  patches:
  - {{operation: remove, path: /metadata/annotations/cert-manager.io~1cluster-issuer}}
- conditions: {{groupResource: "{{horizontalpodautoscalers.autoscaling,poddisruptionbudgets.policy}}", namespaces: [{source}]}}
  patches:
  - {{operation: copy, from: /metadata/name, path: /metadata/labels/was}}
- conditions: {{groupResource: roles.rbac.authorization.k8s.io, namespaces: [{source}]}}
  patches:
  - {{operation: add, path: /rules/0/verbs/-, value: watch}}
- conditions: {{groupResource: widgets.example.com, namespaces: [{source}]}}
  patches:
  - {{operation: move, from: /spec/sizes/0, path: /spec/sizes/-}}
  - {{operation: remove, path: /spec/colour}}
- conditions: {{groupResource: "*.batch", namespaces: [{source}]}}
  mergePatches:
  - patchData: |
      metadata:
        annotations: {{restored: "yes"}}
      spec: {{suspend: true}}
- conditions:
    groupResource: "**"
    namespaces: [{source}]
    labelSelector: {{matchExpressions: [{{key: {LABEL}, operator: Exists}}]}}
  mergePatches:
  - patchData: |
      metadata: {{labels: {{environment: staging}}}}
- conditions: {{groupResource: persistentvolumes, resourceNameRegex: ^{cluster_scoped}}}
  patches:
  - {{operation: replace, path: /spec/nfs/server, value: nfs.new.example}}
- conditions: {{groupResource: statefulsets.apps, namespaces: [{source}]}}
  strategicPatches:
  - patchData: |
      {{"spec": {{"template": {{"spec": {{"containers": [{{"name": "proxy", "image": "registry.new.example/shop/proxy:2.0.0"}}]}}}}}}}}
- conditions: {{groupResource: configmaps, namespaces: [elsewhere]}}
  patches:
  - {{operation: remove, path: /data}}
"#
    )
}

/// One of the application's rules never holds: it is for another namespace.
const NEVER: usize = 13;

async fn thirty_kinds_are_restored_as_by_the_modifiers_of_velero(given: &VeleroContext) -> Result<()> {
    let (cluster, velero) = (&given.context.cluster, &given.velero);
    let application = Application::create(cluster, given.context.namespace.name()).await?;
    ensure!(application.kinds() >= 30, "only {} kinds", application.kinds());
    let name = &application.name;
    velero.back_up(name, &application.backup()).await?;
    let rules = rules(name, name);

    let by_velero = cluster.namespace("by-velero").await?;
    modifiers(given, name, &rules).await?;
    application.delete_cluster_scoped().await?;
    let mut spec = mapped(name, by_velero.name());
    spec["resourceModifier"] = json!({ "kind": "ConfigMap", "name": name });
    let restored = velero.restore(&format!("{name}-velero"), name, spec).await?;
    ensure!(restored.phase == "Completed", "{restored:#?}");
    let theirs = application.stored_in(by_velero.name()).await?;

    let by_us = cluster.namespace("by-us").await?;
    let restore = format!("{name}-us");
    let interception = intercept(given, &restore, &rules, json!({})).await?;
    application.delete_cluster_scoped().await?;
    let restored = velero.restore(&restore, name, mapped(name, by_us.name())).await?;
    ensure!(restored.phase == "Completed", "{restored:#?}");
    let ours = application.stored_in(by_us.name()).await?;
    application.delete_cluster_scoped().await?;

    let mut held = BTreeSet::new();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let marks = mark(ours)?;
        ensure!(
            marks.iter().map(|(name, _)| name).eq([&interception.name]),
            "its mark is {marks:?}"
        );
        held.extend(marks.into_iter().flat_map(|(_, rules)| rules));
        let (ours, theirs) = (essence(ours, by_us.name())?, essence(theirs, by_velero.name())?);
        ensure!(
            ours == theirs,
            "restored by us\n{ours:#}\nand by Velero\n{theirs:#}"
        );
    }
    let all: BTreeSet<usize> = (0..NEVER).collect();
    ensure!(held == all, "the rules that held are {held:?}");
    Ok(())
}

async fn what_velero_lets_in_unmodified_is_refused_and_named_by_its_restore(
    given: &VeleroContext,
) -> Result<()> {
    const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps, resourceNameRegex: ^settings$}
  patches:
  - {operation: replace, path: /data/level, value: debug}
  - {operation: remove, path: /data/password}
";
    let (cluster, velero) = (&given.context.cluster, &given.velero);
    let source = given.context.namespace.name();
    let client = cluster.admin();
    for name in ["settings", "other"] {
        let data = json!({ "level": "info" });
        let object =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data });
        create(&client, Some(source), &object).await?;
    }
    velero
        .back_up(
            source,
            &json!({ "includedNamespaces": [source], "includedResources": ["configmaps"] }),
        )
        .await?;

    let by_velero = cluster.namespace("by-velero").await?;
    modifiers(given, source, RULES).await?;
    let mut spec = mapped(source, by_velero.name());
    spec["resourceModifier"] = json!({ "kind": "ConfigMap", "name": source });
    let restored = velero.restore(&format!("{source}-velero"), source, spec).await?;
    ensure!(restored.phase == "PartiallyFailed", "{restored:#?}");
    let stored = by_velero.api::<ConfigMap>().get("settings").await?;
    let level = stored.data.and_then(|data| data.get("level").cloned());
    ensure!(
        level.as_deref() == Some("info"),
        "Velero has changed it: {level:?}"
    );

    let by_us = cluster.namespace("by-us").await?;
    let restore = format!("{source}-us");
    let interception = intercept(given, &restore, RULES, json!({})).await?;
    let restored = velero
        .restore(&restore, source, mapped(source, by_us.name()))
        .await?;
    ensure!(restored.phase == "PartiallyFailed", "{restored:#?}");
    let message = restored.errors.about("settings")?;
    for part in [
        by_us.name(),
        &interception.name,
        "resourceModifierRules[0].patches[1]",
        "/data/password",
    ] {
        ensure!(message.contains(part), "{part:?} is missing in {message:?}");
    }
    let config_maps = by_us.api::<ConfigMap>();
    ensure!(config_maps.get_opt("settings").await?.is_none(), "it was let in");
    ensure!(
        config_maps.get_opt("other").await?.is_some(),
        "the other one was not restored"
    );
    Ok(())
}

/// A Restore's spec that maps one namespace to another.
pub(crate) fn mapped(source: &str, target: &str) -> Value {
    json!({ "includeClusterResources": true, "namespaceMapping": { source: target } })
}

/// Has a Velero restore intercepted, with original namespaces from Velero itself.
pub(crate) async fn intercept(
    given: &VeleroContext,
    restore: &str,
    rules: &str,
    mut spec: Value,
) -> Result<Intercepted> {
    let cluster = &given.context.cluster;
    let bound = bind(cluster, READER, VELERO).await;
    if let Err(error) = bound {
        // Another scenario has done it.
        ensure!(format!("{error:#}").contains("already exists"), "{error:#}");
    }
    spec["match"] = json!({ "veleroRestores": [restore] });
    spec["veleroNamespaces"] = json!([VELERO]);
    let plan = Plan {
        spec,
        ..Plan::new(restore, rules)
    };
    plan.in_force(cluster.admin()).await
}

/// Gives rules to Velero, as its own modifiers.
async fn modifiers(given: &VeleroContext, name: &str, rules: &str) -> Result<()> {
    let config_map: ConfigMap =
        serde_json::from_value(json!({ "metadata": { "name": name }, "data": { "rules.yaml": rules } }))?;
    Api::namespaced(given.context.cluster.admin(), VELERO)
        .create(&PostParams::default(), &config_map)
        .await
        .context("failed to create Velero's modifiers")?;
    Ok(())
}

/// The object without what is different in each restore: where it is, when it was made, and by which restore.
pub(crate) fn essence(object: &Value, namespace: &str) -> Result<Value> {
    let mut object = object.clone();
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    for (holder, keys) in [
        (
            "/metadata",
            &[
                "uid",
                "namespace",
                "resourceVersion",
                "creationTimestamp",
                "generation",
                "managedFields",
            ][..],
        ),
        ("/metadata/labels", &[labels::VELERO_RESTORE]),
        ("/metadata/annotations", &[labels::MODIFIED]),
        ("", &["status"]),
        ("/spec", &["clusterIP", "clusterIPs"]),
    ] {
        if let Some(holder) = object.pointer_mut(holder).and_then(Value::as_object_mut) {
            for key in keys {
                holder.remove(*key);
            }
        }
    }
    if object["metadata"]["annotations"] == json!({})
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove("annotations");
    }
    let text = object
        .to_string()
        .replace(&uid, "UID")
        .replace(namespace, "NAMESPACE");
    Ok(serde_json::from_str(&text)?)
}
