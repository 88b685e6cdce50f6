//! Objects that exist are changed in the name of the requester.

use anyhow::{Result, ensure};
use clusterbackup_api::restore::{Outcome, RestorePhase};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::steps::create;
use serde_json::json;

use super::{change, live, settings, tells};
use crate::leader::restores::ground::jane;
use crate::leader::restores::rights::grant;
use crate::leader::stage::Ground;

pub(super) async fn what_the_requester_may_not_change_stays(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let shop = ground.shop.name();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "all" },
        "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }],
    });
    create(&ground.cluster.admin(), Some(shop), &settings("web", "info")).await?;
    create(&ground.cluster.admin(), Some(shop), &role).await?;
    let point = ground.point("nightly").await?;
    change(
        &ground,
        &settings("web", ""),
        &json!({ "data": { "level": "debug" } }),
    )
    .await?;
    change(
        &ground,
        &role,
        &json!({ "rules": [], "metadata": { "labels": { "a": "b" } } }),
    )
    .await?;

    let roles = "--resource=configmaps,roles.rbac.authorization.k8s.io";
    grant(
        &ground,
        ground.home.name(),
        "makes",
        &["--verb=create", "--resource=restores.clusterbackup.io"],
    )
    .await?;
    grant(&ground, shop, "creates", &["--verb=get,create", roles]).await?;
    let person = ground.cluster.user("jane", &["restorers"]).await?;
    let spec = |policy: &str| {
        let mut spec = json!({
            "conflictPolicy": policy, "includedNamespaces": [shop], "requester": jane(),
            "includedResourceTypes": ["configmaps", "roles.rbac.authorization.k8s.io"],
        });
        if policy == "Replace" {
            spec["replacedResourceTypes"] = json!(["configmaps"]);
        }
        spec
    };
    let untouched = live(&ground, &settings("web", "")).await?;
    for (policy, verb) in [("Patch", "patch"), ("Replace", "delete")] {
        let name = policy.to_lowercase();
        ground.restore_as(&person, &name, &point, spec(policy)).await?;
        let status = ground.restored(&name, RestorePhase::Failed).await?;
        let told = format!("may not {verb} it: have the verb {verb} on configmaps granted");
        ensure!(tells(&status, "web", Outcome::Failed, &told), "{status:#?}");
        ensure!(
            status.counts.patched == 0 && status.counts.replaced == 0,
            "{status:#?}"
        );
        ensure!(
            live(&ground, &settings("web", "")).await? == untouched,
            "something was changed"
        );
    }

    // And no more than he may.
    grant(&ground, shop, "patches", &["--verb=patch", roles]).await?;
    ground
        .restore_as(&person, "trusted", &point, spec("Patch"))
        .await?;
    let status = ground
        .restored("trusted", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(status.counts.patched == 1, "{status:#?}");
    ensure!(
        live(&ground, &settings("web", "")).await?["data"]["level"] == "info",
        "{status:#?}"
    );
    ensure!(
        tells(
            &status,
            "all",
            Outcome::Unchanged,
            "attempting to grant RBAC permissions"
        ),
        "{status:#?}"
    );
    let role = live(&ground, &role).await?;
    ensure!(role["rules"].as_array().is_none_or(Vec::is_empty), "{role:#}");
    Ok(())
}
