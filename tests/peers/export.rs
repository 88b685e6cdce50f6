//! A recovery point of ours, exported by the plugin and restored by Velero.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use anyhow::{Result, ensure};
use clusterbackup_tests::plugin::plugin;
use clusterbackup_tests::runner::{VeleroContext, scenarios};
use clusterbackup_tests::{eventually, point};
use clusterbackup_vault::location::Location;
use clusterbackup_vault::seal::{Identity, Seal};
use clusterbackup_vault::store::{FileStore, Store};
use futures::TryStreamExt as _;
use serde_json::Value;

use crate::application::Application;
use crate::restores::{essence, mapped};

scenarios! {
    Velero: [
        what_is_exported_is_restored_by_velero,
    ],
}

const POINT: &str = "0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f";
/// Velero looks once a minute for backups that it hasn't made.
const SYNC_LIMIT: Duration = Duration::from_mins(3);

async fn what_is_exported_is_restored_by_velero(given: &VeleroContext) -> Result<()> {
    let (cluster, velero) = (&given.context.cluster, &given.velero);
    let application = Application::create(cluster, given.context.namespace.name()).await?;
    let (theirs, ours) = (&application.name, &format!("{}-ours", application.name));
    velero.back_up(theirs, &application.backup()).await?;
    let objects = application.as_created_in(theirs).await?;

    let folder = tempfile::tempdir()?;
    let exported = export(folder.path(), ours, &objects).await?;
    copy(&exported, &velero.store()).await?;
    eventually("Velero lists the backup", SYNC_LIMIT, || velero.has_backup(ours)).await?;

    let mut restored = Vec::new();
    for backup in [theirs, ours] {
        let target = cluster.namespace("restored").await?;
        application.delete_cluster_scoped().await?;
        let outcome = velero
            .restore(backup, backup, mapped(theirs, target.name()))
            .await?;
        ensure!(outcome.phase == "Completed", "{outcome:#?}");
        let objects = application.as_created_in(target.name()).await?;
        let objects = objects
            .iter()
            .map(|object| essence(&unlabelled(object), target.name()));
        restored.push(objects.collect::<Result<Vec<_>>>()?);
    }
    application.delete_cluster_scoped().await?;
    let (theirs, ours) = (&restored[0], &restored[1]);
    ensure!(theirs.len() == objects.len(), "{theirs:#?}");
    for (theirs, ours) in theirs.iter().zip(ours) {
        ensure!(
            theirs == ours,
            "restored from Velero's own backup\n{theirs:#}\nand from ours\n{ours:#}"
        );
    }
    Ok(())
}

/// The object without the name of the backup that it came from.
fn unlabelled(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(labels) = object
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.remove("velero.io/backup-name");
    }
    object
}

/// Writes a point of these objects, sealed, and has the plugin export it.
async fn export(folder: &Path, backup: &str, objects: &[Value]) -> Result<Store> {
    let file = |name: &str| folder.join(name).display().to_string();
    let (vault, target, key) = (file("vault"), file("velero"), file("key.txt"));
    std::fs::create_dir(&vault)?;
    std::fs::create_dir(&target)?;
    let place: Store = Arc::new(FileStore::new(&vault));
    let location = Location::open(&place, None).await?;
    let identity = Identity::generate();
    std::fs::write(&key, identity.reveal().expose_secret())?;
    let seal = Seal::to(vec![identity.recipient()]);
    point::write(location.store(), POINT, backup, seal, objects).await?;
    let ran = plugin(
        None,
        &[
            "rp",
            "export",
            POINT,
            "--velero",
            &target,
            "--file-system",
            &vault,
            "--identity",
            &key,
        ],
    )
    .await?;
    ensure!(ran.code == Some(0), "{}{}", ran.out, ran.err);
    Ok(Arc::new(FileStore::new(&target)))
}

/// Copies all blobs into the place of Velero's backups, as a person would.
pub(crate) async fn copy(from: &Store, to: &Store) -> Result<()> {
    let blobs: Vec<_> = from.list(None).try_collect().await?;
    for blob in blobs {
        to.put_stream(&blob.key, from.stream(&blob.key).await?).await?;
    }
    Ok(())
}
