//! `vault create`: makes a BackupVault, and waits until the leader has tried it.

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::backup_vault::{
    Access, Encryption, Immutability, Location, SecretReference, SoftDelete,
};
use clusterbackup_api::recovery_point::PointFormat;
use clusterbackup_api::{BackupVault, BackupVaultSpec};
use clusterbackup_vault::seal::Recipient;
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};

use super::{UNTRIED, show, tried};
use crate::arguments::backup::Output;
use crate::arguments::vault::Create;
use crate::cluster::{self, answer};
use crate::store::told;
use crate::{Error, output};

pub(super) fn run(arguments: &Create, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let mut vault = vault(arguments)?;
    if arguments.dry_run {
        vault.metadata.namespace.clone_from(&arguments.place.namespace);
        write(&vault, arguments.output, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let created = cluster::run(async |client| {
        let namespace = arguments.place.namespace(&client);
        create(client, &namespace, &vault, arguments).await
    })?;
    let (created, tried) = (&created, tried(&created).ok_or_else(|| told(&UNTRIED))?);
    match arguments.output {
        Output::Text => show(created, tried, out)?,
        shown => write(created, shown, out)?,
    }
    Ok(super::code(tried))
}

fn vault(arguments: &Create) -> Result<BackupVault, Error> {
    let nowhere = "say where the vault is to be: by --file-system, --azure or --s3";
    let mut operational = arguments.store.location().ok_or_else(|| told(&nowhere))?;
    if let Some(secret) = &arguments.credentials {
        give(&mut operational, secret)?;
    }
    for recipient in &arguments.recipients {
        recipient.parse::<Recipient>().map_err(|error| told(&error))?;
    }
    let recipients = arguments.recipients.clone();
    let spec = BackupVaultSpec {
        operational,
        vault_tier: None,
        format: arguments.store.format(),
        access: if arguments.read_only || arguments.store.format() == PointFormat::Velero {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        },
        adopt: Vec::new(),
        encryption: (!recipients.is_empty()).then_some(Encryption { recipients }),
        limits: None,
        soft_delete: SoftDelete::default(),
        immutability: Immutability::default(),
    };
    Ok(BackupVault::new(&arguments.name, spec))
}

/// Names the Secret with the credentials.
fn give(location: &mut Location, secret: &str) -> Result<(), Error> {
    let place = match location {
        Location {
            azure: Some(azure), ..
        } => &mut azure.credentials,
        Location { s3: Some(bucket), .. } => &mut bucket.credentials,
        _ => return Err(told(&"a folder takes no credentials: leave out --credentials")),
    };
    *place = Some(SecretReference {
        name: secret.to_owned(),
    });
    Ok(())
}

/// As it is when the leader has tried it, or when nobody has for too long.
async fn create(
    client: Client,
    namespace: &str,
    vault: &BackupVault,
    arguments: &Create,
) -> Result<BackupVault, Error> {
    let vaults = Api::<BackupVault>::namespaced(client, namespace);
    let created = answer(
        "create backupvaults.clusterbackup.io",
        namespace,
        vaults.create(&PostParams::default(), vault),
    )
    .await;
    let created = created.map_err(Error::Cluster)?;
    let is_tried = |vault: Option<&BackupVault>| vault.is_none_or(|vault| tried(vault).is_some());
    let wait = await_condition(vaults, &arguments.name, is_tried);
    match tokio::time::timeout(arguments.timeout.duration(), wait).await {
        Ok(Ok(Some(vault))) => Ok(vault),
        Ok(Ok(None)) => Err(told(&"the vault was deleted before anybody has tried it")),
        Ok(Err(error)) => Err(Error::Cluster(format!(
            "the vault is created; failed to watch it: {error}"
        ))),
        Err(_) => Ok(created),
    }
}

fn write(vault: &BackupVault, shown: Output, out: &mut dyn Write) -> Result<(), Error> {
    match shown {
        Output::Json => output::json(vault, out),
        Output::Text | Output::Yaml => output::yaml(vault, out),
    }
}
