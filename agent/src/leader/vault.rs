//! The vault that an instance names: found, and opened for writing.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clusterbackup_api::BackupVault;
use clusterbackup_api::backup_vault::Place;
use clusterbackup_vault::seal::{BadRecipient, Seal};
use clusterbackup_vault::store::{BadKey, FileStore, Key, Store, StoreError};
use kube::{Api, Client};
use tokio::time::timeout;

use super::error::{Doing as _, DriveError};

/// What is written to try a vault.
const PROBE: &str = "probe.txt";
const TEXT: &[u8] = b"clusterbackup tries whether it can write here";
/// A store that doesn't answer by then can't be used.
const LIMIT: Duration = Duration::from_secs(30);

/// A vault that can be written into.
#[derive(Debug, Clone)]
pub(super) struct OpenVault {
    /// Its name.
    pub(super) name: String,
    /// Where its points lie.
    pub(super) store: Store,
    /// For whom they are encrypted.
    pub(super) seal: Seal,
}

/// Why a vault can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum VaultError {
    /// There is none.
    #[error("BackupVault {0} doesn't exist in the namespace of the instance: create it, or name another")]
    Missing(String),
    /// Nobody of ours can write there.
    #[error("this version writes into file systems alone: give the vault a fileSystem")]
    NoSuchStore,
    /// The leader was not given that folder.
    #[error("the folder {path} is not below {root}, which the leader has for vaults: choose one there")]
    Outside {
        /// The vault's.
        path: String,
        /// The leader's.
        root: String,
    },
    /// A recipient is none.
    #[error(transparent)]
    Recipient(#[from] BadRecipient),
    /// A name that is no key: a mistake of ours.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The store is not as it should be.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be read.
    #[error(transparent)]
    Unread(#[from] DriveError),
}

impl VaultError {
    /// Whether trying again may help without anybody doing anything.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Unread(error) => !error.is_final(),
            Self::Missing(_)
            | Self::NoSuchStore
            | Self::Outside { .. }
            | Self::Recipient(_)
            | Self::Key(_) => false,
        }
    }

    /// In one stable word for programs.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "Missing",
            Self::NoSuchStore | Self::Outside { .. } | Self::Recipient(_) | Self::Key(_) => "SpecInvalid",
            Self::Unread(_) => "ApiServerUnreachable",
            Self::Store(error) => match error {
                StoreError::Denied { .. } => "AccessDenied",
                StoreError::NoLocation { .. } => "LocationMissing",
                StoreError::Full { .. } => "StoreFull",
                StoreError::ReadOnly { .. } | StoreError::Immutable { .. } => "ReadOnly",
                StoreError::Unreachable { .. } => "StoreUnreachable",
                _ => "StoreFailed",
            },
        }
    }
}

impl OpenVault {
    /// Writes a blob, reads it, and removes it.
    pub(super) async fn probe(&self) -> Result<(), VaultError> {
        let key = Key::new(PROBE)?;
        let tried = async {
            self.store.put(&key, Bytes::from_static(TEXT)).await?;
            let read = self.store.get_range(&key, 0..TEXT.len() as u64).await?;
            self.store.delete(&key).await?;
            if read == TEXT {
                return Ok(());
            }
            Err(StoreError::Other {
                message: "other bytes than were written".to_owned(),
            })
        };
        let slow = StoreError::Unreachable {
            message: format!("no answer within {} s", LIMIT.as_secs()),
            retry_after: None,
        };
        Ok(timeout(LIMIT, tried).await.unwrap_or(Err(slow))?)
    }
}

/// What vaults are opened with.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    /// The folder below which those in file systems are.
    pub(super) folder: Arc<PathBuf>,
}

impl Doors {
    /// Finds the vault of that name, and opens it.
    pub(super) async fn find(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> Result<OpenVault, VaultError> {
        let found = Api::<BackupVault>::namespaced(client.clone(), namespace)
            .get_opt(name)
            .await;
        let vault = found.doing(format!("read BackupVault {namespace}/{name}"))?;
        self.open(name, &vault.ok_or_else(|| VaultError::Missing(name.to_owned()))?)
    }

    /// Opens a vault.
    pub(super) fn open(&self, name: &str, vault: &BackupVault) -> Result<OpenVault, VaultError> {
        let store = match vault.spec.operational.place() {
            Some(Place::FileSystem(folder)) => self.folder(&folder.path)?,
            Some(Place::Azure(_) | Place::S3(_)) | None => return Err(VaultError::NoSuchStore),
        };
        let recipients = vault.spec.recipients().iter().map(|text| text.parse());
        Ok(OpenVault {
            name: name.to_owned(),
            store,
            seal: Seal::to(recipients.collect::<Result<_, _>>()?),
        })
    }

    fn folder(&self, path: &str) -> Result<Store, VaultError> {
        let detour = Path::new(path)
            .components()
            .any(|part| part == Component::ParentDir);
        if detour || !Path::new(path).starts_with(&*self.folder) {
            return Err(VaultError::Outside {
                path: path.to_owned(),
                root: self.folder.display().to_string(),
            });
        }
        Ok(Arc::new(FileStore::new(path)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
            let folder = json!({ "fileSystem": { "path": path } });
            let vault = json!({ "metadata": { "name": "v" }, "spec": { "operational": folder } });
            let vault: BackupVault = serde_json::from_value(vault).unwrap();
            let opened = doors.open("v", &vault);
            assert_eq!(opened.is_ok(), opens, "{path}");
        }
    }
}
