//! Where a vault is, and how it is read.

use clap::{Args, ValueHint};
use clusterbackup_api::backup_vault::{Azure, FileSystem, Location, S3};
use clusterbackup_api::recovery_point::PointFormat;

use super::backup::Place;

/// What `--help` says of the rights of a command that reads a vault, behind what it asks the cluster for first.
macro_rules! rights_of_readers {
    () => {
        "get backupvaults.clusterbackup.io, and the Secret that the vault names.
Without a cluster, and where the vault names no Secret, the credentials are read from the variables
AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    };
}
pub(super) use rights_of_readers;

/// How a vault is read.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) store: Store,
    /// The file with the private key, for what is encrypted.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<String>,
}

/// A place in a store; nothing, where a cluster is to say it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the vault is")]
pub(crate) struct Store {
    /// A folder.
    #[arg(long, value_name = "FOLDER", group = "store", value_hint = ValueHint::DirPath)]
    file_system: Option<String>,
    /// A container of an Azure storage account.
    #[arg(long, value_name = "ACCOUNT/CONTAINER", group = "store", value_parser = container)]
    azure: Option<Container>,
    /// A bucket of S3, or of a store that speaks like it.
    #[arg(long, value_name = "BUCKET", group = "store")]
    s3: Option<String>,
    /// The folders of the container or bucket below which it is. Default: the top.
    #[arg(
        long,
        value_name = "PREFIX",
        requires = "store",
        conflicts_with = "file_system"
    )]
    prefix: Option<String>,
    /// The URL of a store that is not Azure's or Amazon's own.
    #[arg(long, value_name = "URL", requires = "store", conflicts_with = "file_system")]
    endpoint: Option<String>,
    /// The region of the bucket. Default: us-east-1.
    #[arg(long, value_name = "REGION", requires = "s3")]
    region: Option<String>,
    /// What lies there; of Velero's backups a point is named as Velero names the backup.
    #[arg(long, value_name = "FORMAT", requires = "store", default_value = "native")]
    format: Format,
}

/// What lies in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// What this system writes.
    Native,
    /// Backups of Velero or AKS Backup.
    Velero,
}

#[derive(Debug, Clone)]
struct Container {
    account: String,
    container: String,
}

/// `shopbackups/vault`.
fn container(text: &str) -> Result<Container, String> {
    let parts = text
        .split_once('/')
        .filter(|(account, container)| !account.is_empty() && !container.is_empty());
    let (account, container) =
        parts.ok_or("write the storage account, `/` and the container, as in shopbackups/vault")?;
    Ok(Container {
        account: account.to_owned(),
        container: container.to_owned(),
    })
}

impl Store {
    /// What lies there, as a BackupVault says it.
    pub(crate) const fn format(&self) -> PointFormat {
        match self.format {
            Format::Native => PointFormat::Native,
            Format::Velero => PointFormat::Velero,
        }
    }

    /// The place as a BackupVault says it.
    pub(crate) fn location(&self) -> Option<Location> {
        let (prefix, endpoint) = (&self.prefix, &self.endpoint);
        let file_system = self.file_system.clone().map(|path| FileSystem { path });
        let azure = self.azure.clone().map(|Container { account, container }| Azure {
            account,
            container,
            prefix: prefix.clone(),
            endpoint: endpoint.clone(),
            credentials: None,
        });
        let s3 = self.s3.clone().map(|bucket| S3 {
            bucket,
            prefix: prefix.clone(),
            region: self.region.clone(),
            endpoint: endpoint.clone(),
            credentials: None,
        });
        let named = file_system.is_some() || azure.is_some() || s3.is_some();
        named.then_some(Location {
            file_system,
            azure,
            s3,
        })
    }
}
