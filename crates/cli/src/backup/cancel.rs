//! `backup cancel`: asks the leader to stop a backup.

use std::io::Write;
use std::process::ExitCode;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::Backups;
use crate::Error;
use crate::arguments::backup::Cancel;
use crate::cluster;

pub(super) fn run(arguments: &Cancel, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let Cancel { name, place } = arguments;
    let backup = cluster::run(async |client| {
        let backups = Backups::at(place, client);
        backups.get(name).await?;
        let cancel = Patch::Merge(json!({ "spec": { "cancel": true } }));
        cluster::answer(
            "patch backups.clusterbackup.io",
            &backups.namespace,
            backups.api().patch(name, &PatchParams::default(), &cancel),
        )
        .await
        .map_err(Error::Cluster)
    })?;
    let said = match backup.phase().filter(|phase| phase.is_end()) {
        Some(phase) => format!("has already ended: {phase:?}"),
        None => "is being cancelled; what is frozen is thawed at once".to_owned(),
    };
    writeln!(out, "backup.clusterbackup.io/{name} {said}")?;
    Ok(ExitCode::SUCCESS)
}
