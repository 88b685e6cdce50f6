//! Several interceptions on one object, and what becomes of it when one of their rules fails.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Plan, api_of, create, holds, manifest, mark, opted_in, refusal};

scenarios! {
    Webhook: [
        interceptions_act_by_priority_and_then_by_name,
        one_deny_beats_every_warn,
        under_deny_a_failing_rule_refuses_the_object_and_names_both,
        under_warn_an_object_is_stored_without_the_failing_rule_and_the_user_is_told,
    ],
}

fn config_map() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "settings" },
        "data": { "stage": "production" },
    })
}

fn says(word: &str) -> String {
    format!(
        "
version: v1
resourceModifierRules:
- conditions: {{groupResource: configmaps}}
  patches:
  - {{operation: copy, from: /data/last, path: /data/before-{word}}}
  - {{operation: replace, path: /data/last, value: {word}}}
"
    )
}

async fn interceptions_act_by_priority_and_then_by_name(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let mut in_force = Vec::new();
    for (word, priority) in [("c", -1), ("a", 5), ("b", 0), ("d", 5)] {
        let (name, rules) = (format!("{namespace}-{word}"), says(word));
        let mut plan = Plan::new(&name, &rules);
        plan.spec = json!({ "priority": priority, "match": { "interceptLabels": [namespace] } });
        in_force.push(plan.in_force(client.clone()).await?);
    }
    let mut object = config_map();
    object["data"] = json!({ "last": "nobody" });
    let stored = create(&client, Some(namespace), &opted_in(object, namespace)).await?;
    let order: Vec<_> = mark(&stored)?.into_iter().map(|(name, _)| name).collect();
    ensure!(
        order == ["c", "b", "a", "d"].map(|word| format!("{namespace}-{word}")),
        "{order:?}"
    );
    let words =
        json!({ "before-c": "nobody", "before-b": "c", "before-a": "b", "before-d": "a", "last": "d" });
    holds(&stored, &[("/data", words)])
}

/// The second rule can't be applied; the others can.
const FAILING: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  patches:
  - {operation: replace, path: /data/stage, value: staging}
- conditions: {groupResource: configmaps}
  patches:
  - {operation: add, path: /data/half, value: done}
  - {operation: remove, path: /data/missing}
- conditions: {groupResource: configmaps}
  patches:
  - {operation: add, path: /data/last, value: done}
";

async fn one_deny_beats_every_warn(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let harmless = says("never").replace("configmaps", "secrets");
    let mut in_force = Vec::new();
    for (suffix, on_error, rules) in [("warn", "Warn", FAILING), ("deny", "Deny", harmless.as_str())] {
        let name = format!("{namespace}-{suffix}");
        let mut plan = Plan::new(&name, rules);
        plan.spec = json!({ "onModifierError": on_error, "match": { "interceptLabels": [namespace] } });
        in_force.push(plan.in_force(client.clone()).await?);
    }
    let message = refusal(create(&client, Some(namespace), &opted_in(config_map(), namespace)).await)?;
    ensure!(
        message.contains(&format!("interception {namespace}-warn")),
        "{message}"
    );
    Ok(())
}

async fn under_deny_a_failing_rule_refuses_the_object_and_names_both(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let interception = Plan::new(namespace, FAILING).in_force(client.clone()).await?;
    let message = refusal(interception.restore(Some(namespace), config_map()).await)?;
    for part in [
        &format!("interception {namespace}"),
        &format!("configmaps {namespace}/settings"),
        "resourceModifierRules[1].patches[1]",
        "/data/missing",
    ] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }
    let found = api_of(&client, &config_map(), Some(namespace))?
        .get_opt("settings")
        .await?;
    ensure!(found.is_none(), "refused, and yet stored: {found:?}");
    Ok(())
}

async fn under_warn_an_object_is_stored_without_the_failing_rule_and_the_user_is_told(
    context: &Context,
) -> Result<()> {
    let namespace = context.namespace.name();
    let mut plan = Plan::new(namespace, FAILING);
    plan.spec = json!({ "onModifierError": "Warn" });
    let interception = plan.in_force(context.cluster.admin()).await?;
    let file = manifest(&opted_in(config_map(), &interception.name))?;
    let path = file.path().display().to_string();
    let output = context
        .cluster
        .kubectl(&["create", "-n", namespace, "-f", &path, "-o", "json"])
        .await?;
    for part in [
        "Warning: ",
        &format!("configmaps {namespace}/settings"),
        "resourceModifierRules[1].patches[1]",
    ] {
        ensure!(output.stderr.contains(part), "no {part:?} in: {}", output.stderr);
    }
    let stored: Value = serde_json::from_str(&output.success()?)?;
    holds(
        &stored,
        &[("/data", json!({ "stage": "staging", "last": "done" }))],
    )?;
    let held = mark(&stored)?;
    ensure!(held == [(namespace.to_owned(), vec![0, 2])], "{held:?}");
    Ok(())
}
