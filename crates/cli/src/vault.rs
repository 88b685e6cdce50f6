//! `vault …`: whether vaults can be used, and keys for them.
//!
//! - `adopt`: points of clusters that are gone
//! - `create`: makes one
//! - `verify`: whether what is in them is damaged
//! - `configuration`: sets a cluster up from one

mod adopt;
mod configuration;
mod create;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use age::secrecy::ExposeSecret as _;
use clusterbackup_api::BackupVault;
use clusterbackup_api::conditions::{self, READY};
use clusterbackup_vault::seal::Identity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;

use crate::Error;
use crate::arguments::vault::{Check, Vault};
use crate::cluster;

const UNTRIED: &str =
    "nobody has tried the vault yet; is there a leader? `kubectl clusterbackup agents status`";

pub(crate) fn run(command: &Vault, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match command {
        Vault::Create(arguments) => create::run(arguments, out),
        Vault::Check(arguments) => check(arguments, out),
        Vault::Verify(arguments) => verify::run(arguments, out),
        Vault::RestoreConfig(arguments) => configuration::run(arguments, out),
        Vault::Adopt(arguments) => adopt::run(arguments, out),
        Vault::Keygen => keygen(out),
    }
}

fn check(arguments: &Check, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let name = &arguments.name;
    let vault: BackupVault = cluster::run(async |client| {
        let namespace = arguments.place.namespace(&client);
        cluster::get(&client, "backupvaults.clusterbackup.io", &namespace, name).await
    })?;
    let tried = tried(&vault).ok_or_else(|| Error::Cluster(UNTRIED.to_owned()))?;
    show(&vault, tried, out)?;
    Ok(code(tried))
}

/// What the leader has found, of the vault as it is now.
fn tried(vault: &BackupVault) -> Option<&Condition> {
    let status = vault.status.as_ref()?;
    let ready = conditions::find(&status.conditions, READY);
    ready.filter(|_| status.observed_generation == vault.metadata.generation)
}

fn show(vault: &BackupVault, tried: &Condition, out: &mut dyn Write) -> Result<(), Error> {
    let encrypted = !vault.spec.recipients().is_empty();
    Ok(writeln!(
        out,
        "Vault:     {}/{}\nReady:     {} ({})\n           {}\nEncrypted: {}",
        vault.namespace().unwrap_or_default(),
        vault.name_any(),
        tried.status,
        tried.reason,
        tried.message,
        if encrypted { "yes" } else { "no" },
    )?)
}

fn code(tried: &Condition) -> ExitCode {
    if tried.status == "True" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The private half is shown this once, and stored nowhere.
fn keygen(out: &mut dyn Write) -> Result<ExitCode, Error> {
    let identity = Identity::generate();
    writeln!(out, "# public key: {}", identity.recipient())?;
    writeln!(out, "{}", identity.reveal().expose_secret())?;
    Ok(ExitCode::SUCCESS)
}
