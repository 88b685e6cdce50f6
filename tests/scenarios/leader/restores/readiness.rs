//! Whether what was restored becomes ready, as a restore says it. No kubelet runs here, so that readiness is what a scenario
//! writes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::restore::{Outcome, RestorePhase, RestoreReadiness, RestoreStatus};
use clusterbackup_tests::steps::create;
use clusterbackup_tests::{Cluster, TestNamespace, eventually};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::leader::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [a_restore_says_whether_what_it_created_runs],
}

async fn a_restore_says_whether_what_it_created_runs(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    for object in [
        pod("solo"),
        deployment("web", 1),
        deployment("idle", 0),
        pending_claim(),
    ] {
        admitted(&ground, &ground.shop, &object).await?;
    }
    let point = ground.point("nightly").await?;

    // What becomes ready ends the wait at once.
    let (shop, calm) = (ground.shop.name(), format!("{}-calm", ground.shop.name()));
    let spec = json!({
        "namespaceMappings": { shop: calm },
        "objects": [{ "groupResource": "pods", "namespace": shop, "name": "solo" }],
        "readinessTimeout": "2m",
    });
    let began = Instant::now();
    ground.restore("calm", &point, spec).await?;
    let waits = |status: &RestoreStatus| status.readiness == Some(RestoreReadiness { awaited: 1, ready: 0 });
    ground.restore_sees("calm", "waits for the pod", waits).await?;
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    let patch = Patch::Merge(json!({ "status": { "phase": "Running", "conditions": ready } }));
    let pods = Api::<Pod>::namespaced(ground.cluster.admin(), &calm);
    pods.patch_status("solo", &PatchParams::default(), &patch).await?;
    let status = ground.restored("calm", RestorePhase::Completed).await?;
    ensure!(said(&status)? == "1 of 1 objects are ready", "{status:#?}");
    ensure!(began.elapsed() < LIMIT, "it took {:?}", began.elapsed());

    // What doesn't is told, with the reason of those that know it.
    let spec = json!({
        "namespaceMappings": { shop: format!("{shop}-hasty") },
        "readinessTimeout": "3s",
    });
    ground.restore("hasty", &point, spec).await?;
    let status = ground
        .restored("hasty", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(said(&status)? == "1 of 4 objects are ready", "{status:#?}");
    for (name, reason) in [
        ("solo", "it is not ready: no node runs it yet"),
        ("web", "it is not ready: 0 of 1 pods are available; pod web-"),
        (
            "data",
            "it is not ready: it has no volume; ProvisioningFailed: storageclass.storage.k8s.io \"none\" not found",
        ),
    ] {
        let mut problems = status.problems.iter();
        let told = problems.any(|problem| {
            problem.name == name && problem.action == Outcome::Created && problem.message.starts_with(reason)
        });
        ensure!(told, "{name}: {status:#?}");
    }

    // Somebody who doesn't want to wait any longer stops it.
    let spec = json!({ "namespaceMappings": { shop: format!("{shop}-stopped") }, "readinessTimeout": "2m" });
    ground.restore("stopped", &point, spec).await?;
    ground
        .restore_sees("stopped", "waits", |status| status.readiness.is_some())
        .await?;
    let cancel = Patch::Merge(json!({ "spec": { "cancel": true } }));
    let asked = Instant::now();
    ground
        .restores()
        .patch("stopped", &PatchParams::default(), &cancel)
        .await?;
    ground.restored("stopped", RestorePhase::Cancelled).await?;
    ensure!(
        asked.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        asked.elapsed()
    );
    Ok(())
}

/// What the condition Ready says.
fn said(status: &RestoreStatus) -> Result<String> {
    let mut conditions = status.conditions.iter();
    let ready = conditions.find(|condition| condition.type_ == "Ready");
    Ok(ready.context("there is no condition Ready")?.message.clone())
}

/// A namespace gives its pods a service account only after a moment.
async fn admitted(ground: &Ground, namespace: &TestNamespace, object: &Value) -> Result<()> {
    eventually("the object is admitted", LIMIT, || async {
        create(&ground.cluster.admin(), Some(namespace.name()), object).await?;
        Ok(())
    })
    .await
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "containers": [{ "name": "app", "image": "app" }] },
    })
}

fn deployment(name: &str, replicas: u32) -> Value {
    let labels = json!({ "app": name });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "app", "image": "app" }] },
            },
        },
    })
}

/// Of a class that nobody has.
fn pending_claim() -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
        "spec": {
            "storageClassName": "none", "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Mi" } },
        },
    })
}
