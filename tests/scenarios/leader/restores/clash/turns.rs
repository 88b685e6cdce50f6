//! Two restores at once.

use anyhow::{Result, ensure};
use clusterbackup_api::restore::RestorePhase;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::steps::create;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DeleteParams;
use serde_json::json;

use super::{change, settings};
use crate::leader::stage::Ground;

pub(super) async fn a_restore_waits_for_another_one_in_its_way(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let shop = ground.shop.name();
    create(&ground.cluster.admin(), Some(shop), &settings("held", "info")).await?;
    let point = ground.point("nightly").await?;

    // It takes as long as somebody holds an object that is being deleted.
    let finalizers = |names: &[&str]| json!({ "metadata": { "finalizers": names } });
    change(
        &ground,
        &settings("held", ""),
        &finalizers(&["example.com/holds"]),
    )
    .await?;
    ground
        .shop
        .api::<ConfigMap>()
        .delete("held", &DeleteParams::default())
        .await?;
    let patch = json!({ "conflictPolicy": "Patch", "includedNamespaces": [shop] });
    ground.restore("first", &point, patch.clone()).await?;
    ground
        .restore_sees("first", "runs", |status| {
            status.phase == Some(RestorePhase::Running)
        })
        .await?;
    let named = format!(
        "it waits for Restore {}/first, which brings objects into namespace {shop}",
        ground.home.name()
    );
    for (name, spec) in [
        ("patches", patch.clone()),
        ("creates", json!({ "includedNamespaces": [shop] })),
    ] {
        ground.restore(name, &point, spec).await?;
        ground
            .restore_sees(name, "waits", |status| {
                status.phase == Some(RestorePhase::Planning)
                    && status
                        .message
                        .as_ref()
                        .is_some_and(|message| message.contains(&named))
            })
            .await?;
    }

    // Elsewhere nobody is in the way.
    let mut beside = patch;
    beside["namespaceMappings"] = json!({ shop: format!("{shop}-beside") });
    ground.restore("beside", &point, beside).await?;
    ground.restored("beside", RestorePhase::Completed).await?;
    for name in ["patches", "creates"] {
        let status = ground.restores().get(name).await?.status.unwrap_or_default();
        ensure!(status.phase == Some(RestorePhase::Planning), "{status:#?}");
    }

    change(&ground, &settings("held", ""), &finalizers(&[])).await?;
    for name in ["first", "patches", "creates"] {
        let status = ground.restored(name, RestorePhase::Completed).await?;
        ensure!(
            status.message.is_none_or(|message| !message.contains("waits")),
            "{name}"
        );
    }
    ground.delete_namespace(&format!("{shop}-beside")).await
}
