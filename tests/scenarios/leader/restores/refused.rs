//! Restores that can't be carried out, or not all of them: each says why, and what to do.

use anyhow::{Result, ensure};
use clusterbackup_api::restore::{Outcome, RestorePhase, RestoreStatus};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::steps::{create, refusal};
use clusterbackup_vault::seal::Identity;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use age::secrecy::ExposeSecret as _;

use crate::leader::stage::Ground;
use crate::runner::scenarios;

scenarios! {
    Own: [
        what_is_there_stays_as_it_is_or_nothing_is_restored,
        a_restore_of_nonsense_fails_and_says_why,
        an_encrypted_point_is_restored_with_the_key_alone,
        a_restore_stays_as_it_was_asked_for,
    ],
}

/// A shop with a few settings, and a point of it.
async fn shop(ground: &Ground) -> Result<String> {
    for name in ["kept", "changed", "lost"] {
        let settings = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "level": "info" },
        });
        create(&ground.cluster.admin(), Some(ground.shop.name()), &settings).await?;
    }
    ground.point("nightly").await
}

/// Loses one of the settings, and changes another one.
async fn harm(ground: &Ground) -> Result<()> {
    let settings = ground.shop.api::<ConfigMap>();
    let debug = Patch::Merge(json!({ "data": { "level": "debug" } }));
    settings.patch("changed", &PatchParams::default(), &debug).await?;
    settings.delete("lost", &DeleteParams::default()).await?;
    Ok(())
}

async fn what_is_there_stays_as_it_is_or_nothing_is_restored(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let point = shop(&ground).await?;
    harm(&ground).await?;
    let settings = ground.shop.api::<ConfigMap>();

    ground
        .restore("careful", &point, json!({ "conflictPolicy": "Fail" }))
        .await?;
    let status = ground.restored("careful", RestorePhase::Failed).await?;
    ensure!(says(&status, "spec.conflictPolicy is Fail"), "{status:#?}");
    ensure!(skipped(&status) == ["changed"], "{status:#?}");
    ensure!(settings.get_opt("lost").await?.is_none(), "something was created");

    ground.restore("friday", &point, json!({})).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    ensure!(
        status.counts.created == 1 && status.counts.skipped == 1 && status.counts.unchanged >= 2,
        "{status:#?}"
    );
    ensure!(skipped(&status) == ["changed"], "{status:#?}");
    for (name, level) in [("kept", "info"), ("changed", "debug"), ("lost", "info")] {
        let data = settings.get(name).await?.data.unwrap_or_default();
        ensure!(data["level"] == level, "{name} is {data:?}");
    }

    ground.restore("again", &point, json!({})).await?;
    let status = ground.restored("again", RestorePhase::Completed).await?;
    ensure!(
        status.counts.created == 0 && status.counts.skipped == 1,
        "{status:#?}"
    );
    Ok(())
}

async fn a_restore_of_nonsense_fails_and_says_why(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let point = shop(&ground).await?;
    let nobody = "0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f";
    let shop = ground.shop.name();
    for (name, point, spec, why) in [
        ("gone", nobody, json!({}), "doesn't exist in namespace"),
        (
            "nobodys",
            &point,
            json!({ "requester": null }),
            "nobody is recorded as its requester",
        ),
        (
            "glob",
            &point,
            json!({ "includedNamespaces": ["[open"] }),
            "spec.includedNamespaces[0]",
        ),
        (
            "nothing",
            &point,
            json!({ "includedNamespaces": ["bank"] }),
            "nothing of the recovery point is taken",
        ),
        (
            "system",
            &point,
            json!({ "namespaceMappings": { shop: "kube-system" } }),
            "nothing is ever restored into kube-system",
        ),
        (
            "unknown",
            &point,
            json!({ "namespaceMappings": { "bank": "a" } }),
            "nothing in namespace bank",
        ),
        (
            "single",
            &point,
            json!({ "objects": [
                { "groupResource": "configmaps", "namespace": shop, "name": "kept" },
                { "groupResource": "configmaps", "namespace": shop, "name": "none" },
            ] }),
            "is not in the recovery point",
        ),
    ] {
        ground.restore(name, point, spec).await?;
        let status = ground.restored(name, RestorePhase::Failed).await?;
        ensure!(says(&status, why), "{name}: {status:#?}");
        ensure!(status.counts.created == 0, "{name}: {status:#?}");
    }
    Ok(())
}

async fn an_encrypted_point_is_restored_with_the_key_alone(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let folder = ground.leaders.vaults().join("vault");
    std::fs::create_dir_all(&folder)?;
    let (identity, other) = (Identity::generate(), Identity::generate());
    let vault = json!({
        "operational": { "fileSystem": { "path": folder } },
        "encryption": { "recipients": [identity.recipient().to_string()] },
    });
    ground.vault_of("vault", &vault).await?;
    for (name, entry, key) in [
        ("key", "identity", &identity),
        ("other", "identity", &other),
        ("empty", "a", &other),
    ] {
        let key = key.reveal();
        ground
            .credentials(name, &json!({ entry: key.expose_secret() }))
            .await?;
    }
    let leader = ground.leaders.start().await?;
    let point = shop(&ground).await?;
    harm(&ground).await?;
    for (name, spec, why) in [
        ("without", json!({}), "is sealed: give the identity"),
        (
            "absent",
            json!({ "identity": "none" }),
            "Secret none, which spec.identity names, doesn't exist",
        ),
        ("empty", json!({ "identity": "empty" }), "has no entry `identity`"),
        ("wrong", json!({ "identity": "other" }), "is not sealed for"),
    ] {
        ground.restore(name, &point, spec).await?;
        let status = ground.restored(name, RestorePhase::Failed).await?;
        ensure!(says(&status, why), "{name}: {status:#?}");
    }
    ground
        .restore("friday", &point, json!({ "identity": "key" }))
        .await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    ensure!(status.counts.created == 1, "{status:#?}");
    let key = identity.reveal();
    ensure!(
        !leader.log()?.contains(key.expose_secret()),
        "the leader tells the key"
    );
    Ok(())
}

async fn a_restore_stays_as_it_was_asked_for(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let spec = json!({ "includedNamespaces": ["shop"], "namespaceMappings": { "shop": "a" } });
    ground.restore("friday", "point", spec).await?;
    let restores = ground.restores();
    let changed = async |spec: Value| {
        let patch = Patch::Merge(json!({ "spec": spec }));
        restores.patch("friday", &PatchParams::default(), &patch).await
    };
    for spec in [
        json!({ "recoveryPoint": "other" }),
        json!({ "includedNamespaces": null }),
        json!({ "excludedNamespaces": ["a"] }),
        json!({ "namespaceMappings": { "shop": "b" } }),
        json!({ "includeClusterScopeResources": true }),
        json!({ "conflictPolicy": "Fail" }),
        json!({ "identity": "key" }),
        json!({ "objects": [{ "groupResource": "pods", "name": "a" }] }),
        json!({ "requester": { "username": "jane" } }),
        json!({ "requester": null }),
    ] {
        let message = refusal(changed(spec.clone()).await)?;
        ensure!(
            message.contains("a restore stays as it was asked for"),
            "{spec}: {message}"
        );
    }
    changed(json!({ "cancel": true })).await?;
    let message = refusal(changed(json!({ "cancel": false })).await)?;
    ensure!(
        message.contains("a cancelled restore stays cancelled"),
        "{message}"
    );
    Ok(())
}

fn says(status: &RestoreStatus, why: &str) -> bool {
    status
        .message
        .as_deref()
        .is_some_and(|message| message.contains(why))
}

/// Which objects stay as they are.
fn skipped(status: &RestoreStatus) -> Vec<&str> {
    let problems = status.problems.iter();
    let skipped = problems.filter(|problem| problem.action == Outcome::Skipped);
    skipped.map(|problem| problem.name.as_str()).collect()
}
