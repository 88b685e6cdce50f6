//! Rules on their way into force: their status, broken and mended edits, pins, validation, edits under load.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_api::labels;
use clusterbackup_core::modifier::RuleSetHash;
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook, eventually, webhook};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::load::{Load, marking};
use crate::runner::{Context, scenarios};
use crate::steps::{Intercepted, Plan, create, given, refusal};

scenarios! {
    Webhook: [
        good_rules_are_ready_and_kubectl_shows_it,
        every_problem_of_broken_rules_is_named_by_line_and_column,
        a_broken_edit_leaves_the_last_good_rules_in_force_until_it_is_mended,
        rules_that_are_missing_take_force_once_they_are_there,
        several_data_keys_are_refused_by_name,
        a_pin_admits_just_the_rules_it_names,
        kubectl_shows_everything_that_validation_refuses,
        objects_created_while_rules_are_edited_get_one_set_or_the_other,
    ],
    Own: [replicas_agree_on_the_status_and_then_rest],
}

const LIMIT: Duration = Duration::from_secs(20);

/// Two problems: the operation is unknown in line 6, the regex doesn't parse in line 9.
const BROKEN: &str = "version: v1
resourceModifierRules:
- conditions:
    groupResource: configmaps
  patches:
  - {operation: replac, path: /data/first, value: b}
- conditions:
    groupResource: configmaps
    resourceNameRegex: '('
  patches:
  - {operation: remove, path: /data/first}
";

async fn good_rules_are_ready_and_kubectl_shows_it(context: &Context) -> Result<()> {
    let name = context.namespace.name();
    let rules = marking("a");
    let interception = Plan::new(name, &rules).in_force(context.cluster.admin()).await?;
    let object = interception.api().get(name).await?;
    let status = object.status.context("it has no status")?;
    ensure!(status.observed_generation == Some(1), "{status:?}");
    ensure!(status.rule_count == Some(2), "{status:?}");
    ensure!(
        status.rules_hash == Some(RuleSetHash::of(&rules).to_string()),
        "{status:?}"
    );
    let [ready] = status.conditions.as_slice() else {
        bail!("not one condition: {status:?}")
    };
    ensure!(
        (
            ready.type_.as_str(),
            ready.status.as_str(),
            ready.observed_generation
        ) == ("Ready", "True", Some(1)),
        "{ready:?}"
    );

    let table = context.cluster.kubectl(&["get", "ri", name]).await?.success()?;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [header, row] = rows.as_slice() else {
        bail!("{table}")
    };
    ensure!(
        *header == ["NAME", "READY", "REASON", "RULES", "CONFLICTS", "PRIORITY", "AGE"],
        "{table}"
    );
    ensure!(row[..6] == [name, "True", "Ready", "2", "Skip", "0"], "{table}");

    // Another generation of the spec is observed too.
    let patch = Patch::Merge(json!({ "spec": { "priority": 7 } }));
    interception
        .api()
        .patch(name, &PatchParams::default(), &patch)
        .await?;
    let observed = |object: &clusterbackup_api::RestoreInterception| {
        let status = object.status.as_ref().context("no status")?;
        ensure!(status.observed_generation == Some(2), "{status:?}");
        Ok(())
    };
    interception.until("Ready", observed).await.map(drop)
}

async fn every_problem_of_broken_rules_is_named_by_line_and_column(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let interception = Plan::new(namespace, BROKEN).create(client.clone()).await?;
    let message = interception.until("RulesInvalid", |_| Ok(())).await?;
    names_both_problems(&message)?;

    let message = refusal(create(&client, Some(namespace), &given("refused", namespace)).await)?;
    names_both_problems(&message)?;
    ensure!(
        message.contains(namespace) && message.contains("ConfigMap"),
        "{message}"
    );
    Ok(())
}

fn names_both_problems(message: &str) -> Result<()> {
    for part in [
        "line 6, column 17: resourceModifierRules[0].patches[0].operation",
        "line 9, column 24: resourceModifierRules[1].conditions.resourceNameRegex",
    ] {
        ensure!(message.contains(part), "{part:?} is missing: {message}");
    }
    Ok(())
}

async fn a_broken_edit_leaves_the_last_good_rules_in_force_until_it_is_mended(
    context: &Context,
) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let (good, mended) = (marking("a"), marking("c"));
    let interception = Plan::new(namespace, &good).in_force(client.clone()).await?;

    interception.write_rules(BROKEN).await?;
    let hash = RuleSetHash::of(&good).to_string();
    let message = interception
        .until("RulesInvalid", |object| {
            let status = object.status.as_ref().context("no status")?;
            ensure!(
                status.rules_hash.as_ref() == Some(&hash) && status.rule_count == Some(2),
                "it says that other rules are in force: {status:?}"
            );
            Ok(())
        })
        .await?;
    names_both_problems(&message)?;
    ensure!(message.contains("last good rules"), "{message}");
    let stored = create(&client, Some(namespace), &given("meanwhile", namespace)).await?;
    ensure!(stored["data"]["first"] == "a", "{stored:#}");

    interception.write_rules(&mended).await?;
    interception.until_in_force(&mended).await?;
    let stored = create(&client, Some(namespace), &given("afterwards", namespace)).await?;
    ensure!(stored["data"]["first"] == "c", "{stored:#}");
    Ok(())
}

async fn rules_that_are_missing_take_force_once_they_are_there(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let rules = marking("a");
    let interception = Plan::new(namespace, &rules)
        .create_without_rules(client.clone())
        .await?;
    missing(&interception, &client, namespace).await?;

    interception.write_rules(&rules).await?;
    // No wait: rules that were missing are looked for once more, directly.
    let stored = create(&client, Some(namespace), &given("there", namespace)).await?;
    ensure!(stored["data"]["first"] == "a", "{stored:#}");
    interception.until_in_force(&rules).await?;

    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), webhook::NAMESPACE);
    config_maps.delete(namespace, &DeleteParams::default()).await?;
    missing(&interception, &client, namespace).await
}

async fn missing(interception: &Intercepted, client: &kube::Client, namespace: &str) -> Result<()> {
    let says = format!("ConfigMap {}/{namespace} does not exist", webhook::NAMESPACE);
    let message = interception
        .until("RulesMissing", |object| {
            let status = object.status.as_ref().context("no status")?;
            ensure!(
                status.rule_count.is_none() && status.rules_hash.is_none(),
                "{status:?}"
            );
            Ok(())
        })
        .await?;
    ensure!(message.contains(&says), "{message}");
    let message = refusal(create(client, Some(namespace), &given("refused", namespace)).await)?;
    ensure!(message.contains(&says), "{message}");
    Ok(())
}

async fn several_data_keys_are_refused_by_name(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let interception = Plan::new(namespace, &marking("a")).create(client.clone()).await?;
    let data = json!({ "data": { "more.yaml": marking("b") } });
    Api::<ConfigMap>::namespaced(client.clone(), webhook::NAMESPACE)
        .patch(namespace, &PatchParams::default(), &Patch::Merge(data))
        .await?;
    let message = interception.until("RulesInvalid", |_| Ok(())).await?;
    ensure!(
        message.contains("2 data keys (more.yaml, rules.yaml); keep one"),
        "{message}"
    );
    Ok(())
}

async fn a_pin_admits_just_the_rules_it_names(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let (pinned, others) = (marking("a"), marking("b"));
    let interception = Plan::new(namespace, &pinned).in_force(client.clone()).await?;
    let pin = async |rules: &str| {
        let reference = json!({ "sha256": RuleSetHash::of(rules).to_string() });
        let spec = json!({ "spec": { "resourceModifierReference": reference } });
        interception
            .api()
            .patch(namespace, &PatchParams::default(), &Patch::Merge(spec))
            .await
    };
    let pinned_first = pin(&pinned).await?.metadata.generation;
    interception
        .until("Ready", |object| {
            let status = object.status.as_ref().context("no status")?;
            ensure!(status.observed_generation == pinned_first, "{status:?}");
            Ok(())
        })
        .await?;

    interception.write_rules(&others).await?;
    let message = interception.until("RulesInvalid", |_| Ok(())).await?;
    for rules in [&pinned, &others] {
        let digest = RuleSetHash::of(rules).to_string();
        ensure!(message.contains(&digest), "{digest} is missing: {message}");
    }
    let stored = create(&client, Some(namespace), &given("by-the-pinned", namespace)).await?;
    ensure!(stored["data"]["first"] == "a", "{stored:#}");

    pin(&others).await?;
    interception.until_in_force(&others).await?;

    // The rules in force are not those of the new pin, so nobody falls back to them.
    pin(&pinned).await?;
    interception
        .until("RulesInvalid", |object| {
            let status = object.status.as_ref().context("no status")?;
            ensure!(status.rules_hash.is_none(), "{status:?}");
            Ok(())
        })
        .await?;
    let message = refusal(create(&client, Some(namespace), &given("unpinned", namespace)).await)?;
    ensure!(message.contains("sha256"), "{message}");
    Ok(())
}

async fn kubectl_shows_everything_that_validation_refuses(context: &Context) -> Result<()> {
    let name = context.namespace.name();
    let interception = |labels: &Value| {
        json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "RestoreInterception",
            "metadata": { "name": name },
            "spec": {
                "match": { "interceptLabels": labels, "veleroRestores": ["{a"] },
                "resourceModifierReference": { "name": name, "namespace": name },
            },
        })
    };
    let config_map = |rules: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "rules",
                "namespace": name,
                "labels": { labels::RESOURCE_MODIFIER: labels::ENABLED },
            },
            "data": { "rules.yaml": rules },
        })
    };
    let refused = apply(&context.cluster, name, &interception(&json!(["shop-[", "fine"]))).await?;
    for part in [
        "spec.match.interceptLabels[0]: `[` is not closed",
        "spec.match.veleroRestores[0]: `{` is not closed",
    ] {
        ensure!(refused.contains(part), "{part:?} is missing: {refused}");
    }
    names_both_problems(&apply(&context.cluster, name, &config_map(BROKEN)).await?)?;

    let applied = apply(&context.cluster, name, &config_map(&marking("a"))).await?;
    ensure!(applied.contains("created (server dry run)"), "{applied}");
    let mut fine = interception(&json!(["shop-*", "fine"]));
    fine["spec"]["match"]["veleroRestores"] = json!(["{a,b}"]);
    let applied = apply(&context.cluster, name, &fine).await?;
    ensure!(applied.contains("created (server dry run)"), "{applied}");
    Ok(())
}

/// What `kubectl apply --dry-run=server` says to `object`, on either stream.
async fn apply(cluster: &Cluster, name: &str, object: &Value) -> Result<String> {
    let file = cluster.folder().join(format!("{name}.json"));
    std::fs::write(&file, object.to_string())?;
    let arguments = [
        "apply".as_ref(),
        "--dry-run=server".as_ref(),
        "-f".as_ref(),
        file.as_os_str(),
    ];
    let output = cluster.kubectl(&arguments).await?;
    Ok(format!("{}{}", output.stderr, output.stdout))
}

async fn objects_created_while_rules_are_edited_get_one_set_or_the_other(context: &Context) -> Result<()> {
    const EDITS: usize = 12;
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let sets = [marking("a"), marking("b")];
    let interception = Plan::new(namespace, &sets[0]).in_force(client.clone()).await?;
    let load = Load::start(&client, namespace, namespace);
    for edit in 1..=EDITS {
        let rules = &sets[edit % 2];
        interception.write_rules(rules).await?;
        if edit % 3 == 0 {
            interception.until_in_force(rules).await?;
        }
        load.until_stored(5).await?;
    }
    let tally = load.stop().await?;
    tally.is_all(&["a", "b"])?;
    ensure!(tally.stored.len() == 2, "both sets were in force: {tally:?}");
    Ok(())
}

async fn replicas_agree_on_the_status_and_then_rest(cluster: Cluster) -> Result<()> {
    const WATCHED: Duration = Duration::from_secs(3);
    let webhook = Webhook::install(&cluster, &[]).await?;
    let _first = webhook.start(ReplicaOptions::default()).await?;
    let interception = Plan::new("shared", &marking("a"))
        .in_force(cluster.admin())
        .await?;
    interception.write_rules(BROKEN).await?;
    interception.until("RulesInvalid", |_| Ok(())).await?;
    let version = async || {
        let object = interception.api().get("shared").await?;
        object.metadata.resource_version.context("no version")
    };
    let before = version().await?;

    // The second one never saw the good rules; it must not disagree about them.
    let second = webhook.start(ReplicaOptions::default()).await?;
    eventually("the second replica has judged the rules", LIMIT, || async {
        let metrics = second.metrics().await?;
        ensure!(
            metrics.contains("clusterbackup_interceptions{state=\"invalid\"} 1"),
            "{metrics}"
        );
        Ok(())
    })
    .await?;
    // Whatever was written in this time, even if it was put back, would have left another version.
    tokio::time::sleep(WATCHED).await;
    let after = version().await?;
    ensure!(
        before == after,
        "the status was written again: {before} is now {after}"
    );
    Ok(())
}
