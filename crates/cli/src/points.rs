//! `rp …`: recovery points, as the cluster lists them and as they lie in a vault.

use std::cmp::Reverse;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clusterbackup_api::RecoveryPoint;
use clusterbackup_vault::point::{PointId, PointReader};
use clusterbackup_vault::seal::Identity;
use clusterbackup_vault::store::FileStore;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use crate::arguments::backup::{Output, Place};
use crate::arguments::vault::{Describe, Form, Get, List, Points};
use crate::cluster::{self, answer};
use crate::input::Input;
use crate::mask::Mask;
use crate::words::size;
use crate::{Error, output};

pub(crate) fn run(command: &Points, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Points::List(arguments) => list(arguments, out)?,
        Points::Describe(arguments) => describe(arguments, out)?,
        Points::Get(arguments) => get(arguments, out)?,
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
    let name = &arguments.name;
    let point = cluster::run(async |client| {
        let points = api(client, &arguments.place);
        let namespace = points.namespace().unwrap_or_default();
        let get = answer(
            "get recoverypoints.clusterbackup.io",
            namespace,
            points.get_opt(name),
        )
        .await;
        get.map_err(Error::Cluster)?.ok_or_else(|| {
            Error::Cluster(format!(
                "there is no RecoveryPoint {namespace}/{name}; `kubectl get recoverypoints --all-namespaces` lists all \
                 there are"
            ))
        })
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
    Ok(writeln!(out, "Encrypted: {encrypted}")?)
}

fn get(arguments: &Get, out: &mut dyn Write) -> Result<(), Error> {
    let object = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?
        .block_on(read(arguments))?;
    let shown = if arguments.show_secrets {
        object
    } else {
        Mask::of([&object]).object(&object)
    };
    match arguments.output {
        Form::Yaml => output::yaml(&shown, out),
        Form::Json => output::json(&shown, out),
    }
}

async fn read(arguments: &Get) -> Result<Value, Error> {
    let vault = |error: &dyn std::fmt::Display| Error::Vault(error.to_string());
    let identity = arguments.identity.as_deref().map(Input::read).transpose()?;
    let identity = identity.map(|file| file.text.parse::<Identity>()).transpose();
    let id = PointId::new(arguments.point.as_str()).map_err(|error| vault(&error))?;
    let store = Arc::new(FileStore::new(&arguments.vault_folder));
    let point = PointReader::open(store, &id, identity.map_err(|error| vault(&error))?).await;
    let Some((kind, name)) = arguments.object.split_once('/') else {
        let how = "write the object as its kind, `/` and its name: deployments.apps/web";
        return Err(Error::Vault(how.to_owned()));
    };
    let point = point.map_err(|error| vault(&error))?;
    let found = point.get(kind, arguments.namespace.as_deref(), name).await;
    let json = found.map_err(|error| vault(&error))?.ok_or_else(|| {
        let place = arguments.namespace.as_ref();
        let place = place.map_or_else(String::new, |namespace| format!(" of the namespace {namespace}"));
        Error::Vault(format!("the recovery point has no {}{place}", arguments.object))
    })?;
    serde_json::from_slice(&json).map_err(|error| vault(&error))
}

fn api(client: kube::Client, place: &Place) -> Api<RecoveryPoint> {
    match &place.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::default_namespaced(client),
    }
}
