//! Whose rights count: what the requester may not create isn't created, what he may not read isn't given to him.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::restore::{Outcome, RestorePhase, RestoreStatus};
use clusterbackup_tests::steps::{create, refusal};
use clusterbackup_tests::{Cluster, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;

use super::ground::jane;
use crate::leader::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [a_requester_gets_what_he_may_read_and_create_and_nothing_else],
}

async fn a_requester_gets_what_he_may_read_and_create_and_nothing_else(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let (admin, shop) = (ground.cluster.admin(), ground.shop.name());
    for object in [
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "password" }, "stringData": { "a": "b" } }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "all" },
            "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }],
        }),
    ] {
        create(&admin, Some(shop), &object).await?;
    }
    let point = ground.point("nightly").await?;

    let makes = ["--verb=create", "--resource=restores.clusterbackup.io"];
    grant(&ground, ground.home.name(), "makes", &makes).await?;
    let person = ground.cluster.user("jane", &["restorers"]).await?;
    // Into a namespace of her own, where she may do everything but raise her own rights.
    let own = ground.cluster.namespace("janes").await?;
    let everything = "--resource=configmaps,secrets,roles.rbac.authorization.k8s.io,serviceaccounts";
    grant(
        &ground,
        own.name(),
        "own",
        &["--verb=create,get,patch", everything],
    )
    .await?;
    let spec = json!({
        "includedNamespaces": [shop],
        "namespaceMappings": { shop: own.name() },
        "requester": jane(),
    });
    ground.restore_as(&person, "blind", &point, spec.clone()).await?;
    let status = ground.restored("blind", RestorePhase::Failed).await?;
    ensure!(status.counts.created == 0, "{status:#?}");
    let may_not = format!("the requester jane may not get it in namespace {shop}");
    ensure!(failed(&status, "secrets", &may_not), "{status:#?}");

    // What she may read where it was.
    let reads = [
        "--verb=get",
        "--resource=configmaps,roles.rbac.authorization.k8s.io",
    ];
    grant(&ground, shop, "reads", &reads).await?;
    ground
        .restore_as(&person, "reading", &point, spec.clone())
        .await?;
    let status = ground
        .restored("reading", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(failed(&status, "secrets", &may_not), "{status:#?}");
    let role = "roles.rbac.authorization.k8s.io";
    ensure!(
        failed(&status, role, "attempting to grant RBAC permissions"),
        "{status:#?}"
    );
    ensure!(
        own.api::<ConfigMap>().get_opt("settings").await?.is_some(),
        "{status:#?}"
    );
    ensure!(
        own.api::<Secret>().get_opt("password").await?.is_none(),
        "{status:#?}"
    );

    // Or whatever is in the points of the instance.
    let restores = [
        "--verb=restore",
        "--resource=backupinstances.clusterbackup.io",
        "--resource-name=nightly",
    ];
    grant(&ground, ground.home.name(), "restores", &restores).await?;
    ground
        .restore_as(&person, "trusted", &point, spec.clone())
        .await?;
    let status = ground
        .restored("trusted", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(
        own.api::<Secret>().get_opt("password").await?.is_some(),
        "{status:#?}"
    );
    ensure!(
        failed(&status, role, "attempting to grant RBAC permissions"),
        "{status:#?}"
    );

    // In nobody else's name, and nowhere else.
    let forged = json!({
        "apiVersion": "clusterbackup.io/v1alpha1", "kind": "Restore", "metadata": { "name": "forged" },
        "spec": { "recoveryPoint": point, "requester": { "username": "admin", "groups": ["system:masters"] } },
    });
    let message = refusal(create(&person, Some(ground.home.name()), &forged).await)?;
    ensure!(
        message.contains("names somebody else than who writes it"),
        "{message}"
    );
    Ok(())
}

/// Gives jane a role in a namespace, of these verbs and resources, and waits until it counts.
pub(super) async fn grant(ground: &Ground, namespace: &str, role: &str, allowed: &[&str]) -> Result<()> {
    let place = ["--namespace", namespace];
    let create = [&["create", "role", role][..], allowed, &place].concat();
    let bound = format!("--role={role}");
    let bind = [
        &["create", "rolebinding", role, &bound, "--user=jane"][..],
        &place,
    ]
    .concat();
    for command in [create, bind] {
        ground.cluster.kubectl(&command).await?.success()?;
    }
    let given = |option: &str| {
        let found = allowed.iter().find_map(|part| part.strip_prefix(option));
        found.and_then(|list| list.split(',').next())
    };
    let verb = given("--verb=").context("no verb")?;
    let resource = given("--resource=").context("no resource")?;
    let asked = match given("--resource-name=") {
        Some(name) => format!("{resource}/{name}"),
        None => resource.to_owned(),
    };
    let question = [&["auth", "can-i", verb, &asked, "--as", "jane"][..], &place].concat();
    eventually("the right is known", LIMIT, || async {
        ground.cluster.kubectl(&question).await?.success().map(drop)
    })
    .await
}

/// Whether an object of the kind failed for that reason.
fn failed(status: &RestoreStatus, kind: &str, why: &str) -> bool {
    status.problems.iter().any(|problem| {
        problem.group_resource == kind && problem.action == Outcome::Failed && problem.message.contains(why)
    })
}
