//! Rules on an update under `conflictPolicy: Patch`: they act on the merged object, and what can't change has the last
//! word.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::sending::{Answer, Update};

use crate::runner::{Context, scenarios};
use crate::steps::{Intercepted, Plan, by_velero, create, holds, mark};

scenarios! {
    Webhook: [
        rules_see_the_merged_object_and_their_deletions_are_kept,
        a_change_that_the_cluster_refuses_denies_the_object_or_is_warned_of,
        a_rename_of_what_exists_is_refused,
        an_update_of_labels_alone_is_left_to_itself,
        an_update_of_labels_alone_passes_also_while_there_are_no_rules,
    ],
}

async fn in_force(context: &Context, on_error: &str, rules: &str) -> Result<Intercepted> {
    let name = format!("{}-{}", context.namespace.name(), on_error.to_lowercase());
    let mut plan = Plan::new(&name, rules);
    plan.spec = json!({
        "conflictPolicy": "Patch",
        "onModifierError": on_error,
        "match": { "veleroRestores": [name] },
    });
    plan.in_force(context.cluster.admin()).await
}

/// Updates `live`, that is created for it, by a restore that `interception` answers to.
async fn update(context: &Context, live: &Value, interception: &Intercepted, patch: Value) -> Result<Answer> {
    let (client, namespace) = (context.cluster.admin(), Some(context.namespace.name()));
    create(&client, namespace, live).await?;
    Update::of(&client, namespace, live)
        .send(&by_velero(patch, &interception.name))
        .await
}

fn config_map(name: &str, data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}

const MERGED: &str = "
version: v1
resourceModifierRules:
- conditions:
    groupResource: configmaps
    matches: [{path: /data/live, value: stays}, {path: /data/restored, value: 'yes'}]
  mergePatches:
  - patchData: '{\"data\": {\"unwanted\": null, \"both\": \"seen\"}}'
";

async fn rules_see_the_merged_object_and_their_deletions_are_kept(context: &Context) -> Result<()> {
    let interception = in_force(context, "Deny", MERGED).await?;
    let live = config_map("settings", &json!({ "live": "stays", "unwanted": "live" }));
    // As Velero says that a backup lacks something.
    let patch = json!({ "data": { "restored": "yes", "live": null, "unwanted": null } });
    let stored = update(context, &live, &interception, patch).await?.stored()?;
    let data = json!({ "live": "stays", "restored": "yes", "both": "seen" });
    holds(&stored, &[("/data", data)])?;
    let held = mark(&stored)?;
    ensure!(held == [(interception.name.clone(), vec![0])], "{held:?}");
    Ok(())
}

/// The first rule changes what can be changed.
const REFUSED: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims}
  mergePatches:
  - patchData: '{\"metadata\": {\"annotations\": {\"restored\": \"by a rule\"}}}'
- conditions: {groupResource: persistentvolumeclaims}
  patches:
  - {operation: replace, path: /spec/storageClassName, value: premium}
";

fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": name },
        "spec": {
            "storageClassName": "standard",
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    })
}

async fn a_change_that_the_cluster_refuses_denies_the_object_or_is_warned_of(
    context: &Context,
) -> Result<()> {
    let patch = || json!({ "metadata": { "annotations": { "from": "the backup" } } });
    let named = ["resourceModifierRules[1]", "/spec/storageClassName"];

    let interception = in_force(context, "Deny", REFUSED).await?;
    let answer = update(context, &claim("denied"), &interception, patch()).await?;
    ensure!(answer.status == 422, "{answer:#?}");
    let message = answer.body["message"].as_str().unwrap_or_default();
    for part in [named[0], named[1], &interception.name] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }

    let interception = in_force(context, "Warn", REFUSED).await?;
    let answer = update(context, &claim("warned"), &interception, patch()).await?;
    answer.warns_of(&named)?;
    let stored = answer.stored()?;
    holds(
        &stored,
        &[
            ("/spec/storageClassName", json!("standard")),
            ("/metadata/annotations/from", json!("the backup")),
            ("/metadata/annotations/restored", json!("by a rule")),
        ],
    )?;
    let held = mark(&stored)?;
    ensure!(held == [(interception.name.clone(), vec![0])], "{held:?}");
    Ok(())
}

const RENAME: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  patches:
  - {operation: replace, path: /metadata/name, value: renamed}
";

async fn a_rename_of_what_exists_is_refused(context: &Context) -> Result<()> {
    let interception = in_force(context, "Deny", RENAME).await?;
    let live = config_map("settings", &json!({ "live": "stays" }));
    let patch = json!({ "data": { "restored": "yes" } });
    let answer = update(context, &live, &interception, patch).await?;
    let message = answer.body["message"].as_str().unwrap_or_default();
    for part in ["resourceModifierRules[0]", "the name can't be changed", "exists"] {
        ensure!(
            answer.status == 422 && message.contains(part),
            "no {part:?} in: {answer:#?}"
        );
    }
    Ok(())
}

/// Velero sends such after equal objects, and after patches that failed; rules would run on the live object.
async fn an_update_of_labels_alone_is_left_to_itself(context: &Context) -> Result<()> {
    let interception = in_force(context, "Deny", MERGED).await?;
    let live = config_map("settings", &json!({ "live": "stays", "restored": "yes" }));
    let labels = json!({ "metadata": { "labels": { "velero.io/backup-name": "backup" } } });
    let stored = update(context, &live, &interception, labels).await?.stored()?;
    ensure!(
        mark(&stored).is_err() && stored["data"] == live["data"],
        "{stored:#}"
    );
    Ok(())
}

async fn an_update_of_labels_alone_passes_also_while_there_are_no_rules(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let mut plan = Plan::new(namespace, MERGED);
    plan.spec = json!({ "conflictPolicy": "Patch", "match": { "veleroRestores": [namespace] } });
    let _without_rules = plan.create_without_rules(client.clone()).await?;
    let live = config_map("settings", &json!({ "live": "stays" }));
    create(&client, Some(namespace), &live).await?;
    let live = Update::of(&client, Some(namespace), &live);

    let more = by_velero(json!({ "data": { "restored": "yes" } }), namespace);
    let refused = live.send(&more).await?;
    ensure!(refused.status == 403, "not refused: {refused:#?}");
    let stored = live.send(&by_velero(json!({}), namespace)).await?.stored()?;
    ensure!(mark(&stored).is_err(), "{stored:#}");
    Ok(())
}
