//! What the leader finds out by dry runs: a Restore that only previews is made, waited for, told of and deleted.

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::Restore;
use clusterbackup_api::restore::RestorePhase;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::super::create::{add_manner, asked};
use super::super::{Restores, report, told};
use crate::Error;
use crate::arguments::restore::{Preview, PreviewOutput, ReportOutput};
use crate::cluster::{self, answer};

pub(super) fn run(arguments: &Preview, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let place = &arguments.reading.place;
    let ended = cluster::run(async |client| {
        let restores = Restores::at(place, client);
        let restore = restores.create(wanted(arguments)).await?;
        let name = restore.name_any();
        let ended = restores.until_ended(&name, arguments.timeout.duration()).await;
        Ok((name, ended))
    });
    let (name, ended) = ended?;
    let shown = ended.and_then(|restore| show(&restore, arguments, out));
    // Also where nothing can be shown: nobody looks at it again.
    let deleted = cluster::run(async |client| {
        let restores = Restores::at(place, client);
        let what = "delete restores.clusterbackup.io";
        let params = DeleteParams::default();
        let deleted = answer(what, &restores.namespace, restores.api().delete(&name, &params)).await;
        deleted.map_err(Error::Cluster)
    });
    let shown = shown?;
    deleted?;
    Ok(shown)
}

fn show(restore: &Restore, arguments: &Preview, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let form = match arguments.output {
        PreviewOutput::Table => ReportOutput::Table,
        PreviewOutput::Json => ReportOutput::Json,
        PreviewOutput::Html => ReportOutput::Html,
    };
    match report::load(restore, &arguments.reading) {
        Ok(found) if arguments.show_secrets => report::show(&found, restore, form, out)?,
        Ok(found) => report::show(&report::hide(found), restore, form, out)?,
        Err(error) => {
            // The status holds the worst of it.
            told::print(restore, out)?;
            return Err(error);
        }
    }
    Ok(match restore.phase() {
        Some(RestorePhase::Completed) => ExitCode::SUCCESS,
        Some(RestorePhase::CompletedWithWarnings) => ExitCode::from(2),
        _ => {
            told::print(restore, &mut std::io::stderr())?;
            ExitCode::FAILURE
        }
    })
}

/// The Restore, as it would be made, but for its mode.
fn wanted(arguments: &Preview) -> Value {
    let mut spec = asked(&arguments.point, &arguments.asked);
    add_manner(&mut spec, &arguments.manner);
    spec["mode"] = json!("Preview");
    if let Some(secret) = &arguments.identity_secret {
        spec["identity"] = json!(secret);
    }
    json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "Restore",
        "metadata": { "generateName": "preview-" },
        "spec": spec,
    })
}
