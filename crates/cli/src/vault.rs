//! `vault …`: whether vaults can be used, and keys for them.

use std::io::Write;
use std::process::ExitCode;

use age::secrecy::ExposeSecret as _;
use clusterbackup_api::BackupVault;
use clusterbackup_api::conditions::READY;
use clusterbackup_vault::seal::Identity;
use kube::Api;

use crate::Error;
use crate::arguments::vault::{Check, Vault};
use crate::cluster::{self, answer};

pub(crate) fn run(command: &Vault, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Vault::Check(arguments) => check(arguments, out),
        Vault::Keygen => keygen(out),
    }
}

fn check(arguments: &Check, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let name = &arguments.name;
    let (namespace, vault) = cluster::run(async |client| {
        let place = arguments.place.namespace.as_deref();
        let namespace = place.unwrap_or_else(|| client.default_namespace()).to_owned();
        let vaults = Api::<BackupVault>::namespaced(client.clone(), &namespace);
        let vault = answer(
            "get backupvaults.clusterbackup.io",
            &namespace,
            vaults.get_opt(name),
        )
        .await;
        Ok((namespace, vault.map_err(Error::Cluster)?))
    })?;
    let vault = vault.ok_or_else(|| {
        Error::Cluster(format!(
            "there is no BackupVault {namespace}/{name}; `kubectl get backupvaults --all-namespaces` lists all there are"
        ))
    })?;
    let status = vault.status.unwrap_or_default();
    let tried = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == READY);
    let Some(tried) = tried.filter(|_| status.observed_generation == vault.metadata.generation) else {
        let nobody =
            "nobody has tried the vault yet; is there a leader? `kubectl clusterbackup agents status`";
        return Err(Error::Cluster(nobody.to_owned()));
    };
    writeln!(
        out,
        "Vault:     {namespace}/{name}\nReady:     {} ({})\n           {}\nEncrypted: {}",
        tried.status,
        tried.reason,
        tried.message,
        if status.encrypted { "yes" } else { "no" },
    )?;
    Ok(if tried.status == "True" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The private half is shown this once, and stored nowhere.
fn keygen(out: &mut dyn Write) -> Result<ExitCode, Error> {
    let identity = Identity::generate();
    writeln!(out, "# public key: {}", identity.recipient())?;
    writeln!(out, "{}", identity.reveal().expose_secret())?;
    Ok(ExitCode::SUCCESS)
}
