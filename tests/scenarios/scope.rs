//! Whoever may edit a ConfigMap with rules gains nothing by it beyond their namespace, unless an administrator says so.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::eventually;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Intercepted, Plan, bind, command_in, create, holds, refusal, volume};

scenarios! {
    Webhook: [
        whoever_may_edit_a_config_map_reaches_their_namespace_alone,
        an_administrator_widens_the_reach_field_by_field,
        an_ordinary_secret_does_not_become_a_token_by_a_rule,
        under_warn_an_object_out_of_reach_is_stored_as_it_came,
        unreadable_rules_say_the_command_that_makes_them_readable,
    ],
}

/// What somebody would write who wants more than they have.
const GREEDY: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: '**'}
  mergePatches:
  - patchData: '{\"metadata\": {\"labels\": {\"taken\": \"over\"}}}'
- conditions: {groupResource: '*roles.rbac.authorization.k8s.io'}
  patches:
  - {operation: add, path: /rules/-, value: {apiGroups: ['*'], resources: ['*'], verbs: ['*']}}
";

const HARMLESS: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps, resourceNameRegex: ^never$}
  patches:
  - {operation: add, path: /data/key, value: value}
";

const TAKEN: &str = "/metadata/labels/taken";

/// Somebody who may write ConfigMaps in one namespace, and nothing else anywhere.
async fn author(context: &Context) -> Result<Client> {
    let (admin, namespace) = (context.cluster.admin(), context.namespace.name());
    let user = format!("author-of-{namespace}");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": { "name": "author" },
        "rules": [{
            "apiGroups": [""],
            "resources": ["configmaps"],
            "verbs": ["get", "list", "create", "update", "patch", "delete"],
        }],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": "author" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "author" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    for object in [role, binding] {
        create(&admin, Some(namespace), &object).await?;
    }
    let author = context.cluster.user(&user, &[]).await?;
    eventually("the author may write", Duration::from_secs(10), || async {
        let own = Api::<ConfigMap>::namespaced(author.clone(), namespace);
        Ok(own.list(&ListParams::default()).await?)
    })
    .await?;
    refusal(
        Api::<Secret>::namespaced(author.clone(), namespace)
            .list(&ListParams::default())
            .await,
    )?;
    refusal(
        Api::<ClusterRole>::all(author.clone())
            .list(&ListParams::default())
            .await,
    )?;
    Ok(author)
}

/// An interception with `spec`, whose rules the author of the scenario's namespace made greedy.
async fn taken_over(context: &Context, spec: Value) -> Result<Intercepted> {
    let namespace = context.namespace.name();
    let author = author(context).await?;
    bind(&context.cluster, "clusterbackup-rules-reader", namespace).await?;
    let plan = Plan {
        name: namespace,
        rules_namespace: namespace,
        rules: HARMLESS,
        spec,
    };
    let interception = plan.in_force(context.cluster.admin()).await?;
    interception.write_rules_as(&author, GREEDY).await?;
    interception.until_in_force(GREEDY).await?;
    Ok(interception)
}

fn config_map() -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } })
}

fn role(kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": { "name": name },
        "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }],
    })
}

fn token() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "token",
            "annotations": { "kubernetes.io/service-account.name": "default" },
        },
    })
}

async fn whoever_may_edit_a_config_map_reaches_their_namespace_alone(context: &Context) -> Result<()> {
    let home = context.namespace.name();
    let elsewhere = context.cluster.namespace("elsewhere").await?;
    let elsewhere = elsewhere.name();
    let interception = taken_over(context, json!({})).await?;
    let stored = interception.restore(Some(home), config_map()).await?;
    holds(&stored, &[(TAKEN, json!("over"))])?;

    for (namespace, object, field) in [
        (Some(elsewhere), config_map(), "spec.targetNamespaces"),
        (None, volume(home), "spec.allowClusterScoped"),
        (None, role("ClusterRole", home), "spec.allowClusterScoped"),
        (Some(home), role("Role", "reader"), "spec.allowPrivilegedKinds"),
        (Some(home), token(), "spec.allowPrivilegedKinds"),
    ] {
        let what = format!("a {} in {namespace:?}", object["kind"]);
        let message = refusal(interception.restore(namespace, object).await).with_context(|| what.clone())?;
        for part in [field, home, &interception.name] {
            ensure!(message.contains(part), "{what}: no {part:?} in: {message}");
        }
    }
    Ok(())
}

async fn an_administrator_widens_the_reach_field_by_field(context: &Context) -> Result<()> {
    let home = context.namespace.name();
    let elsewhere = context.cluster.namespace("elsewhere").await?;
    let elsewhere = elsewhere.name();
    let spec = json!({
        "targetNamespaces": [format!("{elsewhere}*")],
        "allowClusterScoped": true,
        "allowPrivilegedKinds": true,
    });
    let interception = taken_over(context, spec).await?;
    // The token controller asks for the account, which a controller of its own makes.
    let accounts =
        Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(context.cluster.admin(), home);
    eventually(
        "the default account is there",
        Duration::from_secs(10),
        || async { Ok(accounts.get("default").await?) },
    )
    .await?;
    for (namespace, object) in [
        (Some(elsewhere), config_map()),
        (None, volume(home)),
        (None, role("ClusterRole", home)),
        (Some(home), role("Role", "reader")),
        (Some(home), token()),
    ] {
        let what = format!("a {} in {namespace:?}", object["kind"]);
        let stored = interception.restore(namespace, object).await.context(what)?;
        holds(&stored, &[(TAKEN, json!("over"))])?;
        if stored["kind"] == "Role" || stored["kind"] == "ClusterRole" {
            holds(&stored, &[("/rules/1/verbs", json!(["*"]))])?;
        }
    }
    Ok(())
}

const FORGED: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: secrets}
  patches:
  - {operation: replace, path: /type, value: kubernetes.io/service-account-token}
  - {operation: add, path: /metadata/annotations, value: {kubernetes.io/service-account.name: default}}
";

async fn an_ordinary_secret_does_not_become_a_token_by_a_rule(context: &Context) -> Result<()> {
    let home = context.namespace.name();
    let interception = taken_over(context, json!({})).await?;
    interception.write_rules(FORGED).await?;
    interception.until_in_force(FORGED).await?;
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "plain" } });
    let message = refusal(interception.restore(Some(home), secret).await)?;
    ensure!(message.contains("spec.allowPrivilegedKinds"), "{message}");
    Ok(())
}

async fn under_warn_an_object_out_of_reach_is_stored_as_it_came(context: &Context) -> Result<()> {
    let elsewhere = context.cluster.namespace("elsewhere").await?;
    let interception = taken_over(context, json!({ "onModifierError": "Warn" })).await?;
    let stored = interception.restore(Some(elsewhere.name()), config_map()).await?;
    holds(&stored, &[(TAKEN, Value::Null)])
}

async fn unreadable_rules_say_the_command_that_makes_them_readable(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let plan = Plan {
        name: namespace,
        rules_namespace: namespace,
        rules: GREEDY,
        spec: json!({}),
    };
    let interception = plan.create(context.cluster.admin()).await?;
    let message = interception.until("RulesForbidden", |_| Ok(())).await?;
    let refused = refusal(interception.restore(Some(namespace), config_map()).await)?;
    ensure!(
        refused.contains("kubectl -n"),
        "the refusal has no command: {refused}"
    );

    context.cluster.kubectl(&command_in(&message)?).await?.success()?;
    interception.until_in_force(GREEDY).await?;
    let stored = interception.restore(Some(namespace), config_map()).await?;
    holds(&stored, &[(TAKEN, json!("over"))])
}
