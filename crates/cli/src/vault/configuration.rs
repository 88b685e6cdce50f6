//! `vault restore-config`: sets a cluster up from what a vault carries.
//!
//! - `making`: one object, made or found

mod making;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use clusterbackup_core::configuration::{NeededSecret, Place};
use clusterbackup_vault::configuration::{self, Saved, Snapshot};
use clusterbackup_vault::store::Store;
use serde::Serialize;
use serde_json::{Value, json};

use self::making::Done;
use crate::arguments::backup::Output;
use crate::arguments::vault::RestoreConfig;
use crate::store::{self, Wanted, told};
use crate::words::counted;
use crate::{Error, cluster, output};

/// What came of it.
#[derive(Debug, Serialize)]
struct Told {
    objects: Vec<ToldObject>,
    /// What has to be made by hand.
    secrets: Vec<NeededSecret>,
}

#[derive(Debug, Serialize)]
struct ToldObject {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    #[serde(flatten)]
    done: Done,
}

pub(super) fn run(arguments: &RestoreConfig, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let snapshots = read(arguments)?;
    if arguments.dry_run {
        preview(&snapshots, arguments.output, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = cluster::run(async |client| {
        let mut objects = Vec::new();
        for (place, object) in objects_of(&snapshots) {
            let done = making::make(&client, &place, &object, arguments.overwrite).await;
            objects.push(ToldObject::new(place, done));
        }
        let secrets = making::missing(&client, secrets_of(&snapshots)).await;
        Ok(Told { objects, secrets })
    })?;
    match arguments.output {
        Output::Text => show(&told, out)?,
        Output::Json => output::json(&told, out)?,
        Output::Yaml => output::yaml(&told, out)?,
    }
    Ok(if told.objects.iter().all(|object| object.done.is_good()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the vault carries of one cluster, namespace by namespace.
fn read(arguments: &RestoreConfig) -> Result<Vec<Snapshot>, Error> {
    let wanted = Wanted::Vault(arguments.vault.name.as_deref().unwrap_or_default());
    let reading = &arguments.vault.reading;
    let identity = store::identity(reading.identity.as_deref())?;
    let namespace = reading.place.namespace.as_deref();
    store::run(&reading.store, namespace, async |vaults| {
        let store: Store = vaults.open(wanted).await?;
        let listed = configuration::list(&store).await.map_err(|error| told(&error))?;
        let mut snapshots = Vec::new();
        for saved in choose(listed, arguments.cluster.as_deref())? {
            let snapshot = configuration::load(&store, &saved, identity.as_ref()).await;
            snapshots.push(snapshot.map_err(|error| told(&error))?);
        }
        Ok(snapshots)
    })
}

/// Those of one cluster.
fn choose(mut listed: Vec<Saved>, cluster: Option<&str>) -> Result<Vec<Saved>, Error> {
    let clusters: BTreeSet<_> = listed.iter().map(|saved| saved.owner.cluster.clone()).collect();
    let all = || clusters.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    match cluster {
        _ if clusters.is_empty() => {
            let nothing = "the vault carries no configuration: a leader writes it when it can use the vault";
            return Err(told(&nothing));
        }
        Some(cluster) if !clusters.contains(cluster) => {
            return Err(told(&format!(
                "the vault carries nothing of the cluster {cluster}, but of {}",
                all()
            )));
        }
        Some(cluster) => listed.retain(|saved| saved.owner.cluster == cluster),
        None if clusters.len() > 1 => {
            return Err(told(&format!(
                "the vault carries the configuration of several clusters: name one by --cluster, of {}",
                all()
            )));
        }
        None => {}
    }
    Ok(listed)
}

/// In the order in which they are made, over all namespaces.
fn objects_of(snapshots: &[Snapshot]) -> Vec<(Place, Value)> {
    let all = snapshots
        .iter()
        .flat_map(|snapshot| snapshot.configuration.objects());
    let mut objects: Vec<_> = all.collect();
    objects.sort_by(|(one, _), (other, _)| one.cmp(other));
    objects.dedup_by(|(one, _), (other, _)| one == other);
    objects
}

fn secrets_of(snapshots: &[Snapshot]) -> BTreeSet<NeededSecret> {
    let all = snapshots
        .iter()
        .flat_map(|snapshot| snapshot.configuration.secrets());
    all.cloned().collect()
}

fn preview(snapshots: &[Snapshot], form: Output, out: &mut dyn Write) -> Result<(), Error> {
    let objects = objects_of(snapshots);
    let list = || {
        let items: Vec<_> = objects.iter().map(|(_, object)| object).collect();
        json!({ "apiVersion": "v1", "kind": "List", "items": items })
    };
    match form {
        Output::Json => return output::json(&list(), out),
        Output::Yaml => return output::yaml(&list(), out),
        Output::Text => {}
    }
    let row = |(place, _): &(Place, Value)| {
        vec![
            kind(place).to_owned(),
            full(place.namespace.as_deref(), &place.name),
        ]
    };
    output::table(&["KIND", "NAME"], objects.iter().map(row), out)?;
    for snapshot in snapshots {
        let namespace = &snapshot.owner.namespace;
        writeln!(
            out,
            "Namespace {namespace} as of {:.0}, of cluster {}",
            snapshot.time, snapshot.owner.cluster
        )?;
    }
    name_secrets(secrets_of(snapshots), out)
}

fn show(told: &Told, out: &mut dyn Write) -> Result<(), Error> {
    let row = |object: &ToldObject| {
        let name = full(object.namespace.as_deref(), &object.name);
        vec![object.kind.to_owned(), name, object.done.words()]
    };
    output::table(&["KIND", "NAME", ""], told.objects.iter().map(row), out)?;
    let other = told
        .objects
        .iter()
        .filter(|object| !object.done.is_good())
        .count();
    writeln!(
        out,
        "{}, {other} not as they were",
        counted(told.objects.len(), "object")
    )?;
    name_secrets(told.secrets.iter().cloned(), out)
}

fn name_secrets(secrets: impl IntoIterator<Item = NeededSecret>, out: &mut dyn Write) -> Result<(), Error> {
    for NeededSecret { namespace, name } in secrets {
        writeln!(
            out,
            "To be made by hand: Secret {namespace}/{name}, with the credentials of a vault"
        )?;
    }
    Ok(())
}

const fn kind(place: &Place) -> &'static str {
    place.part.kind().1
}

fn full(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

impl ToldObject {
    fn new(place: Place, done: Done) -> Self {
        Self {
            kind: kind(&place),
            namespace: place.namespace,
            name: place.name,
            done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use clusterbackup_vault::configuration::Owner;

    use super::*;

    fn saved(cluster: &str, namespace: &str) -> Saved {
        Saved {
            owner: Owner {
                cluster: cluster.to_owned(),
                namespace: namespace.to_owned(),
            },
            number: NonZeroU32::MIN,
            sealed: false,
        }
    }

    #[test]
    fn one_cluster_is_meant() {
        let two = || vec![saved("a", "shop"), saved("a", "web"), saved("b", "shop")];
        let of_a = || vec![saved("a", "shop"), saved("a", "web")];
        for (listed, cluster, chosen) in [
            (of_a(), None, Ok(of_a())),
            (two(), Some("a"), Ok(of_a())),
            (two(), None, Err("name one by --cluster, of a, b")),
            (two(), Some("c"), Err("nothing of the cluster c, but of a, b")),
            (vec![], None, Err("no configuration")),
        ] {
            match (choose(listed, cluster), chosen) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (found, expected) => panic!("{found:?} {expected:?}"),
            }
        }
    }
}
