//! Vaults, opened as whoever runs the plugin: by a BackupVault of the cluster and its Secret, or by flags and without any
//! cluster. Nothing is ever written into them.

use std::env;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::backup_vault::{Location, Place};
use clusterbackup_api::recovery_point::Tier;
use clusterbackup_api::{BackupVault, RecoveryPoint};
use clusterbackup_vault::location;
use clusterbackup_vault::place::{self, ACCOUNT_KEY, SAS_TOKEN, SecretData};
use clusterbackup_vault::seal::Identity;
use clusterbackup_vault::store::{Patience, Retrying, Store};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;

use crate::Error;
use crate::arguments::store::Store as Flags;
use crate::cluster;
use crate::input::Input;

/// Longer nobody waits at a terminal for a store that doesn't answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the tools of Azure call the credentials of a container, and what its Secret does.
const OF_AZURE: [(&str, &str); 2] = [
    ("AZURE_STORAGE_KEY", ACCOUNT_KEY),
    ("AZURE_STORAGE_SAS_TOKEN", SAS_TOKEN),
];

/// Which vault of a cluster is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The one of this name.
    Vault(&'a str),
    /// The one that this recovery point is in.
    Point(&'a str),
}

/// The vaults that can be opened.
pub(crate) enum Vaults {
    /// The one that the flags name.
    Here(Location),
    /// Those of a namespace.
    In { client: Client, namespace: String },
}

/// Runs a command on vaults: the one of the flags, or else those of this namespace or the one of the current context.
pub(crate) fn run<T>(
    flags: &Flags,
    namespace: Option<&str>,
    work: impl AsyncFnOnce(Vaults) -> Result<T, Error>,
) -> Result<T, Error> {
    match flags.location() {
        Some(location) => cluster::without(async || work(Vaults::Here(location)).await),
        None => cluster::run(async |client| {
            let namespace = namespace.unwrap_or_else(|| client.default_namespace()).to_owned();
            work(Vaults::In { client, namespace }).await
        }),
    }
}

impl Vaults {
    /// The store of a vault. The flags name one, whichever is wanted.
    pub(crate) async fn open(&self, wanted: Wanted<'_>) -> Result<Store, Error> {
        match self {
            Self::Here(location) => {
                let place = place_of(location)?;
                open(place, in_environment(place).as_ref(), None).await
            }
            Self::In { client, namespace } => of_cluster(client, wanted, namespace).await,
        }
    }
}

/// What a vault says, as an error of the plugin.
pub(crate) fn told(error: &impl Display) -> Error {
    Error::Vault(error.to_string())
}

/// The private key in a file.
pub(crate) fn identity(file: Option<&str>) -> Result<Option<Identity>, Error> {
    let file = file.map(Input::read).transpose()?;
    let identity = file.map(|file| file.text.parse()).transpose();
    identity.map_err(|error| told(&error))
}

async fn of_cluster(client: &Client, wanted: Wanted<'_>, namespace: &str) -> Result<Store, Error> {
    let (vault, tier) = match wanted {
        Wanted::Vault(name) => (name.to_owned(), Tier::Operational),
        Wanted::Point(name) => {
            let point: RecoveryPoint =
                cluster::get(client, "recoverypoints.clusterbackup.io", namespace, name).await?;
            let in_tier = point.status.as_ref().and_then(|status| status.tiers.first());
            let tier = in_tier.map_or(Tier::Operational, |in_tier| in_tier.tier);
            (point.spec.vault, tier)
        }
    };
    let found: BackupVault = cluster::get(client, "backupvaults.clusterbackup.io", namespace, &vault).await?;
    let gone = || {
        Error::Vault(format!(
            "the vault {namespace}/{vault} has no {tier} tier any more"
        ))
    };
    let place = place_of(found.spec.location(tier).ok_or_else(gone)?)?;
    if let Place::FileSystem(folder) = place {
        return Err(Error::Vault(format!(
            "the vault {namespace}/{vault} is in {}, a folder of the leader's: give the folder as this machine sees it, by \
             --file-system",
            folder.path
        )));
    }
    let secret = match place.credentials() {
        Some(secret) => {
            let secret: Secret = cluster::get(client, "secrets", namespace, secret).await?;
            Some(secret.data.unwrap_or_default())
        }
        None => in_environment(place),
    };
    let id = found.status.as_ref().and_then(|status| status.id(tier));
    open(place, secret.as_ref(), id).await
}

fn place_of(location: &Location) -> Result<Place<'_>, Error> {
    let nowhere = "the vault names no store, or several: it needs exactly one of fileSystem, azure and s3";
    location.place().ok_or_else(|| told(&nowhere))
}

/// The vault that is there, and no other: who mistyped a prefix must not hear that all of its no points are good.
async fn open(place: Place<'_>, secret: Option<&SecretData>, id: Option<&str>) -> Result<Store, Error> {
    let opened = place::open(place, secret).map_err(|error| told(&error))?;
    let patience = Patience {
        total: PATIENCE,
        ..Patience::default()
    };
    let store: Store = Arc::new(Retrying::new(opened.store, patience));
    let prefix = opened.prefix.as_ref();
    let found = match id {
        Some(id) => location::Location::known(&store, prefix, id).await,
        None => location::Location::find(&store, prefix).await,
    };
    found
        .map(|location| Arc::clone(location.store()))
        .map_err(|error| told(&error))
}

/// The credentials of a container in the variables that the tools of Azure read. Those of a bucket its client finds itself.
fn in_environment(place: Place<'_>) -> Option<SecretData> {
    let Place::Azure(_) = place else { return None };
    let given = OF_AZURE.into_iter().filter_map(|(variable, key)| {
        let value = env::var(variable).ok().filter(|value| !value.is_empty())?;
        Some((key.to_owned(), ByteString(value.into_bytes())))
    });
    Some(given.collect::<SecretData>()).filter(|given| !given.is_empty())
}
