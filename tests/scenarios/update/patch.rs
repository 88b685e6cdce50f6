//! `conflictPolicy: Patch`, kind by kind: where plain Velero loses all of its patch to one field, the others get in, and
//! what the backup lacks stays.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::Cluster;
use serde_json::{Value, json};

use super::in_force;
use super::sending::{Update, settled};
use super::velero::{Restore, backup};
use crate::door::Quiet;
use crate::runner::{Context as Scene, scenarios};
use crate::steps::{by_velero, create, holds, mark};
use crate::widgets::Widgets;

scenarios! {
    Webhook: [
        a_service_keeps_its_address,
        a_claim_keeps_what_it_asked_for,
        a_deployment_keeps_its_selector,
        a_job_keeps_its_template,
        an_immutable_config_map_keeps_its_data,
        a_config_map_keeps_what_the_backup_lacks,
        a_custom_resource_keeps_what_its_definition_pins,
    ],
    Own: [every_field_is_counted_by_what_became_of_it],
}

/// An object at the time of its backup, and as somebody has made it since.
struct Clash {
    backup: Value,
    live: Value,
    /// What holds on it once it is restored.
    wanted: Vec<(&'static str, Value)>,
    /// What the client is told that the cluster keeps.
    kept: Vec<&'static str>,
    /// Whether plain Velero loses its patch.
    is_lost: bool,
}

/// Restores the object over what has become of it: by a restore that nobody intercepts, then by one under Patch.
async fn patched(scene: &Scene, clash: Clash) -> Result<()> {
    let Clash {
        backup: object,
        live,
        wanted,
        kept,
        is_lost,
    } = clash;
    let (client, namespace) = (scene.cluster.admin(), scene.namespace.name());
    let _in_force = in_force(
        &client,
        namespace,
        namespace,
        json!({ "conflictPolicy": "Patch" }),
    )
    .await?;
    let backup = backup(&scene.cluster, &decorated(object, "backup")).await?;
    create(&client, Some(namespace), &decorated(live, "live")).await?;

    let restore = |name| Restore {
        client: &client,
        namespace: Some(namespace),
        name,
    };
    let plain = format!("plain-{namespace}");
    if is_lost {
        let plain = restore(&plain).over_existing(&backup).await?;
        ensure!(plain.patch.status == 422, "not refused: {:#?}", plain.patch);
        plain.labels_alone()?;
    }

    let restored = restore(namespace).over_existing(&backup).await?;
    let after = &restored.accepted()?.after;
    holds(after, &wanted)?;
    holds(
        after,
        &[
            ("/metadata/labels/velero.io~1restore-name", json!(namespace)),
            ("/metadata/labels/of-the-live", json!("stays")),
            ("/metadata/labels/of-the-backup", json!("stays")),
            ("/metadata/annotations/both", json!("backup")),
            ("/metadata/annotations/restored", json!("by a rule")),
        ],
    )?;
    mark(after)?;
    if !kept.is_empty() {
        let name = after["metadata"]["name"].as_str().context("no name")?;
        let subject = format!("{namespace}/{name}: ");
        restored
            .patch
            .warns_of(&[&[subject.as_str()], kept.as_slice()].concat())?;
    }
    Ok(())
}

/// With a label and an annotation by which both sides are told apart.
fn decorated(mut object: Value, side: &str) -> Value {
    object["metadata"]["labels"][format!("of-the-{side}")] = json!("stays");
    object["metadata"]["annotations"]["both"] = json!(side);
    object
}

async fn a_service_keeps_its_address(scene: &Scene) -> Result<()> {
    let service = |spec: Value| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": spec });
    let clash = Clash {
        // Headless at that time: Velero leaves that as it is.
        backup: service(json!({
            "clusterIP": "None",
            "selector": { "app": "web" },
            "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }],
        })),
        live: service(json!({
            "selector": { "app": "other", "tier": "front" },
            "ports": [{ "name": "http", "port": 80, "targetPort": 9090 }, { "name": "https", "port": 443 }],
        })),
        wanted: vec![
            // A selector is one thing: half of each would select nothing.
            ("/spec/selector", json!({ "app": "web" })),
            ("/spec/ports/0/targetPort", json!(8080)),
            ("/spec/ports/1/port", json!(443)),
        ],
        kept: vec!["/spec/clusterIP (Allocated)"],
        is_lost: true,
    };
    patched(scene, clash).await
}

async fn a_claim_keeps_what_it_asked_for(scene: &Scene) -> Result<()> {
    let claim = |class: &str, size: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": { "name": "data" },
            "spec": {
                "storageClassName": class,
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": size } },
            },
        })
    };
    let clash = Clash {
        backup: claim("premium", "2Gi"),
        live: claim("standard", "1Gi"),
        wanted: vec![
            ("/spec/storageClassName", json!("standard")),
            ("/spec/resources/requests/storage", json!("1Gi")),
        ],
        kept: vec!["/spec/storageClassName (Immutable)"],
        is_lost: true,
    };
    patched(scene, clash).await
}

fn pods(app: &str, image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": app } },
        "spec": { "restartPolicy": "Never", "containers": [{ "name": "web", "image": image }] },
    })
}

async fn a_deployment_keeps_its_selector(scene: &Scene) -> Result<()> {
    let deployment = |app: &str, image: &str, replicas: u32| {
        let mut template = pods(app, image);
        template["spec"]["restartPolicy"] = json!("Always");
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "web" },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": app } },
                "template": template,
            },
        })
    };
    let clash = Clash {
        backup: deployment("shop", "web:1", 3),
        live: deployment("web", "web:2", 5),
        wanted: vec![
            ("/spec/selector/matchLabels", json!({ "app": "web" })),
            ("/spec/template/metadata/labels/app", json!("web")),
            ("/spec/template/spec/containers/0/image", json!("web:1")),
            ("/spec/replicas", json!(3)),
        ],
        kept: vec!["/spec/selector"],
        is_lost: true,
    };
    patched(scene, clash).await
}

async fn a_job_keeps_its_template(scene: &Scene) -> Result<()> {
    let job = |image: &str, limit: u32| {
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": "report" },
            "spec": { "suspend": true, "backoffLimit": limit, "template": pods("report", image) },
        })
    };
    let clash = Clash {
        backup: job("report:1", 3),
        live: job("report:2", 5),
        wanted: vec![
            ("/spec/backoffLimit", json!(3)),
            ("/spec/template/spec/containers/0/image", json!("report:2")),
        ],
        kept: vec!["/spec/template", "(Immutable)"],
        is_lost: true,
    };
    patched(scene, clash).await
}

fn config_map(data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" }, "data": data })
}

async fn an_immutable_config_map_keeps_its_data(scene: &Scene) -> Result<()> {
    let mut live = config_map(&json!({ "key": "live" }));
    live["immutable"] = json!(true);
    let clash = Clash {
        backup: config_map(&json!({ "key": "backup" })),
        live,
        wanted: vec![("/data", json!({ "key": "live" })), ("/immutable", json!(true))],
        kept: vec!["/data", "(Immutable)"],
        is_lost: true,
    };
    patched(scene, clash).await
}

async fn a_config_map_keeps_what_the_backup_lacks(scene: &Scene) -> Result<()> {
    let clash = Clash {
        backup: config_map(&json!({ "key": "backup", "of-the-backup": "1" })),
        live: config_map(&json!({ "key": "live", "of-the-live": "1" })),
        wanted: vec![(
            "/data",
            json!({ "key": "backup", "of-the-backup": "1", "of-the-live": "1" }),
        )],
        kept: vec![],
        is_lost: false,
    };
    patched(scene, clash).await
}

async fn a_custom_resource_keeps_what_its_definition_pins(scene: &Scene) -> Result<()> {
    let engine = json!({ "type": "string", "x-kubernetes-validations": [{ "rule": "self == oldSelf" }] });
    let properties = json!({ "engine": engine, "size": { "type": "integer" } });
    let widgets = Widgets::served(scene.cluster.admin(), scene.namespace.name(), &properties).await?;
    let clash = Clash {
        backup: widgets.widget("orders", &json!({ "engine": "one", "size": 1 })),
        live: widgets.widget("orders", &json!({ "engine": "two", "size": 2 })),
        wanted: vec![("/spec", json!({ "engine": "two", "size": 1 }))],
        kept: vec!["/spec/engine (Immutable)"],
        is_lost: true,
    };
    patched(scene, clash).await?;
    widgets.remove().await
}

async fn every_field_is_counted_by_what_became_of_it(cluster: Cluster) -> Result<()> {
    let quiet = Quiet::start(cluster).await?;
    let namespace = Some(quiet.namespace.name());
    let patch = json!({ "conflictPolicy": "Patch" });
    let _in_force = in_force(&quiet.client, "patch", "nightly", patch).await?;
    let mut live = config_map(&json!({ "one": "live", "two": "live" }));
    live["immutable"] = json!(true);
    let live = create(&quiet.client, namespace, &live).await?;
    let patch = json!({
        "metadata": { "annotations": { "from": "the backup" } },
        "data": { "one": "backup", "two": null },
    });
    settled(&quiet.client, namespace, &live).await?;
    Update::of(&quiet.client, namespace, &live)
        .send(&by_velero(patch, "nightly"))
        .await?
        .stored()?;
    let counts = quiet.counts().await?;
    for (outcome, reason, count) in [
        // The rule's annotation is one as well.
        ("changed", "", 2),
        ("kept", "immutable", 1),
        ("kept", "left_out", 1),
    ] {
        let series = format!("clusterbackup_clash_fields_total{{outcome=\"{outcome}\",reason=\"{reason}\"}}");
        ensure!(
            counts.get(&series) == count,
            "{series} is not {count}: {counts:?}"
        );
    }
    Ok(())
}
