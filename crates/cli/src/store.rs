//! Vaults, opened as whoever runs the plugin: by a BackupVault of the cluster and its Secret, or by flags and without any
//! cluster. Nothing is ever written into them.

use std::env;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::backup_vault::{Location, Place};
use clusterbackup_api::recovery_point::{PointFormat, Tier};
use clusterbackup_api::{BackupVault, RecoveryPoint};
use clusterbackup_vault::archive::{self, Archive};
use clusterbackup_vault::location;
use clusterbackup_vault::place::{self, ACCOUNT_KEY, SAS_TOKEN, SecretData};
use clusterbackup_vault::point::PointReader;
use clusterbackup_vault::seal::Identity;
use clusterbackup_vault::store::{Patience, Retrying, Store};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;

use crate::arguments::store::Store as Flags;
use crate::input::Input;
use crate::{Error, cluster, points};

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
    /// The one that the flags name, and what lies there.
    Here(Location, PointFormat),
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
        Some(location) => cluster::without(async || work(Vaults::Here(location, flags.format())).await),
        None => cluster::run(async |client| {
            let namespace = namespace.unwrap_or_else(|| client.default_namespace()).to_owned();
            work(Vaults::In { client, namespace }).await
        }),
    }
}

/// What lies where a vault is.
struct Opened {
    store: Store,
    format: PointFormat,
    /// What Velero calls the point that is wanted.
    backup: String,
}

impl Vaults {
    /// The store of a vault that has points of ours. The flags name one, whichever is wanted.
    pub(crate) async fn open(&self, wanted: Wanted<'_>) -> Result<Store, Error> {
        let opened = self.find(wanted).await?;
        match opened.format {
            PointFormat::Native => Ok(opened.store),
            PointFormat::Velero => Err(told(
                &"it is a backup of Velero's: no hashes of its parts are stored to compare them with; `rp get` and `restore \
                  preview --offline` read all of it",
            )),
        }
    }

    /// A point, whoever has stored it. One of Velero's is read to its end first.
    pub(crate) async fn point(&self, name: &str, identity: Option<Identity>) -> Result<PointReader, Error> {
        let Opened {
            store,
            format,
            backup,
        } = self.find(Wanted::Point(name)).await?;
        match format {
            PointFormat::Native => {
                let point = PointReader::open(store, &points::id(name)?, identity).await;
                point.map_err(|error| told(&error))
            }
            PointFormat::Velero => {
                let archive = Archive::open(store, &backup).await;
                let archive = archive.map_err(|error| told(&error))?;
                let point = archive::stage(&archive, name, &env::temp_dir()).await;
                point.map_err(|error| told(&error))
            }
        }
    }

    async fn find(&self, wanted: Wanted<'_>) -> Result<Opened, Error> {
        match self {
            Self::Here(location, format) => {
                let place = place_of(location)?;
                let (Wanted::Vault(name) | Wanted::Point(name)) = wanted;
                Ok(Opened {
                    store: open(place, *format, in_environment(place).as_ref(), None).await?,
                    format: *format,
                    backup: name.to_owned(),
                })
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

async fn of_cluster(client: &Client, wanted: Wanted<'_>, namespace: &str) -> Result<Opened, Error> {
    let (vault, tier, backup) = match wanted {
        Wanted::Vault(name) => (name.to_owned(), Tier::Operational, String::new()),
        Wanted::Point(name) => {
            let point: RecoveryPoint =
                cluster::get(client, "recoverypoints.clusterbackup.io", namespace, name).await?;
            let in_tier = point.status.as_ref().and_then(|status| status.tiers.first());
            let tier = in_tier.map_or(Tier::Operational, |in_tier| in_tier.tier);
            (point.spec.vault, tier, point.spec.backup.name)
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
    Ok(Opened {
        store: open(place, found.spec.format, secret.as_ref(), id).await?,
        format: found.spec.format,
        backup,
    })
}

fn place_of(location: &Location) -> Result<Place<'_>, Error> {
    let nowhere = "the vault names no store, or several: it needs exactly one of fileSystem, azure and s3";
    location.place().ok_or_else(|| told(&nowhere))
}

/// The vault that is there, and no other: who mistyped a prefix must not hear that all of its no points are good.
async fn open(
    place: Place<'_>,
    format: PointFormat,
    secret: Option<&SecretData>,
    id: Option<&str>,
) -> Result<Store, Error> {
    let opened = place::open(place, secret).map_err(|error| told(&error))?;
    let patience = Patience {
        total: PATIENCE,
        ..Patience::default()
    };
    let store: Store = Arc::new(Retrying::new(opened.store, patience));
    let prefix = opened.prefix.as_ref();
    if format == PointFormat::Velero {
        return Ok(location::below(&store, prefix));
    }
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
