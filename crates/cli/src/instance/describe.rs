//! `instance describe`: what an instance protects, and how that goes.

use std::io::Write;

use clusterbackup_api::{Backup, BackupInstance, RecoveryPoint};

use super::report::Report;
use crate::arguments::backup::Output;
use crate::arguments::instance::Describe;
use crate::{Error, cluster, output};

pub(super) fn run(arguments: &Describe, out: &mut dyn Write) -> Result<(), Error> {
    let report = cluster::run(async |client| {
        let namespace = arguments.place.namespace(&client);
        let kinds = "backupinstances.clusterbackup.io";
        let instance: BackupInstance = cluster::get(&client, kinds, &namespace, &arguments.name).await?;
        let backups: Vec<Backup> = cluster::list(&client, "backups.clusterbackup.io", &namespace).await?;
        let points: Vec<RecoveryPoint> =
            cluster::list(&client, "recoverypoints.clusterbackup.io", &namespace).await?;
        Ok(Report::of(instance, backups, points))
    })?;
    match arguments.output {
        Output::Text => Ok(report.print(out)?),
        Output::Json => output::json(&report, out),
        Output::Yaml => output::yaml(&report, out),
    }
}
