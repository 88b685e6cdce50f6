//! Archives that Velero wrote, read by us.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::runner::{VeleroContext, scenarios};
use clusterbackup_tests::steps::api_of;
use clusterbackup_vault::archive::{self, Archive};
use clusterbackup_vault::point::Entry;
use futures::TryStreamExt as _;
use serde_json::Value;

use crate::application::Application;

scenarios! {
    Velero: [
        a_backup_of_velero_has_the_objects_that_velero_lists,
    ],
}

async fn a_backup_of_velero_has_the_objects_that_velero_lists(given: &VeleroContext) -> Result<()> {
    let (cluster, velero) = (&given.context.cluster, &given.velero);
    let application = Application::create(cluster, given.context.namespace.name()).await?;
    let name = &application.name;
    velero.back_up(name, &application.backup()).await?;

    let store = velero.store();
    let backups: Vec<_> = archive::list(&store).try_collect().await?;
    let backup = backups.iter().find(|backup| backup.name == *name);
    let backup = backup.context("it isn't listed")?;
    ensure!(backup.phase == "Completed", "{backup:?}");
    ensure!(backup.included_namespaces == [name.as_str()], "{backup:?}");

    let archive = Archive::open(store.clone(), name).await?;
    let entries: Vec<_> = archive.objects().try_collect().await?;
    ensure!(backup.objects_written == entries.len() as u64, "{backup:?}");
    let (read, listed) = (by_kind(&entries)?, velero.resource_list(name)?);
    ensure!(read == listed, "read: {read:#?}\nlisted: {listed:#?}");
    ensure!(read.len() >= application.kinds(), "{read:#?}");
    let lengths = listed.into_iter().map(|(kind, names)| (kind, names.len() as u64));
    ensure!(archive.resource_list().await? == lengths.collect());

    for entry in &entries {
        let read = parsed(entry)?;
        let api = api_of(&cluster.admin(), &read, entry.namespace.as_deref())?;
        let stored = serde_json::to_value(api.get(&entry.name).await?)?;
        let same = |field: &str| read.pointer(field) == stored.pointer(field);
        ensure!(
            same("/metadata/uid") && same("/spec") && same("/data"),
            "{read:#}\n{stored:#}"
        );
    }
    let last = entries.last().context("it is empty")?;
    let found = archive
        .get(&last.group_resource, last.namespace.as_deref(), &last.name)
        .await?;
    ensure!(found.as_ref() == Some(&last.json), "{found:?}");
    Ok(())
}

fn parsed(entry: &Entry) -> Result<Value> {
    Ok(serde_json::from_slice(&entry.json)?)
}

/// `<ns>/<name>` by `<group>/<version>/<Kind>`, as Velero lists objects.
fn by_kind(entries: &[Entry]) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut kinds = BTreeMap::<_, BTreeSet<_>>::new();
    for entry in entries {
        let object = parsed(entry)?;
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let kind = format!("{}/{}", text("apiVersion"), text("kind"));
        let name = match &entry.namespace {
            Some(namespace) => format!("{namespace}/{}", entry.name),
            None => entry.name.clone(),
        };
        kinds.entry(kind).or_default().insert(name);
    }
    Ok(kinds)
}
