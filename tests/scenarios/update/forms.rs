//! Whatever form an update has, and whatever happens beside it.

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::sending::{Form, Update};

use crate::runner::{Context, scenarios};
use crate::steps::{Intercepted, Plan, api_of, by_velero, create, holds, mark};

scenarios! {
    Webhook: [
        every_form_of_update_is_merged_onto_what_is_there,
        a_dry_run_shows_what_an_update_stores,
        an_update_of_an_older_version_is_a_conflict_that_changes_nothing,
        changes_at_the_same_time_are_all_kept,
        objects_of_a_mebibyte_are_updated,
    ],
}

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  mergePatches:
  - patchData: '{\"data\": {\"rule\": \"acted\"}}'
";

async fn in_force(context: &Context) -> Result<Intercepted> {
    let name = context.namespace.name();
    let mut plan = Plan::new(name, RULES);
    plan.spec = json!({ "conflictPolicy": "Patch", "match": { "veleroRestores": [format!("{name}*")] } });
    plan.in_force(context.cluster.admin()).await
}

fn config_map(name: &str, data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}

async fn every_form_of_update_is_merged_onto_what_is_there(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let _in_force = in_force(context).await?;
    let data = json!({ "live": "stays", "both": "live" });
    let restored = json!({ "restored": "yes", "both": "restored" });
    let whole = |name: &str| by_velero(config_map(name, &restored), namespace);
    let label = json!({ "velero.io/restore-name": namespace });
    let operations = json!([
        { "op": "add", "path": "/metadata/labels", "value": label },
        { "op": "replace", "path": "/data", "value": restored },
    ]);
    for (name, form, query, body) in [
        ("put", Form::Replacement, "", whole("put")),
        (
            "merge",
            Form::MergePatch,
            "",
            by_velero(
                json!({ "data": { "restored": "yes", "both": "restored", "live": null } }),
                namespace,
            ),
        ),
        ("json", Form::JsonPatch, "", operations),
        ("apply", Form::Apply, "force=true", whole("apply")),
    ] {
        let object = create(&client, Some(namespace), &config_map(name, &data)).await?;
        let update = Update {
            form,
            query,
            ..Update::of(&client, Some(namespace), &object)
        };
        let stored = update.send(&body).await?.stored().context(name)?;
        let data = json!({ "live": "stays", "both": "restored", "restored": "yes", "rule": "acted" });
        holds(&stored, &[("/data", data)]).context(name)?;
        ensure!(
            mark(&stored).is_ok() && stored["metadata"]["uid"] == object["metadata"]["uid"],
            "{name}: {stored:#}"
        );
    }
    Ok(())
}

async fn a_dry_run_shows_what_an_update_stores(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let _in_force = in_force(context).await?;
    let object = create(
        &client,
        Some(namespace),
        &config_map("rehearsed", &json!({ "live": "stays" })),
    )
    .await?;
    let update = Update::of(&client, Some(namespace), &object);
    let patch = by_velero(json!({ "data": { "restored": "yes" } }), namespace);
    let rehearsal = Update {
        query: "dryRun=All",
        ..Update::of(&client, Some(namespace), &object)
    };
    let mut rehearsed = rehearsal.send(&patch).await?.stored()?;
    let api = api_of(&client, &object, Some(namespace))?;
    let untouched = serde_json::to_value(api.get("rehearsed").await?)?;
    ensure!(untouched == object, "a dry run stores {untouched:#}");
    let mut stored = update.send(&patch).await?.stored()?;
    for object in [&mut rehearsed, &mut stored] {
        // What is of the one request alone.
        for field in ["resourceVersion", "managedFields"] {
            object["metadata"][field].take();
        }
    }
    ensure!(rehearsed == stored, "{rehearsed:#} and {stored:#}");
    holds(&stored, &[("/data/rule", json!("acted"))])
}

async fn an_update_of_an_older_version_is_a_conflict_that_changes_nothing(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let _in_force = in_force(context).await?;
    let old = create(
        &client,
        Some(namespace),
        &config_map("settings", &json!({ "live": "1" })),
    )
    .await?;
    let merge = Update::of(&client, Some(namespace), &old);
    let live = merge.send(&json!({ "data": { "live": "2" } })).await?.stored()?;
    let mut wanted = by_velero(old.clone(), namespace);
    wanted["data"]["restored"] = json!("yes");
    let update = Update {
        form: Form::Replacement,
        ..Update::of(&client, Some(namespace), &old)
    };
    update.send(&wanted).await?.refusal(409, "Conflict")?;
    let unchanged = merge.send(&json!({})).await?.stored()?;
    ensure!(unchanged == live, "{unchanged:#}");
    Ok(())
}

/// The API server tries a patch again that met another change, and asks again.
async fn changes_at_the_same_time_are_all_kept(context: &Context) -> Result<()> {
    const RESTORES: usize = 8;
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let _in_force = in_force(context).await?;
    let object = create(&client, Some(namespace), &config_map("contested", &json!({}))).await?;
    let api = api_of(&client, &object, Some(namespace))?;
    let restores = (0..RESTORES).map(|number| {
        let (client, object): (&Client, &Value) = (&client, &object);
        async move {
            let patch = by_velero(
                json!({ "data": { format!("restore-{number}"): "yes" } }),
                &format!("{namespace}-{number}"),
            );
            Update::of(client, Some(namespace), object).send(&patch).await
        }
    });
    let bystanders = (0..RESTORES).map(|number| {
        let patch = Patch::Merge(json!({ "data": { format!("live-{number}"): "yes" } }));
        let api = &api;
        async move { api.patch("contested", &PatchParams::default(), &patch).await }
    });
    let (answers, changes) = futures::join!(
        futures::future::join_all(restores),
        futures::future::join_all(bystanders)
    );
    let stored = serde_json::to_value(api.get("contested").await?)?;
    // Whoever gives up after several conflicts is told so; nobody's change is lost who isn't.
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = answer?;
        match answer.status {
            200 => holds(&stored, &[(&format!("/data/restore-{number}"), json!("yes"))])?,
            _ => answer.refusal(409, "Conflict").map(drop)?,
        }
    }
    for (number, answer) in changes.into_iter().enumerate() {
        match answer {
            Ok(_) => holds(&stored, &[(&format!("/data/live-{number}"), json!("yes"))])?,
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    holds(&stored, &[("/data/rule", json!("acted"))])
}

/// It comes twice in the review, and line feeds take twice their room in JSON.
async fn objects_of_a_mebibyte_are_updated(context: &Context) -> Result<()> {
    const SIZE: usize = 1 << 20;
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let _in_force = in_force(context).await?;
    let data = |first: char| json!({ "k": first.to_string() + &"\n".repeat(SIZE - 64) });
    let object = create(&client, Some(namespace), &config_map("large", &data('a'))).await?;
    let patch = by_velero(json!({ "data": data('b') }), namespace);
    let stored = Update::of(&client, Some(namespace), &object)
        .send(&patch)
        .await?
        .stored()?;
    ensure!(stored["data"]["k"] == data('b')["k"], "the data differ");
    holds(&stored, &[("/data/rule", json!("acted"))])
}
