//! `conflictPolicy: Skip`: what exists stays as it is, but for the labels of the restore.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::Cluster;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::in_force;
use super::sending::{Answer, Update, settled};
use super::velero::{Restore, Restored, backup};
use crate::door::Quiet;
use crate::runner::{Context as Scene, scenarios};
use crate::steps::{api_of, by_velero, create, holds, mark};

scenarios! {
    Webhook: [
        a_skipped_update_is_refused_as_already_existing_and_its_labels_get_in,
        a_skipped_update_is_shown_by_clients_as_already_existing,
        what_is_skipped_silently_is_accepted_and_changes_labels_alone,
        one_skip_beats_every_patch_and_one_deny_every_silence,
        what_does_not_exist_is_created_under_skip,
    ],
    Own: [a_skipped_update_is_asked_about_once],
}

/// Nobody but the scenario writes it.
fn ingress(service: &str, port: u32) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "web", "annotations": { "leads-to": service } },
        "spec": { "defaultBackend": { "service": { "name": service, "port": { "number": port } } } },
    })
}

fn port(number: u32) -> Value {
    json!({ "spec": { "defaultBackend": { "service": { "port": { "number": number } } } } })
}

/// Restores an Ingress that leads elsewhere since, with such an interception; the object has the restore's label.
async fn restored(scene: &Scene, spec: Value) -> Result<Restored> {
    let (client, namespace) = (scene.cluster.admin(), scene.namespace.name());
    let _in_force = in_force(&client, namespace, namespace, spec).await?;
    let backup = backup(&scene.cluster, &ingress("one", 1)).await?;
    create(&client, Some(namespace), &ingress("two", 2)).await?;
    let restore = Restore {
        client: &client,
        namespace: Some(namespace),
        name: namespace,
    };
    let restored = restore.over_existing(&backup).await?;
    let label = ("/metadata/labels/velero.io~1restore-name", json!(namespace));
    holds(&restored.after, &[label])?;
    ensure!(mark(&restored.after).is_err(), "{:#}", restored.after);
    Ok(restored)
}

async fn a_skipped_update_is_refused_as_already_existing_and_its_labels_get_in(scene: &Scene) -> Result<()> {
    let namespace = scene.namespace.name();
    let restored = restored(scene, json!({})).await?;
    restored.labels_alone()?;
    let message = restored.patch.refusal(409, "AlreadyExists")?;
    for part in [
        &format!("interception {namespace}"),
        &format!("ingresses.networking.k8s.io {namespace}/web"),
        "conflictPolicy",
    ] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }
    Ok(())
}

async fn a_skipped_update_is_shown_by_clients_as_already_existing(scene: &Scene) -> Result<()> {
    let (client, namespace) = (scene.cluster.admin(), scene.namespace.name());
    let _in_force = in_force(&client, namespace, namespace, json!({})).await?;
    let object = create(&client, Some(namespace), &ingress("two", 2)).await?;
    let patch = by_velero(port(3), namespace);
    let patch_text = patch.to_string();
    let arguments = [
        "-n",
        namespace,
        "patch",
        "ingress",
        "web",
        "--type=merge",
        "-p",
        &patch_text,
    ];
    let output = scene.cluster.kubectl(&arguments).await?;
    ensure!(
        output.code == Some(1)
            && output.stderr.starts_with("Error from server (AlreadyExists): ")
            && output.stderr.contains(&format!("interception {namespace}")),
        "{output:?}"
    );

    // Clients try again after a conflict, and for long.
    let began = Instant::now();
    let answer = api_of(&client, &object, Some(namespace))?
        .patch("web", &PatchParams::default(), &Patch::Merge(patch))
        .await;
    let Err(kube::Error::Api(status)) = answer else {
        anyhow::bail!("not refused: {answer:?}");
    };
    ensure!(
        status.is_already_exists() && !status.is_conflict() && began.elapsed() < Duration::from_secs(5),
        "{status:?} after {:?}",
        began.elapsed()
    );
    Ok(())
}

async fn what_is_skipped_silently_is_accepted_and_changes_labels_alone(scene: &Scene) -> Result<()> {
    let restored = restored(scene, json!({ "skipAs": "Silent" })).await?;
    restored.accepted()?.is_unchanged_but_for_labels().map(drop)
}

async fn one_skip_beats_every_patch_and_one_deny_every_silence(scene: &Scene) -> Result<()> {
    let (client, namespace) = (scene.cluster.admin(), scene.namespace.name());
    let object = create(&client, Some(namespace), &ingress("two", 2)).await?;
    let update = Update::of(&client, Some(namespace), &object);
    let mut patches = (3..).map(|number| by_velero(port(number), namespace));
    let mut patch = || patches.next().unwrap_or_default();

    let name = format!("{namespace}-patch");
    let _patch = in_force(&client, &name, namespace, json!({ "conflictPolicy": "Patch" })).await?;
    let name = format!("{namespace}-silent");
    let _silent = in_force(&client, &name, namespace, json!({ "skipAs": "Silent" })).await?;
    let skipped = update.send(&patch()).await?.stored()?;
    holds(
        &skipped,
        &[("/spec/defaultBackend/service/port/number", json!(2))],
    )
    .context("a silent Skip beside a Patch")?;
    let unlabelled = json!({ "metadata": { "labels": null } });
    update.send(&unlabelled).await?.stored()?;

    let name = format!("{namespace}-deny");
    let _deny = in_force(&client, &name, namespace, json!({})).await?;
    let answer = update.send(&patch()).await?;
    let message = answer.refusal(409, "AlreadyExists")?;
    ensure!(message.contains(&format!("interception {name} ")), "{message}");
    Ok(())
}

async fn what_does_not_exist_is_created_under_skip(scene: &Scene) -> Result<()> {
    let (client, namespace) = (scene.cluster.admin(), scene.namespace.name());
    let _in_force = in_force(&client, namespace, namespace, json!({})).await?;
    let object = by_velero(ingress("one", 1), namespace);
    let stored = create(&client, Some(namespace), &object).await?;
    holds(&stored, &[("/metadata/annotations/restored", json!("by a rule"))])
}

/// The API server itself tries a patch again that is refused as a conflict.
async fn a_skipped_update_is_asked_about_once(cluster: Cluster) -> Result<()> {
    let quiet = Quiet::start(cluster).await?;
    let namespace = Some(quiet.namespace.name());
    let _in_force = in_force(&quiet.client, "skip", "nightly", json!({})).await?;
    let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } });
    let object = create(&quiet.client, namespace, &settings).await?;
    let update = Update::of(&quiet.client, namespace, &object);
    let patch = by_velero(json!({ "data": { "key": "value" } }), "nightly");
    settled(&quiet.client, namespace, &object).await?;
    let answer: Answer = quiet.costs(1, "a skipped patch", update.send(&patch)).await?;
    answer.refusal(409, "AlreadyExists")?;
    let counts = quiet.counts().await?;
    for series in [
        "clusterbackup_reviews_total{door=\"velero\",outcome=\"skipped\"}",
        "clusterbackup_clash_fields_total{outcome=\"kept\",reason=\"skipped\"}",
    ] {
        ensure!(counts.get(series) == 1, "{series}: {counts:?}");
    }
    Ok(())
}
