//! Objects of an instance that names a vault: what stands in the point is what the API server has.

mod application;
pub(crate) mod by_plugin;
pub(crate) mod configuration;
mod contents;
pub(crate) mod credentials;
mod ground;
pub(crate) mod outages;
pub(crate) mod places;
pub(crate) mod stored;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use clusterbackup_api::RecoveryPoint;
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_tests::{Cluster, eventually};
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

pub(super) use self::application::Application;
pub(super) use self::contents::{Path, contents};
use super::stage::{Ground, LIMIT};
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [
        every_object_of_an_application_is_stored_as_the_api_server_has_it,
        what_the_requester_may_not_read_is_missing_and_told_of,
        a_vault_that_can_not_be_written_costs_no_freeze,
    ],
}

async fn every_object_of_an_application_is_stored_as_the_api_server_has_it(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let application = Application::create(&ground).await?;
    ground.vault("vault").await?;
    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec.clone()).await?;
    ground
        .instance("with-secrets", with(&spec, "includeSecrets"))
        .await?;
    ground
        .instance("everything-outside", with(&spec, "includeClusterScopeResources"))
        .await?;
    let leader = ground.leaders.start().await?;

    for instance in ["shop", "with-secrets"] {
        let before = application.settled(&ground).await?;
        ground.ask(instance, instance).await?;
        let status = ground.ends(instance, BackupPhase::Completed).await?;
        let stored = ground.stored(&status)?;
        let wanted: BTreeSet<Path> = before
            .into_iter()
            .filter(|path| instance == "with-secrets" || path.kind != "secrets")
            .collect();
        application.is(&ground, &wanted, &stored).await?;
        let kinds: BTreeSet<_> = stored.keys().map(|path| &path.kind).collect();
        ensure!(kinds.len() >= 30, "only {} kinds: {kinds:?}", kinds.len());
        mirrored(&ground, instance, &status, stored.len()).await?;
    }

    ground.ask("outside", "everything-outside").await?;
    let status = ground.ends("outside", BackupPhase::Completed).await?;
    let stored = ground.stored(&status)?;
    let system = Path::new("clusterroles.rbac.authorization.k8s.io", None, "cluster-admin");
    ensure!(
        stored.contains_key(&system),
        "not all objects outside of namespaces are there"
    );
    ensure!(
        !stored
            .keys()
            .any(|path| path.namespace.as_deref() == Some("kube-system")),
        "objects of kube-system are there"
    );
    let counts = leader.counts().await?;
    let points = "clusterbackup_leader_point_duration_seconds_count{outcome=\"complete\"}";
    ensure!(counts.get(points) == 3, "{counts:?}");
    Ok(())
}

/// The RecoveryPoint says what the backup says; it can't be changed, and deleting it takes nothing out of the vault.
async fn mirrored(ground: &Ground, instance: &str, status: &BackupStatus, objects: usize) -> Result<()> {
    let name = status.recovery_point.clone().unwrap_or_default();
    let points = ground.home.api::<RecoveryPoint>();
    let point = points.get(&name).await?;
    let counts = status.objects.unwrap_or_default();
    ensure!(
        point.spec.instance == instance
            && point.spec.vault == "vault"
            && point.spec.phase == BackupPhase::Completed
            && point.spec.objects == u64::try_from(objects)?
            && (counts.stored, counts.bytes) == (point.spec.objects, point.spec.bytes)
            && counts.kinds == counts.kinds_total
            && !point.spec.encrypted,
        "{point:#?} of {status:#?}"
    );
    let mut changed = point.clone();
    changed.spec.objects += 1;
    let refused = points.replace(&name, &PostParams::default(), &changed).await;
    ensure!(refused.is_err(), "a recovery point was changed");
    points.delete(&name, &DeleteParams::default()).await?;
    ensure!(
        ground.stored(status)?.len() == objects,
        "the vault has lost objects"
    );
    Ok(())
}

async fn what_the_requester_may_not_read_is_missing_and_told_of(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    Application::create(&ground).await?;
    ground.vault("vault").await?;
    jane_asks(&ground).await?;
    let _leader = ground.leaders.start().await?;
    ground.ask("nightly", "shop").await?;
    let status = ground.ends("nightly", BackupPhase::CompletedWithWarnings).await?;

    let stored = ground.stored(&status)?;
    let has = |kind: &str| stored.keys().any(|path| path.kind == kind);
    ensure!(
        has("configmaps") && has("deployments.apps") && has("namespaces"),
        "{:?}",
        stored.keys()
    );
    for kind in ["secrets", "persistentvolumes", "roles.rbac.authorization.k8s.io"] {
        ensure!(!has(kind), "{kind} are stored, which jane may not read");
        let told = |warning: &&String| warning.contains(kind) && warning.contains("jane may not list it");
        ensure!(
            status.warnings.iter().any(|warning| told(&warning)),
            "nothing of {kind} in {status:#?}"
        );
    }
    Ok(())
}

/// Has somebody write an instance who may see the shop, but not everything in it.
async fn jane_asks(ground: &Ground) -> Result<()> {
    let (home, shop) = (ground.home.name(), ground.shop.name());
    let instances = "--resource=backupinstances.clusterbackup.io";
    for command in [
        [
            "create",
            "rolebinding",
            "sees",
            "--clusterrole=view",
            "--user=jane",
            "-n",
            shop,
        ],
        [
            "create",
            "rolebinding",
            "writes",
            "--role=writes",
            "--user=jane",
            "-n",
            home,
        ],
        ["create", "role", "writes", "--verb=create", instances, "-n", home],
    ] {
        ground.cluster.kubectl(&command).await?.success()?;
    }
    let jane = ground.cluster.user("jane", &[]).await?;
    let instance = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupInstance",
        "metadata": { "name": "shop" },
        "spec": {
            "includedNamespaces": [shop], "vault": "vault", "snapshotVolumes": false, "includeSecrets": true,
            "requester": { "username": "jane" },
        },
    });
    eventually("jane may write it", LIMIT, || async {
        Ok(create(&jane, Some(home), &instance).await?)
    })
    .await
    .map(drop)
}

async fn a_vault_that_can_not_be_written_costs_no_freeze(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground
        .vault_at("gone", &ground.leaders.vaults().join("not-there"))
        .await?;
    ground.vault_at("outside", std::path::Path::new("/etc")).await?;
    for instance in ["gone", "outside", "missing"] {
        ground.instance(instance, json!({ "vault": instance })).await?;
    }
    let _leader = ground.leaders.start().await?;
    for (instance, said) in [
        ("gone", "not there"),
        ("outside", "is not below"),
        ("missing", "BackupVault missing doesn't exist"),
    ] {
        ground.ask(instance, instance).await?;
        let status = ground.ends(instance, BackupPhase::Failed).await?;
        let message = status.message.unwrap_or_default();
        ensure!(message.contains(said), "{instance}: {message}");
        ensure!(status.recovery_point.is_none(), "{instance} has a point");
    }
    for (vault, reason) in [("gone", "LocationMissing"), ("outside", "SpecInvalid")] {
        ground.vault_says(vault, reason).await?;
    }
    // As soon as the folder is there, the vault is ready.
    std::fs::create_dir(ground.leaders.vaults().join("not-there"))?;
    ground.ask("again", "gone").await?;
    ground.ends("again", BackupPhase::Completed).await?;
    Ok(())
}

/// A spec with a switch on.
fn with(spec: &Value, switch: &str) -> Value {
    let mut spec = spec.clone();
    spec[switch] = json!(true);
    spec
}
