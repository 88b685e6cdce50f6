//! `rp …`: recovery points, as the cluster lists them and as they lie in a vault.
//!
//! - `diff`: what is different between two
//! - `export`: for other programs
//! - `get`: one object
//! - `life`: which are deleted, and had back
//! - `verify`: whether they are damaged

mod diff;
mod export;
mod get;
mod life;
pub(crate) mod verify;

use std::cmp::Reverse;
use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::RecoveryPoint;
use clusterbackup_api::recovery_point::PointFormat;
use clusterbackup_vault::point::PointId;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use crate::arguments::backup::{Output, Place};
use crate::arguments::points::{Describe, List, Points};
use crate::cluster::{self, answer};
use crate::words::size;
use crate::{Error, output, store};

pub(crate) fn run(command: &Points, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Points::List(arguments) => list(arguments, out)?,
        Points::Describe(arguments) => describe(arguments, out)?,
        Points::Get(arguments) => get::run(arguments, out)?,
        Points::Diff(arguments) => diff::run(arguments, out)?,
        Points::Export(arguments) => export::run(arguments, out)?,
        Points::Delete(arguments) => life::delete(arguments, out)?,
        Points::Undelete(arguments) => life::undelete(arguments, out)?,
        Points::Verify(arguments) => return verify::run(arguments, out),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: &List, out: &mut dyn Write) -> Result<(), Error> {
    let mut points = cluster::run(async |client| {
        let points = api(client, &arguments.place);
        let namespace = points.namespace().unwrap_or_default();
        let all = ListParams::default();
        let list = answer(
            "list recoverypoints.clusterbackup.io",
            namespace,
            points.list(&all),
        )
        .await;
        Ok(list.map_err(Error::Cluster)?.items)
    })?;
    if let Some(instance) = &arguments.instance {
        points.retain(|point| point.spec.instance == *instance);
    }
    points.sort_by_key(|point| Reverse(point.spec.finished_at.0));
    match arguments.output {
        Output::Text => {
            let head = [
                "NAME", "INSTANCE", "FINISHED", "PHASE", "OBJECTS", "STORED", "VOLUMES",
            ];
            Ok(output::table(&head, points.iter().map(row), out)?)
        }
        Output::Json => output::json(&points, out),
        Output::Yaml => output::yaml(&points, out),
    }
}

fn row(point: &RecoveryPoint) -> Vec<String> {
    let spec = &point.spec;
    vec![
        point.name_any(),
        spec.instance.clone(),
        format!("{:.0}", spec.finished_at.0),
        format!("{:?}", spec.phase),
        spec.objects.to_string(),
        size(spec.stored_bytes),
        spec.volumes.to_string(),
    ]
}

fn describe(arguments: &Describe, out: &mut dyn Write) -> Result<(), Error> {
    let point: RecoveryPoint = cluster::run(async |client| {
        let namespace = arguments.place.namespace(&client);
        cluster::get(
            &client,
            "recoverypoints.clusterbackup.io",
            &namespace,
            &arguments.name,
        )
        .await
    })?;
    match arguments.output {
        Output::Text => print(&point, out),
        Output::Json => output::json(&point, out),
        Output::Yaml => output::yaml(&point, out),
    }
}

fn print(point: &RecoveryPoint, out: &mut dyn Write) -> Result<(), Error> {
    let spec = &point.spec;
    let namespace = point.namespace().unwrap_or_default();
    writeln!(
        out,
        "Point:     {namespace}/{}, in the vault {}",
        point.name_any(),
        spec.vault
    )?;
    writeln!(
        out,
        "Backup:    {}, of the instance {}",
        spec.backup.name, spec.instance
    )?;
    if spec.format == PointFormat::Velero {
        writeln!(out, "Format:    a backup of Velero's or AKS Backup's")?;
    }
    writeln!(out, "Phase:     {:?}", spec.phase)?;
    writeln!(
        out,
        "Time:      {:.0} to {:.0}",
        spec.started_at.0, spec.finished_at.0
    )?;
    writeln!(out, "Cluster:   {}", spec.cluster)?;
    let (objects, stored) = (size(spec.bytes), size(spec.stored_bytes));
    writeln!(out, "Objects:   {}, {objects}; {stored} are stored", spec.objects)?;
    writeln!(
        out,
        "Volumes:   {} snapshots, in the cluster's storage alone",
        spec.volumes
    )?;
    let encrypted = if spec.encrypted { "yes" } else { "no" };
    writeln!(out, "Encrypted: {encrypted}")?;
    life::print(point, out)
}

/// What names a point for ever.
pub(crate) fn id(name: &str) -> Result<PointId, Error> {
    PointId::new(name).map_err(|error| store::told(&error))
}

fn api(client: kube::Client, place: &Place) -> Api<RecoveryPoint> {
    match &place.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::default_namespaced(client),
    }
}
