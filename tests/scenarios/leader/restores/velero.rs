//! Backups of Velero as a source: a vault of that format shows them as recovery points, which are restored as any other. What is
//! in the vault here was exported by the plugin; what Velero itself has written is restored by the peers' tier.

use std::fs;
use std::path::{Path as Folder, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::BackupVault;
use clusterbackup_api::recovery_point::PointFormat;
use clusterbackup_api::restore::RestorePhase;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::plugin::{Ran, plugin};
use clusterbackup_tests::steps::refusal;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::ground::jane;
use super::rights::grant;
use super::round_trip::{Stored, compare};
use crate::leader::stage::Ground;
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [
        an_application_comes_back_from_a_backup_of_velero,
        a_backup_of_velero_is_for_those_who_may_restore_everywhere_and_a_forged_one_for_nobody,
    ],
}

/// What the vault is called, and the point in it.
const VAULT: &str = "old";
const POINT: &str = "old.nightly";

async fn an_application_comes_back_from_a_backup_of_velero(cluster: Cluster) -> Result<()> {
    let stored = Stored::of(cluster).await?;
    let Stored { ground, point, .. } = &stored;
    let folder = export(ground, point).await?;
    let point = ground.says(POINT, "True", "InVault").await?;
    let inside = u64::try_from(stored.objects.len())?;
    ensure!(
        point.spec.format == PointFormat::Velero
            && point.spec.objects >= inside
            && point.spec.stored_bytes > 0,
        "{point:#?}"
    );
    stored.application.delete(ground).await?;
    ground.restore("friday", POINT, json!({})).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    compare(
        ground,
        &stored.application,
        &stored.objects,
        &status,
        Clone::clone,
    )
    .await?;

    let home = ["-n", ground.home.name()];
    let kubeconfig = ground.cluster.admin_kubeconfig();
    let told = plugin(
        Some(&kubeconfig),
        &[&["rp", "describe", POINT][..], &home].concat(),
    )
    .await?;
    ensure!(told.out.contains("a backup of Velero's"), "{told:?}");
    let shop = ground.shop.name();
    let got = offline(
        &folder,
        &["rp", "get", "nightly", "configmaps/settings", "-n", shop],
    )
    .await?;
    ensure!(got.out.contains("kind: ConfigMap"), "{got:?}");
    let preview = [
        "restore",
        "preview",
        "nightly",
        "--offline",
        "--include-namespaces",
        shop,
    ];
    let preview = offline(&folder, &preview).await?;
    ensure!(preview.out.contains("settings"), "{preview:?}");
    let left = scratches(ground)?;
    ensure!(left.is_empty(), "{left:?} are left");

    // Velero deletes it.
    fs::remove_dir_all(folder.join("backups/nightly"))?;
    fs::create_dir_all(folder.join("backups/other"))?;
    fs::write(
        folder.join("backups/other/velero-backup.json"),
        json!({ "kind": "Backup", "metadata": { "name": "other" }, "status": { "phase": "Failed" } })
            .to_string(),
    )?;
    let changed = Patch::Merge(json!({ "spec": { "limits": { "onDemandBackupsPerDay": 1 } } }));
    let vaults = ground.home.api::<BackupVault>();
    vaults.patch(VAULT, &PatchParams::default(), &changed).await?;
    ground.is_gone(POINT).await
}

async fn a_backup_of_velero_is_for_those_who_may_restore_everywhere_and_a_forged_one_for_nobody(
    cluster: Cluster,
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let (admin, home) = (ground.cluster.admin(), ground.home.name());
    for (name, spec) in [
        ("written", json!({ "format": "Velero" })),
        (
            "sealed",
            json!({ "format": "Velero", "access": "ReadOnly", "encryption": { "recipients": ["age1a"] } }),
        ),
    ] {
        let mut vault = json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "BackupVault", "metadata": { "name": name }, "spec": spec,
        });
        vault["spec"]["operational"] = json!({ "fileSystem": { "path": "/vaults" } });
        let message = refusal(create(&admin, Some(home), &vault).await)?;
        ensure!(message.contains("Velero's"), "{message}");
    }
    ground.vault("vault").await?;
    let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } });
    create(&admin, Some(ground.shop.name()), &settings).await?;
    let _leader = ground.leaders.start().await?;
    let point = ground.point("nightly").await?;
    let folder = export(&ground, &point).await?;
    ground.says(POINT, "True", "InVault").await?;

    let mapped =
        json!({ "namespaceMappings": { ground.shop.name(): format!("{}-again", ground.shop.name()) } });
    let mut janes = mapped.clone();
    janes["requester"] = json!(jane());
    for (role, allowed) in [
        (
            "makes",
            &["--verb=create", "--resource=restores.clusterbackup.io"][..],
        ),
        (
            "restores",
            &[
                "--verb=restore",
                "--resource=backupinstances.clusterbackup.io",
                "--resource-name=old",
            ],
        ),
    ] {
        grant(&ground, home, role, allowed).await?;
    }
    let person = ground.cluster.user("jane", &["restorers"]).await?;
    ground.restore_as(&person, "janes", POINT, janes).await?;
    let status = ground.restored("janes", RestorePhase::Failed).await?;
    let message = status.message.unwrap_or_default();
    ensure!(message.contains("jane may not restore"), "{message}");

    let archive = folder.join("backups/nightly/nightly.tar.gz");
    let whole = fs::read(&archive)?;
    // Of another length it would be shown as another point.
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let mut blank = whole.clone();
    blank[whole.len() / 2..].fill(0);
    for (name, forged) in [("flipped", flipped), ("blank", blank)] {
        fs::write(&archive, forged)?;
        ground.restore(name, POINT, mapped.clone()).await?;
        let status = ground.restored(name, RestorePhase::Failed).await?;
        let message = status.message.clone().unwrap_or_default();
        ensure!(
            message.contains("backups/nightly/nightly.tar.gz is refused") && status.counts.created == 0,
            "{status:#?}"
        );
    }
    let left = scratches(&ground)?;
    ensure!(left.is_empty(), "{left:?} are left");
    Ok(())
}

/// Exports a point as Velero's, and makes a vault of that; the folder.
async fn export(ground: &Ground, point: &str) -> Result<PathBuf> {
    let folder = ground.leaders.vaults().join(VAULT);
    fs::create_dir_all(&folder)?;
    let vault = ground.leaders.vaults().join("vault");
    let (from, to) = (text(&vault)?, text(&folder)?);
    let ran = plugin(
        None,
        &["rp", "export", point, "--velero", to, "--file-system", from],
    )
    .await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    for (name, place, says) in [("nobodys", &vault, "LocationEmpty"), (VAULT, &folder, "Readable")] {
        let place = json!({ "fileSystem": { "path": place } });
        let spec = json!({ "format": "Velero", "access": "ReadOnly", "operational": place });
        ground.vault_of(name, &spec).await?;
        ground.vault_says(name, says).await?;
    }
    Ok(folder)
}

/// Runs a command on Velero's backups in a folder, without any cluster.
async fn offline(folder: &Folder, command: &[&str]) -> Result<Ran> {
    let place = ["--file-system", text(folder)?, "--format", "velero"];
    let ran = plugin(None, &[command, &place].concat()).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(ran)
}

/// What is in the folders for temporary files.
fn scratches(ground: &Ground) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let around = ground.leaders.vaults().parent().context("no folder")?;
    for folder in fs::read_dir(around)? {
        let folder = folder?.path();
        if text(&folder)?.ends_with("-scratch") {
            let inside = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
            found.extend(inside.collect::<Result<Vec<_>>>()?);
        }
    }
    Ok(found)
}

fn text(path: &Folder) -> Result<&str> {
    path.to_str().context("the folder is no text")
}
