//! `conflictPolicy: Replace`: what is named is deleted and created anew, and nothing else.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::restore::{Outcome, RestorePhase};
use clusterbackup_core::restore::REPLACES;
use clusterbackup_tests::steps::{create, refusal};
use clusterbackup_tests::{Cluster, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::{change, live, settings, tells};
use crate::leader::stage::{Ground, LIMIT, administrator};

pub(super) async fn what_is_named_is_deleted_and_created_anew(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let (admin, shop) = (ground.cluster.admin(), ground.shop.name());
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "web", "labels": { "a": "b" } } });
    let names = ["fixed", "held", "owner", "same"];
    for object in names
        .iter()
        .map(|name| settings(name, "info"))
        .chain([account.clone()])
    {
        create(&admin, Some(shop), &object).await?;
    }
    let point = ground.point("nightly").await?;

    // One that can't be changed, one that somebody holds, and one with a claim.
    for name in ["fixed", "held", "owner"] {
        change(
            &ground,
            &settings(name, ""),
            &json!({ "data": { "level": "debug" } }),
        )
        .await?;
    }
    change(&ground, &settings("fixed", ""), &json!({ "immutable": true })).await?;
    let finalizer = |finalizers: &[&str]| json!({ "metadata": { "finalizers": finalizers } });
    change(&ground, &settings("held", ""), &finalizer(&["example.com/holds"])).await?;
    change(
        &ground,
        &account,
        &json!({ "metadata": { "labels": { "a": "c" } } }),
    )
    .await?;
    let owner = ground.shop.api::<ConfigMap>().get("owner").await?;
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": { "name": "data", "ownerReferences": [{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid,
        }] },
        "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "nobody", "resources": { "requests": { "storage": "1Gi" } } },
    }))?;
    ground.shop.api().create(&PostParams::default(), &claim).await?;
    let before = live(&ground, &settings("fixed", "")).await?;

    let spec = json!({ "conflictPolicy": "Replace", "replacedResourceTypes": ["configmaps"], "includedNamespaces": [shop] });
    ground.restore("friday", &point, spec.clone()).await?;
    eventually("the one that is held is being deleted", LIMIT, || async {
        let held = live(&ground, &settings("held", "")).await?;
        ensure!(held["metadata"]["deletionTimestamp"].is_string(), "{held:#}");
        Ok(())
    })
    .await?;
    change(&ground, &settings("held", ""), &finalizer(&[])).await?;
    let status = ground
        .restored("friday", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(
        status.counts.replaced == 2 && status.counts.patched == 1,
        "{status:#?}"
    );
    ensure!(status.counts.failed == 1, "{status:#?}");
    ensure!(
        tells(&status, "owner", Outcome::Failed, "claim data"),
        "{status:#?}"
    );
    ensure!(
        ground
            .shop
            .api::<PersistentVolumeClaim>()
            .get_opt("data")
            .await?
            .is_some(),
        "its claim is gone"
    );
    for name in ["fixed", "held", "same"] {
        let object = live(&ground, &settings(name, "")).await?;
        ensure!(object["data"]["level"] == "info", "{object:#}");
    }
    let after = live(&ground, &settings("fixed", "")).await?;
    let replaced = &after["metadata"]["annotations"][REPLACES];
    ensure!(*replaced == before["metadata"]["uid"], "{after:#}");
    ensure!(after["metadata"]["uid"] != before["metadata"]["uid"], "{after:#}");
    let account = live(&ground, &account).await?;
    ensure!(account["metadata"]["labels"]["a"] == "b", "{account:#}");

    let params = DeleteParams::default();
    ground
        .shop
        .api::<PersistentVolumeClaim>()
        .delete("data", &params)
        .await?;
    ground.restore("again", &point, spec).await?;
    let status = ground.restored("again", RestorePhase::Completed).await?;
    ensure!(
        status.counts.replaced == 1 && status.counts.patched == 0,
        "{status:#?}"
    );
    nonsense(&ground, &point).await
}

/// What can't be asked for.
async fn nonsense(ground: &Ground, point: &str) -> Result<()> {
    for (name, kind, told) in [
        (
            "claims",
            "persistentvolumeclaims",
            "the data of their volumes would go",
        ),
        ("namespaces", "namespaces", "everything in them would go"),
        (
            "definitions",
            "customresourcedefinitions.apiextensions.k8s.io",
            "all objects of their kinds would go",
        ),
    ] {
        let spec = json!({ "conflictPolicy": "Replace", "replacedResourceTypes": [kind] });
        ground.restore(name, point, spec).await?;
        let message = ground.restored(name, RestorePhase::Failed).await?.message;
        let message = message.context("it says nothing")?;
        ensure!(
            message.contains(told) && message.contains("spec.replacedResourceTypes[0]"),
            "{message}"
        );
    }
    for spec in [
        json!({ "conflictPolicy": "Replace" }),
        json!({ "conflictPolicy": "Patch", "replacedResourceTypes": ["jobs.batch"] }),
        json!({ "conflictPolicy": "Replace", "replacedResourceTypes": ["*"] }),
    ] {
        let mut asked = spec.clone();
        asked["recoveryPoint"] = json!(point);
        asked["requester"] = json!(administrator());
        let restore = json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "Restore", "metadata": { "name": "wrong" }, "spec": asked,
        });
        let message = refusal(create(&ground.cluster.admin(), Some(ground.home.name()), &restore).await)?;
        ensure!(message.contains("replacedResourceTypes"), "{spec}: {message}");
    }
    Ok(())
}
