//! `rp export`: a recovery point as a backup that other programs restore.

use std::io::Write;
use std::sync::Arc;

use clusterbackup_vault::archive;
use clusterbackup_vault::store::{FileStore, Store};

use crate::Error;
use crate::arguments::points::Export;
use crate::store::{self, told};
use crate::words::size;

pub(super) fn run(arguments: &Export, out: &mut dyn Write) -> Result<(), Error> {
    let identity = store::identity(arguments.reading.identity.as_deref())?;
    let namespace = arguments.reading.place.namespace.as_deref();
    let exported = store::run(&arguments.reading.store, namespace, async |vaults| {
        let point = vaults.point(&arguments.name, identity).await?;
        let target: Store = Arc::new(FileStore::new(&arguments.velero));
        archive::export(&point, &target)
            .await
            .map_err(|error| told(&error))
    })?;
    Ok(writeln!(
        out,
        "backup {} of Velero written to {}: {} objects, {}, in clear text",
        exported.name,
        arguments.velero.join("backups").join(&exported.name).display(),
        exported.objects,
        size(exported.bytes)
    )?)
}
