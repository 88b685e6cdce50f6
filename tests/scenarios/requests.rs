//! The ways in which objects are created, of every one of which the rules are to be found on the stored object.

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_tests::cluster::KubectlOutput;
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Intercepted, Plan, api_of, create, holds, manifest, mark, name_of, opted_in};

scenarios! {
    Webhook: [
        a_dry_run_shows_the_object_that_a_create_stores,
        a_server_side_apply_that_creates_is_changed,
        a_rename_is_stored_under_the_new_name_and_the_client_is_told,
        a_rename_under_server_side_apply_is_refused_with_the_way_out,
        managed_fields_of_a_former_life_are_no_server_side_apply,
        a_name_that_is_yet_to_be_made_is_matched_by_its_prefix,
        objects_of_a_mebibyte_are_changed,
        fields_that_nobody_knows_do_no_harm,
        an_object_that_a_controller_owns_is_reviewed_when_it_is_created,
        every_object_of_a_list_is_judged_on_its_own,
    ],
}

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: '**', resourceNameRegex: '^re'}
  mergePatches:
  - patchData: '{\"metadata\": {\"labels\": {\"restored\": \"true\"}}}'
- conditions: {groupResource: configmaps, resourceNameRegex: ^rename$}
  patches:
  - {operation: replace, path: /metadata/name, value: renamed}
- conditions: {groupResource: deployments.apps}
  patches:
  - {operation: replace, path: /spec/replicas, value: '0'}
";

const RESTORED: &str = "/metadata/labels/restored";

async fn in_force(context: &Context) -> Result<Intercepted> {
    Plan::new(context.namespace.name(), RULES)
        .in_force(context.cluster.admin())
        .await
}

/// Runs kubectl on a file with `object`, in the namespace of the scenario.
async fn kubectl(context: &Context, arguments: &[&str], object: &Value) -> Result<KubectlOutput> {
    let file = manifest(object)?;
    let path = file.path().display().to_string();
    let common = ["-n", context.namespace.name(), "-o", "json", "-f", &path];
    context.cluster.kubectl(&[arguments, &common[..]].concat()).await
}

fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name },
        "data": { "key": "value" },
    })
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
            },
        },
    })
}

async fn a_dry_run_shows_the_object_that_a_create_stores(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let object = opted_in(deployment("rehearsed"), &interception.name);
    let made = async |arguments: &[&str]| -> Result<Value> {
        let output = kubectl(context, arguments, &object).await?;
        let mut made: Value = serde_json::from_str(&output.success()?)?;
        // What is of the one request alone.
        let metadata = made["metadata"].as_object_mut().context("no metadata")?;
        for field in ["uid", "resourceVersion", "creationTimestamp"] {
            metadata.remove(field);
        }
        Ok(made)
    };
    let rehearsed = made(&["create", "--dry-run=server"]).await?;
    let api = api_of(&context.cluster.admin(), &object, Some(context.namespace.name()))?;
    ensure!(api.get_opt("rehearsed").await?.is_none(), "a dry run stores it");
    let stored = made(&["create"]).await?;
    ensure!(rehearsed == stored, "{rehearsed:#} and {stored:#}");
    holds(
        &stored,
        &[(RESTORED, json!("true")), ("/spec/replicas", json!(0))],
    )
}

async fn a_server_side_apply_that_creates_is_changed(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let object = opted_in(deployment("restored"), &interception.name);
    let output = kubectl(context, &["apply", "--server-side"], &object).await?;
    let stored: Value = serde_json::from_str(&output.success()?)?;
    holds(
        &stored,
        &[(RESTORED, json!("true")), ("/spec/replicas", json!(0))],
    )
}

async fn a_rename_is_stored_under_the_new_name_and_the_client_is_told(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let object = opted_in(config_map("rename"), &interception.name);
    let output = kubectl(context, &["create"], &object).await?;
    for part in ["Warning: ", "/rename is stored under the name renamed"] {
        ensure!(output.stderr.contains(part), "no {part:?} in: {}", output.stderr);
    }
    let answered: Value = serde_json::from_str(&output.success()?)?;
    ensure!(name_of(&answered) == "renamed", "{answered:#}");
    let api = api_of(&context.cluster.admin(), &object, Some(context.namespace.name()))?;
    let stored = serde_json::to_value(api.get("renamed").await?)?;
    holds(
        &stored,
        &[
            ("/metadata/name", json!("renamed")),
            ("/data/key", json!("value")),
        ],
    )?;
    ensure!(
        api.get_opt("rename").await?.is_none(),
        "it is there under its old name, too"
    );
    Ok(())
}

/// The API server would store it under its old key, where nobody finds it by its new name.
async fn a_rename_under_server_side_apply_is_refused_with_the_way_out(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let object = opted_in(config_map("rename"), &interception.name);
    let output = kubectl(context, &["apply", "--server-side"], &object).await?;
    for part in [
        "denied the request",
        "resourceModifierRules[1]",
        "server-side apply",
        "create it instead",
    ] {
        ensure!(output.stderr.contains(part), "no {part:?} in: {}", output.stderr);
    }
    let api = api_of(&context.cluster.admin(), &object, Some(context.namespace.name()))?;
    for name in ["rename", "renamed"] {
        ensure!(api.get_opt(name).await?.is_none(), "{name} is there");
    }
    Ok(())
}

/// Of the same manager, too: what tells is that the API server adds the author of a create as one who updates.
async fn managed_fields_of_a_former_life_are_no_server_side_apply(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let mut object = opted_in(config_map("rename"), &interception.name);
    object["metadata"]["managedFields"] = json!([{
        "manager": "kubectl",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2020-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": { "f:data": { "f:key": {}, "f:gone": {} } },
    }]);
    for manager in ["--field-manager=kubectl", "--field-manager=other"] {
        let output = kubectl(context, &["create", "--dry-run=server", manager], &object).await?;
        let stored: Value = serde_json::from_str(&output.success()?)?;
        ensure!(name_of(&stored) == "renamed", "{manager}: {stored:#}");
    }
    Ok(())
}

async fn a_name_that_is_yet_to_be_made_is_matched_by_its_prefix(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let mut object = opted_in(config_map(""), &interception.name);
    object["metadata"] = json!({ "generateName": "re-", "labels": object["metadata"]["labels"] });
    let output = kubectl(context, &["create"], &object).await?;
    for part in ["Warning: ", "configmaps", "has no name yet", "re-"] {
        ensure!(output.stderr.contains(part), "no {part:?} in: {}", output.stderr);
    }
    let stored: Value = serde_json::from_str(&output.success()?)?;
    holds(&stored, &[(RESTORED, json!("true"))])?;
    let name = name_of(&stored);
    ensure!(name.starts_with("re-") && name.len() > "re-".len(), "{name}");
    Ok(())
}

/// Line feeds take twice their room in JSON, and what is binary a third more.
async fn objects_of_a_mebibyte_are_changed(context: &Context) -> Result<()> {
    const SIZE: usize = 1 << 20;
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let interception = in_force(context).await?;
    let mut config_map = config_map("re-large");
    config_map["data"] = json!({ "k": "\n".repeat(SIZE - 1) });
    // Zeroes in base64; the last group stands for a single byte.
    let bytes = "AAAA".repeat(SIZE / 3) + "AA==";
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "re-large" },
        "data": { "k": bytes },
    });
    for object in [config_map, secret] {
        let object = opted_in(object, &interception.name);
        let stored = create(&client, Some(namespace), &object)
            .await
            .with_context(|| format!("a {} of a mebibyte", object["kind"]))?;
        holds(&stored, &[(RESTORED, json!("true"))])?;
        ensure!(
            stored["data"] == object["data"],
            "the data of the {} differ",
            object["kind"]
        );
    }
    Ok(())
}

async fn fields_that_nobody_knows_do_no_harm(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let mut object = opted_in(deployment("restored"), &interception.name);
    object["fromAnotherVersion"] = json!({ "of": ["Kubernetes"] });
    object["spec"]["template"]["spec"]["containers"][0]["unheardOf"] = json!(1);
    let output = kubectl(context, &["create", "--validate=ignore"], &object).await?;
    let stored: Value = serde_json::from_str(&output.success()?)?;
    holds(
        &stored,
        &[(RESTORED, json!("true")), ("/spec/replicas", json!(0))],
    )
}

async fn an_object_that_a_controller_owns_is_reviewed_when_it_is_created(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let interception = in_force(context).await?;
    let owner = create(&client, Some(namespace), &config_map("owner")).await?;
    let mut object = config_map("restored");
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
        "controller": true,
    }]);
    let stored = interception.restore(Some(namespace), object).await?;
    holds(
        &stored,
        &[
            (RESTORED, json!("true")),
            ("/metadata/ownerReferences/0/controller", json!(true)),
        ],
    )
}

async fn every_object_of_a_list_is_judged_on_its_own(context: &Context) -> Result<()> {
    let interception = in_force(context).await?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "re-secret" },
        "stringData": { "password": "open sesame" },
    });
    let list = json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            opted_in(config_map("rename"), &interception.name),
            opted_in(secret, &interception.name),
            opted_in(deployment("web"), &interception.name),
            deployment("re-passing-by"),
        ],
    });
    let output = kubectl(context, &["create"], &list).await?;
    let stored = output.success()?;
    let stored: Vec<Value> = serde_json::Deserializer::from_str(&stored)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let [config_map, secret, deployment, passing_by] = stored.as_slice() else {
        bail!("{} objects", stored.len());
    };
    holds(
        config_map,
        &[("/metadata/name", json!("renamed")), (RESTORED, json!("true"))],
    )?;
    holds(secret, &[(RESTORED, json!("true"))])?;
    holds(
        deployment,
        &[(RESTORED, Value::Null), ("/spec/replicas", json!(0))],
    )?;
    holds(
        passing_by,
        &[(RESTORED, Value::Null), ("/spec/replicas", json!(3))],
    )?;
    ensure!(mark(passing_by).is_err(), "{passing_by:#}");
    Ok(())
}
