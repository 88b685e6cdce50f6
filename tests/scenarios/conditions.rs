//! Every condition of a rule, on objects that a real API server stores. Which rules held is read from the mark.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Intercepted, Plan, holds, mark, name_of};

scenarios! {
    Webhook: [
        group_resources_are_matched_by_globs_over_their_segments,
        names_are_searched_by_unanchored_expressions,
        namespaces_are_matched_by_globs_and_skipped_for_cluster_scoped_objects,
        labels_are_selected_as_everywhere_in_kubernetes,
        values_are_compared_by_what_they_look_like,
        conditions_are_judged_on_the_unmodified_object,
        a_failing_test_drops_its_rule_alone_and_quietly,
    ],
}

/// One rule for each of the conditions, which leaves a label of its own.
fn rules(conditions: &[&str]) -> String {
    let rules = conditions.iter().enumerate().map(|(number, condition)| {
        format!(
            "
- conditions: {condition}
  mergePatches:
  - patchData: '{{\"metadata\": {{\"labels\": {{\"rule-{number}\": \"held\"}}}}}}'"
        )
    });
    let rules: Vec<String> = rules.collect();
    format!("version: v1\nresourceModifierRules:{}\n", rules.concat())
}

/// Restores each object and checks which rules the mark says hold on it, and that their labels are there.
async fn each_meets(
    interception: &Intercepted,
    namespace: Option<&str>,
    table: Vec<(Value, &[usize])>,
) -> Result<()> {
    for (object, wanted) in table {
        let stored = interception.restore(namespace, object).await?;
        let held = mark(&stored)?;
        ensure!(
            held == [(interception.name.clone(), wanted.to_vec())],
            "{held:?} hold on {}, not {wanted:?}",
            name_of(&stored)
        );
        for rule in wanted {
            holds(
                &stored,
                &[(&format!("/metadata/labels/rule-{rule}"), json!("held"))],
            )?;
        }
    }
    Ok(())
}

fn config_map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

fn claim(name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": name },
        "spec": {
            "storageClassName": class,
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    })
}

async fn group_resources_are_matched_by_globs_over_their_segments(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let rules = rules(&[
        r#"{groupResource: "*.apps"}"#,
        r#"{groupResource: "**"}"#,
        r#"{groupResource: "{configmaps,services}"}"#,
        r#"{groupResource: "*"}"#,
        r#"{groupResource: "*.*"}"#,
        r#"{groupResource: "ingresses.networking.k8s.i?"}"#,
        r#"{groupResource: "[!c]*"}"#,
    ]);
    let interception = Plan::new(namespace, &rules)
        .in_force(context.cluster.admin())
        .await?;
    let stateful_set = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": { "name": "db" },
        "spec": {
            "replicas": 0,
            "serviceName": "db",
            "selector": { "matchLabels": { "app": "db" } },
            "template": {
                "metadata": { "labels": { "app": "db" } },
                "spec": { "containers": [{ "name": "db", "image": "db:1" }] },
            },
        },
    });
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "web" },
        "spec": { "defaultBackend": { "service": { "name": "web", "port": { "number": 80 } } } },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web" },
        "spec": { "ports": [{ "port": 80 }] },
    });
    each_meets(
        &interception,
        Some(namespace),
        vec![
            (config_map("settings"), &[1, 2, 3]),
            (service, &[1, 2, 3, 6]),
            (stateful_set, &[0, 1, 4]),
            (ingress, &[1, 5]),
        ],
    )
    .await
}

async fn names_are_searched_by_unanchored_expressions(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let rules = rules(&[
        "{groupResource: configmaps, resourceNameRegex: my}",
        "{groupResource: configmaps, resourceNameRegex: ^my}",
        "{groupResource: configmaps, resourceNameRegex: my$}",
        "{groupResource: configmaps, resourceNameRegex: '(?i)-MY-'}",
        "{groupResource: configmaps, resourceNameRegex: ''}",
    ]);
    let interception = Plan::new(namespace, &rules)
        .in_force(context.cluster.admin())
        .await?;
    each_meets(
        &interception,
        Some(namespace),
        vec![
            (config_map("my-db"), &[0, 1, 4]),
            (config_map("db-my"), &[0, 2, 4]),
            (config_map("the-my-db"), &[0, 3, 4]),
            (config_map("other"), &[4]),
        ],
    )
    .await
}

async fn namespaces_are_matched_by_globs_and_skipped_for_cluster_scoped_objects(
    context: &Context,
) -> Result<()> {
    let namespace = context.namespace.name();
    let rules = rules(&[
        &format!(r#"{{groupResource: "**", namespaces: [elsewhere, {namespace}]}}"#),
        r#"{groupResource: "**", namespaces: [elsewhere]}"#,
        r#"{groupResource: "**", namespaces: ["scenario-*"]}"#,
        r#"{groupResource: "**", namespaces: []}"#,
    ]);
    let client = context.cluster.admin();
    let interception = Plan::new(namespace, &rules).in_force(client.clone()).await?;
    each_meets(
        &interception,
        Some(namespace),
        vec![(config_map("settings"), &[0, 2, 3])],
    )
    .await?;
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": namespace },
        "rules": [],
    });
    each_meets(&interception, None, vec![(role, &[0, 1, 2, 3])]).await
}

async fn labels_are_selected_as_everywhere_in_kubernetes(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let selectors = [
        "{matchLabels: {tier: front}}",
        "{matchExpressions: [{key: tier, operator: In, values: [front, middle]}]}",
        "{matchExpressions: [{key: tier, operator: NotIn, values: [back]}]}",
        "{matchExpressions: [{key: tier, operator: Exists}]}",
        "{matchExpressions: [{key: tier, operator: DoesNotExist}]}",
        "{matchLabels: {app: web}, matchExpressions: [{key: tier, operator: In, values: [middle]}]}",
        "{}",
    ];
    let conditions =
        selectors.map(|selector| format!("{{groupResource: configmaps, labelSelector: {selector}}}"));
    let rules = rules(&conditions.each_ref().map(String::as_str));
    let interception = Plan::new(namespace, &rules)
        .in_force(context.cluster.admin())
        .await?;
    let labelled = |name: &str, labels: Value| {
        let mut object = config_map(name);
        object["metadata"]["labels"] = labels;
        object
    };
    each_meets(
        &interception,
        Some(namespace),
        vec![
            (labelled("front", json!({ "tier": "front" })), &[0, 1, 2, 3, 6]),
            (
                labelled("middle", json!({ "tier": "middle", "app": "web" })),
                &[1, 2, 3, 5, 6],
            ),
            (labelled("back", json!({ "tier": "back", "app": "web" })), &[3, 6]),
            (labelled("none", json!({})), &[2, 4, 6]),
        ],
    )
    .await
}

async fn values_are_compared_by_what_they_look_like(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let matches = [
        r#"{path: /spec/replicas, value: "3"}"#,
        "{path: /spec/replicas, value: 3}",
        r#"{path: /spec/replicas, value: "4"}"#,
        "{path: /metadata/annotations/example.com~1keep, value: yes-please}",
        r#"{path: /metadata/annotations/number, value: "7"}"#,
        "{path: /metadata/annotations/missing, value: any}",
        r#"{path: /spec/template/spec/containers/0, value: '{"name": "web"}'}"#,
        "{path: /spec/template/spec/containers/0/image, value: registry.old/web:1}",
        "{path: /spec/paused, value: 'true'}",
        "{path: /spec/replicas, value: 3}, {path: /spec/template/spec/containers/0/name, value: other}",
    ];
    let conditions =
        matches.map(|matches| format!("{{groupResource: deployments.apps, matches: [{matches}]}}"));
    let rules = rules(&conditions.each_ref().map(String::as_str));
    let interception = Plan::new(namespace, &rules)
        .in_force(context.cluster.admin())
        .await?;
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "annotations": { "example.com/keep": "yes-please", "number": "7" },
        },
        "spec": {
            "replicas": 3,
            "paused": true,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "registry.old/web:1" }] },
            },
        },
    });
    each_meets(
        &interception,
        Some(namespace),
        vec![(deployment, &[0, 1, 3, 4, 7, 8])],
    )
    .await
}

const CLASSES: &str = "
version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    matches: [{path: /spec/storageClassName, value: standard}]
  patches:
  - {operation: replace, path: /spec/storageClassName, value: premium}
- conditions:
    groupResource: persistentvolumeclaims
    matches: [{path: /spec/storageClassName, value: premium}]
  patches:
  - {operation: replace, path: /spec/storageClassName, value: gold}
";

async fn conditions_are_judged_on_the_unmodified_object(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let interception = Plan::new(namespace, CLASSES)
        .in_force(context.cluster.admin())
        .await?;
    for (class, wanted, rule) in [("standard", "premium", 0), ("premium", "gold", 1)] {
        let stored = interception.restore(Some(namespace), claim(class, class)).await?;
        holds(&stored, &[("/spec/storageClassName", json!(wanted))])?;
        let held = mark(&stored)?;
        ensure!(held == [(namespace.to_owned(), vec![rule])], "{held:?}");
    }
    Ok(())
}

const GUARDED: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  patches:
  - {operation: add, path: /metadata/labels/early, value: gone}
  - {operation: test, path: /data/stage, value: production}
  - {operation: add, path: /metadata/labels/late, value: gone}
- conditions: {groupResource: configmaps}
  patches:
  - {operation: test, path: /data/stage, value: staging}
  - {operation: replace, path: /data/stage, value: restored}
";

async fn a_failing_test_drops_its_rule_alone_and_quietly(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let interception = Plan::new(namespace, GUARDED)
        .in_force(context.cluster.admin())
        .await?;
    let mut object = config_map("settings");
    object["data"] = json!({ "stage": "staging" });
    let stored = interception.restore(Some(namespace), object).await?;
    holds(
        &stored,
        &[
            ("/metadata/labels/early", Value::Null),
            ("/metadata/labels/late", Value::Null),
            ("/data/stage", json!("restored")),
        ],
    )?;
    let held = mark(&stored)?;
    ensure!(held == [(namespace.to_owned(), vec![1])], "{held:?}");
    Ok(())
}
