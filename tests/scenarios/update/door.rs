//! Which updates make a call: those alone after which an object belongs to another restore of Velero's than before.

use anyhow::{Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::Cluster;
use serde_json::{Value, json};

use super::sending::{Answer, Update, settled};
use crate::door::Quiet;
use crate::runner::scenarios;
use crate::steps::{Plan, by_velero, create, holds, mark};

scenarios! {
    Own: [
        only_the_update_by_another_restore_makes_a_call,
        what_controllers_update_makes_no_call,
    ],
}

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  mergePatches:
  - patchData: '{\"data\": {\"by\": \"a rule\"}}'
";

/// A quiet cluster in which a ConfigMap is there that no restore has touched.
async fn stage(cluster: Cluster) -> Result<(Quiet, Value)> {
    let quiet = Quiet::start(cluster).await?;
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "settings" },
    });
    create(&quiet.client, Some(quiet.namespace.name()), &object).await?;
    Ok((quiet, object))
}

fn labelled(labels: &Value) -> Value {
    json!({ "metadata": { "labels": labels } })
}

/// Checks how many calls a merge patch of the object takes; what is stored.
async fn costs(quiet: &Quiet, calls: u64, what: &str, object: &Value, patch: &Value) -> Result<Value> {
    let update = Update::of(&quiet.client, Some(quiet.namespace.name()), object);
    costs_as(quiet, calls, what, &update, patch).await
}

async fn costs_as(
    quiet: &Quiet,
    calls: u64,
    what: &str,
    update: &Update<'_>,
    patch: &Value,
) -> Result<Value> {
    settled(update.client, update.namespace, update.object).await?;
    let send = async { update.send(patch).await.and_then(Answer::stored) };
    quiet.costs(calls, what, send).await
}

async fn only_the_update_by_another_restore_makes_a_call(cluster: Cluster) -> Result<()> {
    let (quiet, object) = stage(cluster).await?;
    let mut plan = Plan::new("nightly", RULES);
    plan.spec = json!({ "conflictPolicy": "Patch", "match": { "veleroRestores": ["nightly-*"] } });
    let _in_force = plan.in_force(quiet.client.clone()).await?;
    let restore = |name: &str| labelled(&json!({ labels::VELERO_RESTORE: name }));
    let with_data = |name: &str, value: &str| {
        let mut patch = restore(name);
        patch["data"] = json!({ "key": value });
        patch
    };
    for (what, calls, patch) in [
        (
            "an update without the label",
            0,
            json!({ "data": { "key": "0" } }),
        ),
        ("an update by a restore", 1, with_data("nightly-1", "1")),
        (
            "an update that says the same restore again",
            0,
            with_data("nightly-1", "2"),
        ),
        (
            "an update that is silent about it",
            0,
            json!({ "data": { "key": "3" } }),
        ),
        (
            "an update of another label",
            0,
            labelled(&json!({ "velero.io/backup-name": "b" })),
        ),
        ("an update by the next restore", 1, with_data("nightly-2", "4")),
        ("an update by nobody's restore", 1, with_data("weekly-1", "5")),
        ("an update of labels alone", 1, restore("nightly-3")),
        ("an update that drops the label", 0, restore_dropped()),
        ("an update that drops all labels", 0, labelled(&Value::Null)),
        (
            "an update that opts in by name",
            0,
            labelled(&json!({ labels::INTERCEPT: "unheard-of" })),
        ),
        (
            "an update by a restore of what is opted in by name",
            1,
            with_data("nightly-4", "6"),
        ),
    ] {
        costs(&quiet, calls, what, &object, &patch).await?;
    }
    let stored = costs(&quiet, 0, "nothing new", &object, &json!({})).await?;
    holds(&stored, &[("/data", json!({ "key": "6", "by": "a rule" }))])?;
    excluded_namespaces(&quiet, &object, &with_data("nightly-5", "7")).await
}

fn restore_dropped() -> Value {
    labelled(&json!({ labels::VELERO_RESTORE: null }))
}

async fn excluded_namespaces(quiet: &Quiet, object: &Value, patch: &Value) -> Result<()> {
    for closed in clusterbackup_api::namespaces::EXCLUDED {
        create(&quiet.client, Some(closed), object).await?;
        let update = Update::of(&quiet.client, Some(closed), object);
        let what = format!("an update in {closed}");
        let stored = costs_as(quiet, 0, &what, &update, patch).await?;
        ensure!(mark(&stored).is_err(), "{closed}: {stored:#}");
    }
    Ok(())
}

async fn what_controllers_update_makes_no_call(cluster: Cluster) -> Result<()> {
    let (quiet, object) = stage(cluster).await?;
    let mut restores = (1..).map(|number| by_velero(json!({}), &format!("nightly-{number}")));
    let mut patch = || restores.next().unwrap_or_default();

    let owned_object = owned(&quiet, &object, "owned", true).await?;
    let companion = owned(&quiet, &object, "companion", false).await?;
    for (what, calls, object) in [
        ("an update of what a controller owns", 0, &owned_object),
        ("an update of what goes with another object", 1, &companion),
    ] {
        costs(&quiet, calls, what, object, &patch()).await?;
    }

    for (author, calls) in [
        ("system:kube-controller-manager", 0),
        ("system:kube-scheduler", 0),
        ("system:apiserver", 0),
        ("system:node:worker", 0),
        ("system:serviceaccount:kube-system:replicaset-controller", 0),
        ("system:serviceaccount:velero:velero", 1),
    ] {
        let update = Update {
            author: Some(author),
            ..Update::of(&quiet.client, Some(quiet.namespace.name()), &object)
        };
        costs_as(&quiet, calls, author, &update, &patch()).await?;
    }
    Ok(())
}

/// A ConfigMap of that name that goes with `owner`.
async fn owned(quiet: &Quiet, owner: &Value, name: &str, is_controller: bool) -> Result<Value> {
    let update = Update::of(&quiet.client, Some(quiet.namespace.name()), owner);
    let owner = update.send(&json!({})).await?.stored()?;
    let mut object = owner.clone();
    object["metadata"] = json!({
        "name": name,
        "ownerReferences": [{
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": is_controller,
        }],
    });
    create(&quiet.client, Some(quiet.namespace.name()), &object).await?;
    Ok(object)
}
