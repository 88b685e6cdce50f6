//! The vault that an instance names: found, and opened for writing or for reading.
//!
//! | module | concern |
//! |---|---|
//! | `credentials` | the Secret that it names |
//! | `error`, `reason` | why it can't be used |

mod credentials;
mod error;
mod reason;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::backup_vault::{self, Access, Place};
use clusterbackup_api::recovery_point::PointFormat;
use clusterbackup_api::{BackupVault, RecoveryPoint};
use clusterbackup_core::retention::Tier;
use clusterbackup_vault::location::{self, Deletion, Location};
use clusterbackup_vault::seal::Seal;
use clusterbackup_vault::store::{Key, Patience, ReadOnly, Retrying, Store};
use clusterbackup_vault::{archive, place};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, Client, ResourceExt as _};

pub(super) use self::error::VaultError;
pub(super) use self::reason::Reason;
use super::error::Doing as _;
use super::mirror;

/// Whoever stores something goes on after that, and tells people first.
const STORING: Patience = Patience {
    attempt: Duration::from_mins(1),
    pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(10),
    total: Duration::from_mins(1),
};
/// Somebody waits for the answer.
const TRYING: Patience = Patience {
    attempt: Duration::from_secs(15),
    pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(5),
    total: Duration::from_secs(10),
};
/// A vault that can be written into.
#[derive(Debug, Clone)]
pub(super) struct OpenVault {
    /// Its name, and which one of that name.
    pub(super) owner: OwnerReference,
    /// For whom its points are encrypted.
    pub(super) seal: Seal,
    location: Location,
}

impl OpenVault {
    /// Where its points lie.
    pub(super) fn store(&self) -> &Store {
        self.location.store()
    }
}

/// What was found when a vault was tried.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    /// What its place is called; nothing where it is not ours.
    pub(super) id: Option<String>,
    /// What it can be used for.
    pub(super) usable: Usable,
}

/// What a vault can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usable {
    /// To read, as it says itself.
    Read,
    /// To write, and perhaps to remove something.
    Write(Deletion),
}

/// What vaults are opened with.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    /// The folder below which those in file systems are.
    pub(super) folder: Arc<PathBuf>,
}

/// The vault of that name.
pub(super) async fn read(client: &Client, namespace: &str, name: &str) -> Result<BackupVault, VaultError> {
    let vaults = Api::<BackupVault>::namespaced(client.clone(), namespace);
    let found = vaults.get_opt(name).await;
    let found = found.doing(format!("read BackupVault {namespace}/{name}"))?;
    found.ok_or_else(|| VaultError::Missing(name.to_owned()))
}

impl Doors {
    /// Finds the vault of that name, and opens it for writing.
    pub(super) async fn find(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> Result<OpenVault, VaultError> {
        self.open(client, &read(client, namespace, name).await?).await
    }

    /// Opens a vault for writing.
    pub(super) async fn open(&self, client: &Client, vault: &BackupVault) -> Result<OpenVault, VaultError> {
        self.open_at(client, vault, Tier::Operational).await
    }

    async fn open_at(
        &self,
        client: &Client,
        vault: &BackupVault,
        tier: Tier,
    ) -> Result<OpenVault, VaultError> {
        if vault.spec.access == Access::ReadOnly {
            return Err(VaultError::ReadOnly);
        }
        Ok(OpenVault {
            owner: mirror::owner(vault),
            seal: seal(vault)?,
            location: self.locate(client, vault, tier, STORING).await?,
        })
    }

    /// What is in a tier of a vault, for who looks after it: as the vault's access says.
    pub(super) async fn open_tier(
        &self,
        client: &Client,
        vault: &BackupVault,
        tier: Tier,
    ) -> Result<Store, VaultError> {
        if vault.spec.access == Access::ReadOnly {
            return self.open_to_read(client, vault, tier).await;
        }
        let location = self.locate(client, vault, tier, STORING).await?;
        Ok(Arc::clone(location.store()))
    }

    /// What is in a tier of a vault, for who only reads, whatever the vault's access is.
    pub(super) async fn open_to_read(
        &self,
        client: &Client,
        vault: &BackupVault,
        tier: Tier,
    ) -> Result<Store, VaultError> {
        let store = match vault.spec.format {
            PointFormat::Native => {
                let location = self.locate(client, vault, tier, STORING).await?;
                Arc::clone(location.store())
            }
            PointFormat::Velero => self.archives(client, vault, STORING).await?,
        };
        Ok(Arc::new(ReadOnly::new(store)))
    }

    /// The vault that has a point, in the tier that has it, opened for writing.
    pub(super) async fn open_vault_of(
        &self,
        client: &Client,
        point: &RecoveryPoint,
    ) -> Result<OpenVault, VaultError> {
        let namespace = point.namespace().unwrap_or_default();
        let vault = read(client, &namespace, &point.spec.vault).await?;
        self.open_at(client, &vault, tier_of(point)).await
    }

    /// What is in the tier that has a point, for who only reads it.
    pub(super) async fn open_point(
        &self,
        client: &Client,
        point: &RecoveryPoint,
    ) -> Result<Store, VaultError> {
        let namespace = point.namespace().unwrap_or_default();
        let vault = read(client, &namespace, &point.spec.vault).await?;
        self.open_to_read(client, &vault, tier_of(point)).await
    }

    /// Tries whether a tier of a vault can be used.
    pub(super) async fn check(
        &self,
        client: &Client,
        vault: &BackupVault,
        tier: Tier,
    ) -> Result<Checked, VaultError> {
        seal(vault)?;
        if vault.spec.format == PointFormat::Velero {
            let backups = archive::names(&self.archives(client, vault, TRYING).await?).await?;
            let found = Checked {
                usable: Usable::Read,
                id: None,
            };
            return if backups.is_empty() {
                Err(VaultError::NoBackups)
            } else {
                Ok(found)
            };
        }
        let location = self.locate(client, vault, tier, TRYING).await?;
        Ok(Checked {
            usable: match vault.spec.access {
                Access::ReadOnly => Usable::Read,
                Access::ReadWrite => Usable::Write(location.check().await?),
            },
            id: Some(location.id().to_owned()),
        })
    }

    /// Where a tier is. Two in one place would be one.
    async fn locate(
        &self,
        client: &Client,
        vault: &BackupVault,
        tier: Tier,
        patience: Patience,
    ) -> Result<Location, VaultError> {
        let location = self.enter(client, vault, tier, patience).await?;
        if tier == Tier::Operational {
            return Ok(location);
        }
        let known = vault.status.as_ref().and_then(|status| status.id.clone());
        let operational = if let Some(id) = known {
            id
        } else {
            let first = self.enter(client, vault, Tier::Operational, patience).await?;
            first.id().to_owned()
        };
        if location.id() == operational {
            return Err(VaultError::SamePlace);
        }
        Ok(location)
    }

    async fn enter(
        &self,
        client: &Client,
        vault: &BackupVault,
        tier: Tier,
        patience: Patience,
    ) -> Result<Location, VaultError> {
        let (store, prefix) = self.reach(client, vault, tier, patience).await?;
        let prefix = prefix.as_ref();
        let id = vault.status.as_ref().and_then(|status| status.id(tier));
        Ok(match (id, vault.spec.access) {
            (Some(id), _) => Location::known(&store, prefix, id).await?,
            (None, Access::ReadOnly) => Location::find(&store, prefix).await?,
            (None, Access::ReadWrite) => Location::open(&store, prefix).await?,
        })
    }

    /// Where Velero's backups are.
    async fn archives(
        &self,
        client: &Client,
        vault: &BackupVault,
        patience: Patience,
    ) -> Result<Store, VaultError> {
        let (store, prefix) = self.reach(client, vault, Tier::Operational, patience).await?;
        Ok(location::below(&store, prefix.as_ref()))
    }

    /// The store that a tier names, and below which segments it is, whatever lies there.
    async fn reach(
        &self,
        client: &Client,
        vault: &BackupVault,
        tier: Tier,
        patience: Patience,
    ) -> Result<(Store, Option<Key>), VaultError> {
        let place = vault.spec.location(tier).and_then(backup_vault::Location::place);
        let place = place.ok_or(VaultError::NoPlace)?;
        if let Place::FileSystem(folder) = place {
            self.has(&folder.path)?;
        }
        let secret = match place.credentials() {
            Some(name) => {
                Some(credentials::read(client, &vault.namespace().unwrap_or_default(), name).await?)
            }
            None => None,
        };
        let opened = place::open(place, secret.as_ref());
        let opened = opened.map_err(|error| VaultError::of_place(error, place.credentials()))?;
        Ok((Arc::new(Retrying::new(opened.store, patience)), opened.prefix))
    }

    /// Whether a folder is below the one for vaults.
    fn has(&self, path: &str) -> Result<(), VaultError> {
        let detour = Path::new(path)
            .components()
            .any(|part| part == Component::ParentDir);
        if detour || !Path::new(path).starts_with(&*self.folder) {
            return Err(VaultError::Outside {
                path: path.to_owned(),
                root: self.folder.display().to_string(),
            });
        }
        Ok(())
    }
}

/// The tier that a point is read from.
fn tier_of(point: &RecoveryPoint) -> Tier {
    let in_tier = point.status.as_ref().and_then(|status| status.tiers.first());
    in_tier.map_or(Tier::Operational, |in_tier| in_tier.tier)
}

fn seal(vault: &BackupVault) -> Result<Seal, VaultError> {
    let recipients = vault.spec.recipients().iter().map(|text| text.parse());
    Ok(Seal::to(recipients.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_vault_is_below_the_one_for_vaults() {
        let doors = Doors {
            folder: Arc::new("/vaults".into()),
        };
        for (path, opens) in [
            ("/vaults/shop", true),
            ("/vaults", true),
            ("/vaults-of-others", false),
            ("/var/run/secrets", false),
            ("/vaults/../etc", false),
            ("vaults/shop", false),
        ] {
            assert_eq!(doors.has(path).is_ok(), opens, "{path}");
        }
    }
}
